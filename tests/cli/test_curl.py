"""`metastudio curl` and `metastudio whoami`."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from cli_runs import run
from loopback import CannedResponse, serve
from metastudio.sandbox import MAIN, Sandbox
from metastudio.sandbox import serve as serve_sandbox

PATH = "/v1/{project_id}/digital-human-training-manage/user/jobs?state=TRAINING&name=x%3B%20y"
TOKEN_ONLY = {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": ""}
TEMPORARY = {
    "HUAWEICLOUD_SDK_AK": MAIN.temporary.access_key,
    "HUAWEICLOUD_SDK_SK": MAIN.temporary.secret_key,
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": str(MAIN.temporary.security_token),
}


def test_it_signs_and_sends(env: dict[str, str]) -> None:
    done = run("curl", PATH, env=env)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out).keys() == {"count", "jobs"}
    shown = run("curl", "-i", PATH, "-H", "X-App-UserId: me", env=env).out
    head, _, body = shown.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK\n")
    assert "x-request-id: " in head
    assert json.loads(body) == json.loads(done.out)


def test_an_error_shows_body_and_hint(env: dict[str, str]) -> None:
    done = run("curl", PATH, env={**env, "HUAWEICLOUD_SDK_SK": "wrong-secret-key"})
    assert done.code == 4
    assert json.loads(done.out)["error_code"] == "APIGW.0301"
    assert "Hint: The secret key does not belong" in done.err
    assert run("curl", "/nowhere", env=env).code == 1


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("credentials", [{}, TOKEN_ONLY, TEMPORARY], ids=["key", "token", "temporary"])
def test_the_printed_command_works_and_contains_no_secret(
    credentials: dict[str, str], env: dict[str, str], sandbox: Sandbox
) -> None:
    settings = {**env, **credentials}
    printed = run("curl", PATH, "--print", env=settings)
    assert printed.code == 0
    assert not any(secret in printed.out + printed.err for secret in secrets(sandbox))
    if credentials is not TOKEN_ONLY:
        assert re.search(r"Signature=[0-9a-f]{64}", printed.out)
    else:
        assert "$METASTUDIO_TOKEN" in printed.out
    done = run("-c", printed.out, env=settings, command=("bash",))
    assert json.loads(done.out)["jobs"]


def secrets(sandbox: Sandbox) -> list[str]:
    account = sandbox.main
    return [account.keys.secret_key, account.temporary.secret_key, str(account.temporary.security_token), account.token]


def test_the_explanation_matches_the_signature(env: dict[str, str], sandbox: Sandbox) -> None:
    """The hash of the explained canonical request is the one in the string to sign."""
    done = run("curl", PATH, "--explain", env={**env, **TEMPORARY})
    canonical, _, to_sign = done.out.removeprefix("--- canonical request\n").partition("\n--- string to sign\n")
    assert canonical.startswith(
        f"GET\n/v1/{sandbox.project_id}/digital-human-training-manage/user/jobs/\nname=x%3B%20y&state=TRAINING\n"
    )
    assert "x-security-token:***" in canonical
    assert not any(secret in done.out for secret in secrets(sandbox))
    whole = canonical.replace("x-security-token:***", f"x-security-token:{sandbox.main.temporary.security_token}")
    assert to_sign.splitlines() == [
        "SDK-HMAC-SHA256",
        to_sign.splitlines()[1],
        hashlib.sha256(whole.encode()).hexdigest(),
    ]
    assert "needs an access key" in run("curl", PATH, "--explain", env={**env, **TOKEN_ONLY}).err


def test_print_and_explain_send_nothing(env: dict[str, str]) -> None:
    with serve(lambda _: CannedResponse()) as server:
        for how in ("--print", "--explain"):
            assert run("curl", f"{server.url}/x", how, env=env).code == 0
        assert not server.received


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://example.com/", "--allow-host example.com"),
        ("https://myhuaweicloud.com.example.com/", "--allow-host"),
        ("https://xmyhuaweicloud.com/", "--allow-host"),
        ("http://vpc.cn-north-4.myhuaweicloud.com/", "clear text"),
        ("https://user:secret-word@vpc.cn-north-4.myhuaweicloud.com/", "user name"),
        ("vpc.cn-north-4.myhuaweicloud.com/", "https://"),
        ("ftp://vpc.cn-north-4.myhuaweicloud.com/", "https://"),
    ],
)
def test_credentials_are_not_sent_to_other_hosts(url: str, says: str, env: dict[str, str]) -> None:
    done = run("curl", url, "--print", env=env)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "secret-word" not in done.err


def test_allowed_hosts(env: dict[str, str]) -> None:
    """Huawei Cloud, the configured server, this machine, and hosts named by --allow-host."""
    for url, more in (
        ("https://vpc.cn-north-4.myhuaweicloud.com/v1/vpcs", ()),
        ("http://127.0.0.1:1/x", ()),
        ("https://gateway.example.com/x", ("--base-url", "https://gateway.example.com")),
        ("https://example.com/x", ("--allow-host", "example.com")),
    ):
        assert run("curl", url, "--print", *more, env=env).code == 0, url


@pytest.mark.parametrize("header", ["Authorization: x", "x-auth-token: abc", "no colon", ": x"])
def test_invalid_headers_are_refused(header: str, env: dict[str, str]) -> None:
    assert run("curl", PATH, "-H", header, env=env).code == 2


def test_whoami_shows_settings_and_their_sources(env: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        f"[basic]\nak = {sandbox.access_key}\nsk = {sandbox.secret_key}\nproject_id = {sandbox.project_id}\n"
    )
    file.chmod(0o600)
    done = run(
        "--region",
        "ap-southeast-3",
        "whoami",
        "--base-url",
        sandbox.url,
        env={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)},
    )
    assert (done.code, done.err) == (0, "")
    rows = {line[:13].rstrip(): line[13:] for line in done.out.splitlines()}
    assert rows == {
        "region": "ap-southeast-3  from --region",
        "server": f"{sandbox.url}  from --base-url",
        "credentials": f"an access key  from {file}",
        "project": f"{sandbox.project_id}  from {file}",
        "access key": "SAND***",
        "clock": "agrees with the server's",
        "accepted": "yes, 101 training jobs",
    }
    assert not any(secret in done.out for secret in secrets(sandbox))
    token = run("whoami", env={**env, **TOKEN_ONLY}).out
    assert "a token  from environment (METASTUDIO_TOKEN)" in token


def test_whoami_discovers_the_project_through_iam(env: dict[str, str], sandbox: Sandbox) -> None:
    done = run("whoami", env={**env, "HUAWEICLOUD_SDK_PROJECT_ID": ""})
    assert done.code == 0, done.err
    assert f"project      {sandbox.project_id}  from IAM" in done.out


def test_whoami_with_refused_credentials(env: dict[str, str]) -> None:
    done = run("whoami", env={**env, "HUAWEICLOUD_SDK_SK": "wrong"})
    assert done.code == 4
    assert "access key   SAND***" in done.out
    assert "accepted" not in done.out
    assert "Hint: The secret key" in done.err


def test_whoami_reports_a_wrong_clock() -> None:
    with serve_sandbox(jobs=1, clock_offset=7200) as ahead:
        done = run("whoami", env=ahead.environment)
    assert done.code == 0, done.err
    assert "clock        120 min behind the server's" in done.out
