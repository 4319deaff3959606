"""The configuration: sources, their order, and malformed values."""

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
        ({"METASTUDIO_BASE_URL": "https://c.example/rest"}, {}, "https://c.example/rest"),
        (
            {"METASTUDIO_BASE_URL": "https://c.example", "METASTUDIO_REGION": "cn-east-3"},
            {},
            "https://c.example",
        ),
        (
            {"METASTUDIO_BASE_URL": "https://c.example"},
            {"region": "cn-east-3"},
            "https://metastudio.cn-east-3.myhuaweicloud.com",
        ),
        (
            {
                "METASTUDIO_BASE_URL": "https://c.example",
                "HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_EAST_3": "https://a.example",
            },
            {"region": "cn-east-3"},
            "https://a.example",
        ),
        ({"METASTUDIO_BASE_URL": "https://c.example"}, {"base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
    ],
)
def test_base_url(environ: dict[str, str], arguments: dict[str, str], url: str) -> None:
    assert str(resolved(environ, **arguments).base_url) == url


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "metastudio.example"}, "write https://host"),
        ({"base_url": "ftp://metastudio.example"}, "write https://host"),
        ({"base_url": "http://metastudio.example"}, "allow_http=True"),
        ({"base_url": "https://user:secret@metastudio.example"}, "contains a user name or password"),
        ({"region": "cn-north-4.evil.example/"}, "region .* is malformed; write it like cn-north-4"),
        ({"project_id": ""}, "argument project_id"),
        ({"project_id": ".."}, "argument project_id"),
        ({"project_id": "a/b"}, "argument project_id"),
        ({"project_id": "a\n"}, "argument project_id"),
        ({"credentials": Credentials("A", "S"), "auth": httpx.Auth()}, "pass only one"),
    ],
)
def test_rejects_malformed_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=message) as caught:
        resolved({}, **arguments)
    assert "secret" not in str(caught.value)


def test_accepts_plain_http_with_allow_http() -> None:
    assert str(resolved({}, base_url="http://gateway.example", allow_http=True).base_url) == "http://gateway.example"


def test_order_of_credentials(tmp_path: Path) -> None:
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


def test_order_of_project_ids(tmp_path: Path) -> None:
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[basic]\nak = AKFILE\nsk = SKFILE\nproject_id = in-file\n")
    file.chmod(0o600)
    environment = {"HUAWEICLOUD_SDK_PROJECT_ID": "in-environment"}
    auth = AkSkAuth("A", "S", project_id="in-auth")
    assert resolved(environment, project_id="given", auth=auth).project_id == "given"
    assert resolved(environment, auth=auth).project_id == "in-auth"
    assert resolved(environment).project_id == "in-environment"
    assert resolved({}).project_id == "in-file"
    file.unlink()
    assert resolved({}).project_id is None


PROFILES = """
[basic]
ak = AKBASIC
sk = SK
project_id = basic-project
region = cn-south-1
[dev]
ak = AKDEV
sk = SK
project_id = dev-project
region = cn-east-3
[keyless]
region = ap-southeast-1
project_id = keyless-project
"""
OTHER = {
    "METASTUDIO_REGION": "cn-north-1",
    "HUAWEICLOUD_SDK_PROJECT_ID": "env-project",
    "METASTUDIO_BASE_URL": "https://c.example",
    "METASTUDIO_TOKEN": "t0ken",
}


