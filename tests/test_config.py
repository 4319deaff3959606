"""Where settings come from, in which order, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from metastudio import AkSkAuth, Credentials, TokenAuth, errors
from metastudio.config import resolve

KEYS = {"HUAWEICLOUD_SDK_AK": "AKENV", "HUAWEICLOUD_SDK_SK": "SKENV"}


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def resolved(environ: dict[str, str], **arguments: Any) -> Any:
    return resolve(environ={**KEYS, **environ}, **arguments)


@pytest.mark.parametrize(
    ("environ", "arguments", "url"),
    [
        ({}, {}, "https://metastudio.cn-north-4.myhuaweicloud.com"),
        ({"METASTUDIO_REGION": "ap-southeast-3"}, {}, "https://metastudio.ap-southeast-3.myhuaweicloud.com"),
        ({"METASTUDIO_REGION": "cn-east-3"}, {"region": "mars-1"}, "https://metastudio.mars-1.myhuaweicloud.com"),
        (
            {"HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4": "https://a.example, https://b.example"},
            {},
            "https://a.example",
        ),
        ({"METASTUDIO_BASE_URL": "https://c.example/rest"}, {"region": "cn-east-3"}, "https://c.example/rest"),
        ({"METASTUDIO_BASE_URL": "https://c.example"}, {"base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
    ],
)
def test_the_endpoint(environ: dict[str, str], arguments: dict[str, str], url: str) -> None:
    assert str(resolved(environ, **arguments).base_url) == url


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "metastudio.example"}, "write https://host"),
        ({"base_url": "ftp://metastudio.example"}, "write https://host"),
        ({"base_url": "http://metastudio.example"}, "allow_http=True"),
        ({"base_url": "https://user:secret@metastudio.example"}, "leave the user name and password out"),
        ({"region": "cn-north-4.evil.example/"}, "no name of a region"),
        ({"project_id": ""}, "argument project_id"),
        ({"project_id": ".."}, "argument project_id"),
        ({"project_id": "a/b"}, "argument project_id"),
        ({"project_id": "a\n"}, "argument project_id"),
        ({"credentials": Credentials("A", "S"), "auth": httpx.Auth()}, "not both"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=message) as caught:
        resolved({}, **arguments)
    assert "secret" not in str(caught.value)


def test_plain_http_when_allowed() -> None:
    assert str(resolved({}, base_url="http://gateway.example", allow_http=True).base_url) == "http://gateway.example"


def test_the_order_of_credentials(tmp_path: Path) -> None:
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[basic]\nak = AKFILE\nsk = SKFILE\nproject_id = in-file\niam_endpoint = https://iam.example\n")
    file.chmod(0o600)
    token = {"METASTUDIO_TOKEN": "t0ken"}
    own = TokenAuth("own")

    found = resolve(environ=KEYS | token, auth=own)
    assert (found.auth, found.auth_source) == (own, "argument auth")
    found = resolve(environ=KEYS | token, credentials=Credentials("AKARG", "SKARG"))
    assert (type(found.auth), found.auth_source) == (AkSkAuth, "argument credentials")
    found = resolve(environ=KEYS | token)
    assert (type(found.auth), found.auth_source) == (AkSkAuth, "environment")
    found = resolve(environ=token)
    assert (type(found.auth), found.auth_source) == (TokenAuth, "environment (METASTUDIO_TOKEN)")
    found = resolve(environ={})
    assert (found.auth_source, found.project_id, found.iam_endpoint) == (str(file), "in-file", "https://iam.example")
    file.unlink()
    assert resolve(environ={}).auth_source == "instance metadata"


def test_the_order_of_project_ids(tmp_path: Path) -> None:
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[basic]\nak = AKFILE\nsk = SKFILE\nproject_id = in-file\n")
    file.chmod(0o600)
    environment = {"HUAWEICLOUD_SDK_PROJECT_ID": "in-environment"}
    auth = AkSkAuth("A", "S", project_id="in-auth")
    assert resolved(environment, project_id="given", auth=auth).project_id == "given"
    assert resolved(environment, auth=auth).project_id == "in-environment"
    assert resolved({}, auth=auth).project_id == "in-auth"
    assert resolved({}).project_id == "in-file"  # keys from the environment, the project from the file
    file.unlink()
    assert resolved({}).project_id is None


def test_half_a_pair_of_keys_says_which_half_is_missing() -> None:
    with pytest.raises(errors.CredentialsError, match="HUAWEICLOUD_SDK_SK"):
        resolve(environ={"HUAWEICLOUD_SDK_AK": "A"})
