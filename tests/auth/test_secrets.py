"""Authentication shows no secret: in `repr`, log lines, tracebacks and pickled errors."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from concurrent_requests import BOTH, Send
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.auth import AkSkAuth, Clock, Credentials, IamTokenAuth, InstanceMetadata, TokenAuth
from metastudio.auth.chain import find
from metastudio.auth.project import find_project_id

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = {
    "access key": "MADEUPACCESSKEY01",
    "secret key": "MADEUPSECRETKEY02",
    "security token": "MADEUPSECURITY03",
    "token": "MADEUPTOKEN04",
    "password": "MADEUPPASSWORD05",
    "iam token": "MADEUPIAMTOKEN06",
    "metadata token": "MADEUPMETADATA07",
}
ACCESS, SECRET, SECURITY, TOKEN, PASSWORD, IAM_TOKEN, METADATA_TOKEN = SECRETS.values()


def grep(text: str | bytes) -> list[str]:
    text = text if isinstance(text, str) else text.decode("latin-1")
    return [name for name, secret in SECRETS.items() if secret in text]


def hostile(request: ReceivedRequest) -> CannedResponse:
    """Refuse everything and echo the request, as gateways do with access keys and canonical requests."""
    if request.target.endswith("/api/token"):
        return CannedResponse(200, METADATA_TOKEN.encode())
    echo = f"{request.method} {request.headers} {request.body.decode()}"
    return CannedResponse(401, json.dumps({"error_code": "APIGW.0301", "error_msg": echo}).encode())


def signatures(text: str) -> list[str]:
    return [part[:64] for part in text.split("Signature=")[1:]]


@pytest.mark.parametrize("send", BOTH)
def test_shows_no_secret(send: Send, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG, "metastudio")  # not httpx and httpcore, which log headers as they are
    (tmp_path / ".huaweicloud").mkdir()
    (tmp_path / ".huaweicloud/credentials").write_text(f"[basic]\nak={ACCESS}\nsk={SECRET}\n")
    (tmp_path / "malformed").write_text(f"[basic]\nak {ACCESS}\nsk {SECRET}\n")

    with serve(hostile) as server:
        keys = Credentials(ACCESS, SECRET, SECURITY, expires_at=datetime(2030, 1, 1, tzinfo=UTC))
        wrong = Clock(lambda: datetime.now(UTC) - timedelta(hours=1))
        from_file = find(environ={}, home=tmp_path)
        from_instance = find(environ={}, home=tmp_path / "x", instance=InstanceMetadata(server.url))
        auths: list[httpx.Auth] = [
            AkSkAuth(ACCESS, SECRET, security_token=SECURITY, clock=wrong),
            AkSkAuth.from_provider(lambda: keys),
            AkSkAuth.from_provider(from_file.provide),
            AkSkAuth.from_provider(InstanceMetadata(server.url)),
            AkSkAuth.from_provider(from_instance.provide),
            TokenAuth(TOKEN),
            TokenAuth(lambda: TOKEN),
            TokenAuth(lambda: TOKEN + "\n"),
            IamTokenAuth("me", PASSWORD, "acme", region="cn-north-4", iam_endpoint=server.url),
        ]
        shown: list[str | bytes] = [repr(thing) + str(thing) for thing in (keys, wrong, from_file, *auths)]
        failures: list[Exception] = []
        for auth in auths:
            try:
                send(auth, server.url + "/v1/x")
                with httpx.Client() as client:
                    find_project_id(client, auth, region="cn-north-4", iam=server.url)
            except Exception as error:  # noqa: BLE001
                failures.append(error)
        for environ in (
            {"HUAWEICLOUD_SDK_AK": ACCESS, "HUAWEICLOUD_SDK_SK": SECRET + "\r"},
            {"HUAWEICLOUD_SDK_SK": SECRET},
            {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path / "malformed")},
        ):
            with pytest.raises(Exception, match=r"HUAWEI|secret_key|malformed") as caught:
                find(environ=environ, home=tmp_path)
            failures.append(caught.value)

    assert len(failures) == len(auths) + 3
    for failure in failures:
        shown += [f"{failure!r} {failure} {vars(failure)}", pickle.dumps(failure)]
        shown.append("".join(traceback.format_exception(failure)))
    assert len(caplog.records) > 10
    shown.append(caplog.text)
    for text in shown:
        assert grep(text) == [], text
    assert not any(signature in str(shown) for request in server.received for signature in signatures(str(request)))