@pytest.mark.parametrize(
    ("environ", "arguments", "found"),
    [
        ({}, {}, ("AKBASIC", "cn-south-1", "basic-project", "metastudio.cn-south-1.myhuaweicloud.com")),
        ({"HUAWEICLOUD_SDK_PROFILE": "dev"}, {}, ("AKDEV", "cn-east-3", "dev-project", "metastudio.cn-east-3")),
        ({"HUAWEICLOUD_SDK_PROFILE": "basic"}, {"profile": "dev"}, ("AKDEV", "cn-east-3", "dev-project", "")),
        (KEYS | OTHER, {"profile": "dev"}, ("AKDEV", "cn-east-3", "dev-project", "metastudio.cn-east-3")),
        (KEYS | OTHER | {"HUAWEICLOUD_SDK_PROFILE": "dev"}, {}, ("AKENV", "cn-north-1", "env-project", "c.example")),
        (KEYS | OTHER, {"profile": "keyless"}, ("AKENV", "ap-southeast-1", "keyless-project", "")),
        (
            OTHER,
            {"profile": "dev", "region": "mars-1", "project_id": "p", "credentials": Credentials("AKARG", "SK")},
            ("AKARG", "mars-1", "p", "metastudio.mars-1"),
        ),
    ],
)
def test_profiles(tmp_path: Path, environ: dict[str, str], arguments: dict[str, Any], found: tuple[str, ...]) -> None:
    """An argument beats the environment, which beats the file; a profile that is an argument is one for all it has."""
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text(PROFILES)
    file.chmod(0o600)
    config = resolve(environ=environ, **arguments)
    assert isinstance(config.auth, AkSkAuth)
    request = next(config.auth.sync_auth_flow(httpx.Request("GET", "https://x.example")))
    key = request.headers["Authorization"].partition("Access=")[2].partition(",")[0]
    assert (key, config.region, config.project_id) == found[:3]
    assert config.base_url.host.startswith(found[3])


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_an_unknown_profile_names_those_that_exist(tmp_path: Path, by: str) -> None:
    arguments: dict[str, Any] = {"profile": "prod"} if by == "argument" else {}
    environ = {} if arguments else {"HUAWEICLOUD_SDK_PROFILE": "prod"}
    with pytest.raises(errors.ConfigurationError, match=f"no profile 'prod' .{by}.* does not exist"):
        resolve(environ=KEYS | environ, **arguments)
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text(PROFILES)
    file.chmod(0o600)
    with pytest.raises(errors.ConfigurationError, match=r"has only basic, dev, keyless$"):
        resolve(environ=KEYS | environ, **arguments)


def test_the_file_is_read_only_if_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / ".huaweicloud").mkdir()
    (tmp_path / ".huaweicloud" / "credentials").write_text("malformed")
    environ = {"METASTUDIO_REGION": "x", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
    assert resolved(environ).project_id == "p"
    with pytest.raises(errors.CredentialsError, match="does not begin with a section"):
        resolved({"METASTUDIO_REGION": "x"})


def test_error_names_the_missing_key() -> None:
    with pytest.raises(errors.CredentialsError, match="HUAWEICLOUD_SDK_SK"):
        resolve(environ={"HUAWEICLOUD_SDK_AK": "A"})


@pytest.mark.parametrize(
    ("environ", "arguments", "name"),
    [
        ({}, {"base_url": "ftp://x"}, "argument base_url"),
        ({"METASTUDIO_BASE_URL": "ftp://x"}, {}, "METASTUDIO_BASE_URL"),
        (
            {"HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4": "ftp://x"},
            {},
            "HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4",
        ),
        ({}, {"region": "a b"}, "argument region"),
        ({"METASTUDIO_REGION": "a b"}, {}, "METASTUDIO_REGION"),
        ({"HUAWEICLOUD_SDK_PROJECT_ID": "a b"}, {}, "HUAWEICLOUD_SDK_PROJECT_ID"),
    ],
)
def test_error_names_the_source(environ: dict[str, str], arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        resolved(environ, **arguments)
    assert f"({name})" in str(caught.value) or f"(environment ({name}))" in str(caught.value)


def test_sources() -> None:
    config = resolved({})
    assert (config.region_source, config.base_url_source) == ("the contract's default", "region")
    config = resolved({"METASTUDIO_REGION": "x", "METASTUDIO_BASE_URL": "https://c.example"})
    assert config.region_source == "environment (METASTUDIO_REGION)"
    assert config.base_url_source == "environment (METASTUDIO_BASE_URL)"
    config = resolved({}, region="x", base_url="https://c.example")
    assert (config.region_source, config.base_url_source) == ("argument region", "argument base_url")
