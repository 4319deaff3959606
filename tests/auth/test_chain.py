"""The credential chain: environment, credentials file, instance metadata, and their errors."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.auth import Credentials, InstanceMetadata
from metastudio.auth.chain import find
from metastudio.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVIRONMENT = {"HUAWEICLOUD_SDK_AK": "AKENV", "HUAWEICLOUD_SDK_SK": "SKENV"}
FILE = """
[basic]
ak = AKFILE
sk = SKFILE%/=
security_token = STFILE
project_id = pid
iam_endpoint = https://iam.test

[global]
ak = other
sk = other
"""


def nowhere() -> Credentials:
    raise CredentialsError("instance metadata: no response")


def write(home: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = home / ".huaweicloud/credentials"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


# Credentials


def test_credentials_show_no_secret() -> None:
    credentials = Credentials("AKMADEUP1234", "SKMADEUP", "STMADEUP", expires_at=datetime(2024, 1, 1, tzinfo=UTC))
    shown = f"{credentials!r} {credentials}"
    assert "MADEUP1234" not in shown
    assert "SKMADEUP" not in shown
    assert "STMADEUP" not in shown
    assert "AKMA***" in shown
    assert "AK" not in repr(Credentials("AKSHORT", "SK")).replace("AKMA", "")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_credentials_cannot_be_pickled_or_copied(leak: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        leak(Credentials("AK", "SK"))


def test_credentials_are_frozen_and_equal_by_value() -> None:
    assert Credentials("AK", "SK") == Credentials("AK", "SK") != Credentials("AK", "SK", "ST")
    with pytest.raises(AttributeError):
        Credentials("AK", "SK").secret_key = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# Order


def test_environment_is_first(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    source = find(environ={**ENVIRONMENT, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "STENV"}, home=tmp_path, instance=nowhere)
    assert source.name == "environment"
    assert source.provide() == Credentials("AKENV", "SKENV", "STENV")
    assert source.project_id is None


def test_credentials_file_is_second_and_may_name_project_and_iam(tmp_path: Path) -> None:
    path = write(tmp_path, FILE)
    source = find(environ={}, home=tmp_path, instance=nowhere)
    assert source.name == str(path)
    assert source.provide() == Credentials("AKFILE", "SKFILE%/=", "STFILE")
    assert (source.project_id, source.iam_endpoint) == ("pid", "https://iam.test")


def test_environment_may_name_the_credentials_file(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    other = tmp_path / "other"
    other.write_text("\ufeff[basic]\nAK=A\nSK=S\n", "utf-8")
    other.chmod(0o600)
    source = find(environ={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(other)}, home=tmp_path, instance=nowhere)
    assert source.provide() == Credentials("A", "S")


def test_instance_metadata_is_last_and_called_only_when_needed(tmp_path: Path) -> None:
    asked: list[bool] = []

    def instance() -> Credentials:
        asked.append(True)
        return Credentials("AKECS", "SKECS")

    source = find(environ={}, home=tmp_path, instance=instance)
    assert source.name == "instance metadata"
    assert not asked
    assert source.provide() == Credentials("AKECS", "SKECS")


def test_reads_a_changed_file_again(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    source = find(environ={}, home=tmp_path, instance=nowhere)
    write(tmp_path, "[basic]\nak=A2\nsk=S2\n")
    assert source.provide() == Credentials("A2", "S2")
    path = write(tmp_path, "[basic]\n")
    with pytest.raises(CredentialsError, match="the access key was removed from"):
        source.provide()
    path.unlink()
    with pytest.raises(CredentialsError, match="the access key was removed from"):
        source.provide()


def test_error_lists_everything_tried(tmp_path: Path) -> None:
    source = find(environ={"HUAWEICLOUD_SDK_AK": ""}, home=tmp_path, instance=nowhere)
    with pytest.raises(CredentialsError) as caught:
        source.provide()
    for place in (
        "arguments",
        "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
        str(tmp_path / ".huaweicloud/credentials"),
        "[basic]",
        "instance metadata: no response",
    ):
        assert place in str(caught.value)


# Malformed sources


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"HUAWEICLOUD_SDK_AK": "AKMADEUP"}, "the environment sets HUAWEICLOUD_SDK_AK but not HUAWEICLOUD_SDK_SK"),
        ({"HUAWEICLOUD_SDK_SK": "SKMADEUP"}, "the environment sets HUAWEICLOUD_SDK_SK but not HUAWEICLOUD_SDK_AK"),
        ({"HUAWEICLOUD_SDK_AK": "A", "HUAWEICLOUD_SDK_SK": "SKMADEUP\n"}, "in the environment: secret_key"),
        ({**ENVIRONMENT, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "MADEUP é"}, "in the environment: security_token"),
        (
            {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": "/nowhere/at/all"},
            "/nowhere/at/all does not exist; correct or unset HUAWEI",
        ),
    ],
)
def test_rejects_a_malformed_environment(environ: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as caught:
        find(environ=environ, home=tmp_path, instance=nowhere)
    assert message in str(caught.value)
    assert "MADEUP" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[basic]\nak = AKMADEUP\n", "sets ak but not sk"),
        ("[basic]\nsk = SKMADEUP\n", "sets sk but not ak"),
        ("[basic]\nak = A\nsk = SK MADEUP\n", "secret_key"),
        ("ak = AKMADEUP\n", "write [basic] above"),
        ("[basic]\nak = A\nsk SKMADEUP\n", "malformed in line 3"),
        ("[basic]\nsk = SKMADEUP\nsk = SKMADEUP\n", "malformed in line 3"),
        ("[basic]\n[basic]\n", "malformed in line 2"),
        (b"[basic]\nak = \xff\n", "not UTF-8"),
    ],
    ids=range(8),  # pytest would put the secrets into the name of tmp_path
)
def test_rejects_a_malformed_file(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CredentialsError) as caught:
        find(environ={}, home=tmp_path, instance=nowhere)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "MADEUP" not in str(caught.value)
    shown_with_it = None if caught.value.__suppress_context__ else caught.value.__context__
    assert shown_with_it is None  # the parser's error quotes lines


def test_rejects_a_directory(tmp_path: Path) -> None:
    (tmp_path / ".huaweicloud/credentials").mkdir(parents=True)
    with pytest.raises(CredentialsError, match="cannot be read: Is a directory"):
        find(environ={}, home=tmp_path, instance=nowhere)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[basic]\n", "[global]\nak=A\nsk=S\n", "[basic]\nproject_id=p\n"])
def test_skips_a_file_without_an_access_key(text: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    assert find(environ={}, home=tmp_path, instance=nowhere).name == "instance metadata"


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_warns_about_a_file_that_others_can_read(
    mode: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, FILE, mode)
    find(environ={}, home=tmp_path, instance=nowhere)
    assert [str(path) in record.getMessage() for record in caplog.records] == [True] * warned


# Instance metadata

TOKEN_PATH, KEYS_PATH = "/meta-data/latest/api/token", "/openstack/latest/securitykey"
KEYS = {"access": "AKECS", "secret": "SKECS", "securitytoken": "STECS", "expires_at": "2030-01-02T03:04:05.678000Z"}
EXPECTED = Credentials("AKECS", "SKECS", "STECS", expires_at=datetime(2030, 1, 2, 3, 4, 5, 678000, tzinfo=UTC))


class FakeMetadataService:
    """Responds to the token request with status `put`, and requires the token `wants` for the credentials."""

    def __init__(self, *, put: int = 200, tokens: tuple[str, ...] = ("T1",), wants: str | None = None) -> None:
        self.put = put
        self.tokens = list(tokens)
        self.wants = wants
        self.keys = CannedResponse(200, json.dumps({"credential": KEYS}).encode())

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        if request.method == "PUT":
            assert request.target == TOKEN_PATH
            assert request.header("x-metadata-token-ttl-seconds") == "21600"
            return CannedResponse(self.put, self.tokens.pop(0).encode() if self.put == 200 else b"no")
        assert (request.method, request.target) == ("GET", KEYS_PATH)
        if self.wants is not None and request.header("x-metadata-token") != self.wants:
            return CannedResponse(401, b"token?")
        return self.keys


def test_reuses_the_metadata_token() -> None:
    with serve(FakeMetadataService(wants="T1")) as server:
        provider = InstanceMetadata(server.url)
        assert [provider(), provider()] == [EXPECTED, EXPECTED]
    assert [request.method for request in server.received] == ["PUT", "GET", "GET"]


@pytest.mark.parametrize("status", [400, 404, 405, 503])
def test_works_with_a_service_without_tokens(status: int) -> None:
    with serve(FakeMetadataService(put=status)) as server:
        assert InstanceMetadata(server.url)() == EXPECTED
    assert server.received[1].header("x-metadata-token") is None


def test_replaces_an_expired_metadata_token_once() -> None:
    metadata = FakeMetadataService(tokens=("T1", "T2"), wants="T1")
    with serve(metadata) as server:
        provider = InstanceMetadata(server.url)
        provider()
        metadata.wants = "T2"
        assert provider() == EXPECTED
    assert [request.method for request in server.received] == ["PUT", "GET", "GET", "PUT", "GET"]


@pytest.mark.parametrize(
    ("metadata", "requests", "message"),
    [
        (
            FakeMetadataService(wants="never", tokens=("T1", "T2")),
            4,
            "HTTP 401 for the credentials, after HTTP 200",
        ),
        (
            FakeMetadataService(put=400, wants="T"),
            4,
            "HTTP 401 for the credentials, after HTTP 400",
        ),
    ],
)
def test_refused_credentials(metadata: FakeMetadataService, requests: int, message: str) -> None:
    with serve(metadata) as server, pytest.raises(CredentialsError, match=message):
        InstanceMetadata(server.url)()
    assert len(server.received) == requests


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (CannedResponse(401, b"... Please configure Cloud Service Agency first ..."), "this machine has no agency"),
        (CannedResponse(500, b"SKMADEUP"), "HTTP 500"),
        (CannedResponse(302, headers={"Location": "http://127.0.0.1:9/"}), "HTTP 302"),
        (CannedResponse(200, b"<html>SKMADEUP"), "not JSON"),
        (CannedResponse(200, b"[]"), "no access key and secret key"),
        (CannedResponse(200, b'{"credential": [1]}'), "no access key and secret key"),
        (CannedResponse(200, b'{"credential": {"access": "A"}}'), "no access key and secret key"),
        (CannedResponse(200, b'{"access": "A", "secret": "SKMADEUP", "expires_at": "soon"}'), "not a time"),
        (CannedResponse(200, b'{"access": "A", "secret": "SK MADEUP"}'), "secret_key"),
    ],
)
def test_responses_without_credentials(answer: CannedResponse, message: str) -> None:
    metadata = FakeMetadataService()
    metadata.keys = answer
    with serve(metadata) as server, pytest.raises(CredentialsError, match=message) as caught:
        InstanceMetadata(server.url)()
    assert [request.method for request in server.received] == ["PUT", "GET"]
    assert "MADEUP" not in str(caught.value)


@pytest.mark.parametrize("wrapper", ["credential", "credentials", None])
@pytest.mark.parametrize(
    "names",
    [
        ("access", "secret", "securitytoken", "expires_at"),
        ("accessKeyId", "secretAccessKey", "securityToken", "expiration"),
        ("access_key_id", "secret_access_key", "security_token", "expires_at"),
    ],
)
@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2030-01-02T03:04:05.678000Z", EXPECTED.expires_at),
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_accepts_every_spelling(wrapper: str | None, names: tuple[str, ...], text: str, end: datetime) -> None:
    keys: dict[str, Any] = dict(zip(names, ("AKECS", "SKECS", "STECS", text), strict=True))
    metadata = FakeMetadataService()
    metadata.keys = CannedResponse(200, json.dumps({wrapper: keys} if wrapper else keys).encode())
    with serve(metadata) as server:
        assert InstanceMetadata(server.url)() == Credentials("AKECS", "SKECS", "STECS", expires_at=end)


def test_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve(FakeMetadataService()) as server:
        assert InstanceMetadata(server.url)() == EXPECTED


def test_no_response() -> None:
    with serve(FakeMetadataService()) as server:
        address = server.url
    with pytest.raises(CredentialsError, match=r"no response \(ConnectError\)"):
        InstanceMetadata(address)()
