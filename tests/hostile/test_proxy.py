"""Requests to this machine never go through a proxy, which would read their credentials. A failing proxy is named."""

from __future__ import annotations

import asyncio
import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import run
from fault_server import FaultServer, raw, reset
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio import AsyncMetaStudio, Credentials, IamTokenAuth, MetaStudio, TokenAuth, connect
from metastudio.errors import ApiConnectionError, ApiError, ConfigurationError, MetaStudioError
from metastudio.sandbox import Sandbox
from metastudio.tester import prove
from metastudio_client.api.training_jobs import list_training_jobs
from session_calls import KINDS, Kind, call
from tester_runs import credentials_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fault_server import SocketFault

REGION = "cn-north-4"
SECRETS = ("SKMADEUP", "TKMADEUP", "PWMADEUP")
VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def answer(request: ReceivedRequest) -> CannedResponse:
    """IAM and the service in one."""
    if request.target.startswith("/v3/auth/tokens"):
        token = {"token": {"project": {"id": "p1"}}}
        return CannedResponse(201, json.dumps(token).encode(), {"X-Subject-Token": "TKMADEUP"})
    if request.target.startswith("/v3/projects"):
        return CannedResponse(200, json.dumps({"projects": [{"id": "p1", "name": REGION}]}).encode())
    return CannedResponse(200, b'{"count": 0, "jobs": []}')


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """A proxy that the environment names for everything, and that refuses everything."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(lambda _: CannedResponse(502, b"proxied")) as server:
        for name in VARIABLES:
            monkeypatch.setenv(name, server.url)
        yield server


@pytest.fixture(params=["127.0.0.1", "::1", "localhost"])
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    name: str = request.param
    with serve(answer, host="127.0.0.1" if name == "localhost" else name) as server:
        if name == "localhost":
            server.url = server.url.replace("127.0.0.1", name)
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.url)
        yield server


def list_jobs(kind: Kind, base_url: str, **options: Any) -> int:
    settings: Any = {"base_url": base_url, "region": REGION, "max_retries": 0, **options}

    async def main() -> int:
        async with AsyncMetaStudio(**settings) as studio:
            return (await studio.training_jobs.list(limit=1)).count

    if kind == "async":
        return asyncio.run(main())
    with MetaStudio(**settings) as studio:
        return studio.training_jobs.list(limit=1).count


@pytest.mark.parametrize("kind", KINDS)
class TestClient:
    @pytest.mark.parametrize("way", ["key", "token", "login"])
    def test_call_and_project_lookup(self, kind: Kind, way: str, target: LoopbackServer, proxy: LoopbackServer) -> None:
        ways: dict[str, dict[str, Any]] = {
            "key": {"credentials": Credentials("AKMADEUP", "SKMADEUP")},
            "token": {"auth": TokenAuth("TKMADEUP")},
            "login": {"auth": IamTokenAuth("me", "PWMADEUP", "acme", region=REGION, iam_endpoint=target.url)},
        }
        assert list_jobs(kind, target.url, **ways[way]) == 0
        assert len(target.received) == 2
        assert not proxy.received

    def test_login_within_a_call(self, kind: Kind, target: LoopbackServer, proxy: LoopbackServer) -> None:
        auth = IamTokenAuth("me", "PWMADEUP", "acme", region=REGION, iam_endpoint=target.url)
        assert list_jobs(kind, target.url, auth=auth, project_id="p1") == 0
        assert [request.method for request in target.received] == ["POST", "GET"]
        assert not proxy.received

    def test_login_of_a_call_to_another_machine(
        self, kind: Kind, target: LoopbackServer, proxy: LoopbackServer
    ) -> None:
        auth = IamTokenAuth("me", "PWMADEUP", "acme", region=REGION, iam_endpoint=target.url)
        with pytest.raises(ApiError, match="proxied"):
            list_jobs(kind, "http://service.test", auth=auth, project_id="p1", allow_http=True)
        assert [request.method for request in target.received] == ["POST"]
        assert [request.method for request in proxy.received] == ["GET"]

    def test_generated_client(self, kind: Kind, target: LoopbackServer, proxy: LoopbackServer) -> None:
        client = connect(base_url=target.url, auth=TokenAuth("TKMADEUP"))
        if kind == "sync":
            found: Any = list_training_jobs.sync("p1", client=client)
            client.get_httpx_client().close()
        else:

            async def main() -> Any:
                async with client:
                    return await list_training_jobs.asyncio("p1", client=client)

            found = asyncio.run(main())
        assert found.count == 0
        assert not proxy.received

    def test_a_name_below_localhost_is_not_sent_either(self, kind: Kind, proxy: LoopbackServer) -> None:
        with pytest.raises(MetaStudioError):  # most machines do not know the name
            list_jobs(kind, "http://api.localhost:9", auth=TokenAuth("TKMADEUP"), project_id="p1")
        assert not proxy.received

    def test_other_machines_are_reached_through_the_proxy(self, kind: Kind, proxy: LoopbackServer) -> None:
        with pytest.raises(ApiError, match="proxied"):
            list_jobs(kind, "http://service.test", auth=TokenAuth("T"), project_id="p1", allow_http=True)
        assert proxy.received[0].target.startswith("http://service.test/")

    def test_no_proxy_of_the_environment_counts(
        self, kind: Kind, proxy: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for excluded in ("*", "service.invalid"):
            monkeypatch.setenv("NO_PROXY", excluded)
            with pytest.raises(MetaStudioError, match="DNS"):
                list_jobs(kind, "http://service.invalid", auth=TokenAuth("T"), project_id="p1", allow_http=True)
        assert not proxy.received

    def test_a_proxy_of_the_caller(
        self, kind: Kind, target: LoopbackServer, proxy: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name)
        given: dict[str, Any] = {"auth": TokenAuth("T"), "project_id": "p1", "proxy": proxy.url}
        assert list_jobs(kind, target.url, **given) == 0
        assert not proxy.received
        with pytest.raises(ApiError, match="proxied"):
            list_jobs(kind, "http://service.test", **given, allow_http=True)
        assert len(proxy.received) == 1

    @pytest.mark.parametrize("host", ["127.0.0.2", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"])
    def test_another_address_of_this_machine_needs_https(self, host: str, kind: Kind, proxy: LoopbackServer) -> None:
        with pytest.raises(ConfigurationError, match="clear text"):
            list_jobs(kind, f"http://{host}:9", auth=TokenAuth("T"), project_id="p1")
        assert not proxy.received


PASSWORD = "PROXYPW06"
REFUSED = raw(b"HTTP/1.1 407 %s dTpQUk9YWVBXMDY= \x1b[31m\r\nContent-Length: 0\r\n\r\n" % PASSWORD.encode(), keep=True)
BAD_GATEWAY = raw(b"HTTP/1.1 502 \x1b[31mBad\r\nContent-Length: 0\r\n\r\n", keep=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ([REFUSED], "407 Proxy Authentication Required. Check the user name and password of this proxy: `proxy`, or "),
        ([BAD_GATEWAY] * 3, "502 Bad Gateway. This proxy cannot reach the server, or refuses to: `proxy`, or "),
        ([reset()] * 3, "Check this proxy: `proxy`, or HTTPS_PROXY and NO_PROXY"),
        ([raw(b"")] * 3, "broke: Server disconnected without sending a response. Check this proxy: `proxy`, or "),
        ([raw(b"garbage u PROXYPW06\r\n\r\n")] * 3, "broke: illegal status line. Check this proxy: `proxy`, or "),
    ],
    ids=["407", "502", "reset", "closed", "garbage"],
)
def test_a_proxy_that_fails_is_named(kind: Kind, faults: list[SocketFault], says: str) -> None:
    """Its own words are not quoted: they may hold its password."""
    with FaultServer(faults) as server:
        host = server.url.removeprefix("http://")
        outcome = call(kind, "https://service.test", proxy=f"http://u:{PASSWORD}@{host}")
        assert len(server.heads) == len(faults)  # a refused password is not sent again: that may lock the account
    error = outcome.raised(ApiConnectionError)
    assert f"service.test through the proxy http://{host}" in str(error)
    assert says in str(error)
    assert PASSWORD not in "".join(traceback.format_exception(error)) + repr(error)
    assert "\x1b" not in "".join(traceback.format_exception(error))


def _request_with(client: Any) -> None:
    """A generated client makes its session at the first request."""
    client.get_httpx_client()


@pytest.mark.parametrize("make", [MetaStudio, AsyncMetaStudio, connect])
@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("HTTPS_PROXY", f"http://u:{PASSWORD}@[::1", "is not a valid URL"),
        ("https_proxy", f"http://u:{PASSWORD}@host:port", "is not a valid URL"),
        ("ALL_PROXY", f"http://u:{PASSWORD} 06\n@x", "is not a valid URL"),
        ("HTTP_PROXY", f"ftp://u:{PASSWORD}@x", "must begin with http://, https:// or socks5://"),
        ("HTTPS_PROXY", "http://", "names no host"),
        ("HTTPS_PROXY", " ", "is not a valid URL"),
        ("NO_PROXY", f"a.test,u:{PASSWORD}@[::1", "has an entry that is not a host"),
        ("proxy", f"http://u:{PASSWORD}@[::1", "is not a valid URL"),
        ("proxy", f"http://u:{PASSWORD}@host:99999", "is not a valid URL"),
        ("proxy", f"ftp://u:{PASSWORD}@x", "must begin with http://, https:// or socks5://"),
        ("proxy", "http://", "names no host"),
    ],
)  # fmt: skip
def test_a_broken_setting_of_a_proxy_is_named(
    make: Any, variable: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "NO_PROXY", *VARIABLES, "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    given: dict[str, Any] = {"auth": TokenAuth("T"), "project_id": "p1", "base_url": "https://service.test"}
    if variable == "proxy":
        given["proxy"] = value
    else:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as raised:
        _request_with(make(**given))
    assert str(raised.value).startswith(f"{variable} {problem}")
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


def test_a_command_names_the_proxy_that_refuses() -> None:
    for arguments in (
        ["curl", "https://service.test/", "--allow-host", "service.test"],
        ["contract-test", "https://a.test"],
    ):
        with FaultServer([REFUSED]) as server:
            environment = {"METASTUDIO_TOKEN": "T", "HTTPS_PROXY": server.url.replace("//", f"//u:{PASSWORD}@")}
            done = run(*arguments, "--project-id", "p", env=environment)
        assert done.code in (1, 2)
        assert "407 Proxy Authentication Required" in done.out + done.err
        assert "HTTPS_PROXY" in done.out + done.err
        assert PASSWORD not in done.out + done.err


@pytest.mark.parametrize("arguments", [["curl", "/v1/x"], ["whoami"], ["jobs"]], ids=lambda arguments: arguments[0])
def test_command(arguments: list[str], proxy: LoopbackServer) -> None:
    environment = dict.fromkeys(VARIABLES, proxy.url) | {"METASTUDIO_TOKEN": "TKMADEUP"}
    with serve(answer, host="::1") as server:
        done = run(*arguments, "--base-url", server.url, "--project-id", "p1", env=environment)
        assert done.code == 0, done.err
        assert server.received
    assert not proxy.received


@pytest.mark.parametrize(
    "arguments", [["curl", "https://service.invalid/"], ["jobs"], ["contract-test", "https://service.invalid"]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_command_with_a_malformed_variable(arguments: list[str]) -> None:
    environment = {"METASTUDIO_TOKEN": "T", "HTTP_PROXY": "http://user:pa55word@host:port"}
    more = ["--allow-host", "service.invalid"] if arguments[0] == "curl" else []
    done = run(*arguments, *more, "--project-id", "p", env=environment)
    assert done.code == 2
    assert done.err.startswith("Error: HTTP_PROXY is not a valid URL")
    assert "Traceback" not in done.err
    assert "pa55word" not in done.err


def test_contract_test(proxy: LoopbackServer) -> None:
    """Its own requests are sent by httpx, generated ones by requests."""
    with Sandbox() as sandbox:
        given: dict[str, Any] = {**credentials_of(sandbox), "only": ["shapes"], "max_time": 1}
        report = prove(sandbox.url, **given)
    assert report.requests
    assert [request.target for request in proxy.received] == []
