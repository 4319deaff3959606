"""Runs from start to end: exit codes, runs that are not possible, selection, limits and methods sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.errors import ConfigurationError
from metastudio.sandbox import CONFORMING, MAIN, SandboxApp, SandboxSettings
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Credentials, RunOptions, Verdict, prove, run
from tester_runs import credentials_of, proven, serving
from variants import Variant

CALLER: dict[str, Any] = {"project_id": "p1", "keys": Credentials("AKAKAKAKAK", "SKSKSKSKSK")}
ITEM = {"job_id": "1", "name": "n", "state": "TRAINING", "project_id": "p1", "create_time": "2024-01-01T00:00:00Z"}


def test_conforming_server_passes() -> None:
    with serving(Variant("conforming")) as sandbox:
        report = prove(sandbox.url, max_examples=20, **credentials_of(sandbox))
    assert report.exit_code == 0
    assert {each.verdict for each in report.results} <= {Verdict.PASS, Verdict.NOT_STATED, Verdict.NOT_EXERCISED}
    assert {each.property.suite for each in report.results} == {"meaning", "shapes", "auth"}
    assert len(report.having(Verdict.PASS)) > 80
    assert report.exercised["generated successes with items"] > 30


def test_application_in_process() -> None:
    app = SandboxApp(SandboxSettings())
    main = MAIN
    keys = Credentials(main.keys.access_key, main.keys.secret_key)
    report = prove(app, project_id=main.project_id, keys=keys, only=("meaning", "auth"))
    app.close()
    assert report.exit_code == 0
    assert report["meaning/page.joined"].verdict is Verdict.PASS
    assert report["auth/signature.wrong-secret"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (CannedResponse(302, b"", {"Location": "https://example.com/"}), "status 302"),
        (CannedResponse(200, b"<html>log in</html>", {"Content-Type": "text/html"}), "not JSON"),
        (CannedResponse(201, json.dumps({"count": 0, "jobs": []}).encode()), "status 201"),
        (CannedResponse(200, b"[]"), "no array"),
        (CannedResponse(500, b"{}"), "status 500"),
    ],
)
def test_faulty_first_response_is_a_breach(answer: CannedResponse, seen: str) -> None:
    with serve(lambda _: answer) as server:
        report = prove(server.url, **CALLER)
        assert len(server.received) <= 2, "no further requests after a faulty first response"
    assert report.exit_code == 1
    [breach] = report.breaches
    assert seen in breach.evidence[0].seen


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            CannedResponse(401, b'{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail"}'),
            "refuses the key pair",
        ),
        (CannedResponse(403, b"{}"), "refuses the key pair"),
        (
            CannedResponse(400, b'{"error_code":"MSS.00010008","error_msg":"Invalid token in the header."}'),
            "refuses the key pair",
        ),
        (CannedResponse(404, b"{}"), "not found"),
        (CannedResponse(503, b"{}"), "gateway gets no response"),
    ],
)
def test_impossible_run_ends_after_two_requests(answer: CannedResponse, said: str) -> None:
    with serve(lambda _: answer) as server:
        report = prove(server.url, **CALLER)
        assert len(server.received) <= 2
    assert report.exit_code == 2
    assert said in (report.failure or "")
    assert "SKSKSKSKSK" not in (report.failure or "")


def test_connection_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    report = prove(f"http://127.0.0.1:{port}", **CALLER)
    assert report.exit_code == 2
    assert "connection failed" in (report.failure or "")


@contextmanager
def raw(handle: Callable[[socket.socket], None]) -> Generator[str, None, None]:
    """A server that handles each raw connection with `handle`."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                handle(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_not_http() -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example.com ESMTP\r\n")
        connection.recv(65536)

    with raw(greet) as address:
        report = prove(f"http://{address}", **CALLER)
    assert report.exit_code == 2
    assert "is not HTTP" in (report.failure or "")


def test_hanging_server() -> None:
    with raw(lambda connection: time.sleep(0.6)) as address:
        report = prove(f"http://{address}", timeout=0.2, **CALLER)
    assert report.exit_code == 2
    assert "no response within" in (report.failure or "")


def test_https_url_of_an_http_server() -> None:
    with serve(lambda _: CannedResponse()) as server:
        report = prove(server.url.replace("http:", "https:"), **CALLER)
    assert report.exit_code == 2
    assert "TLS" in (report.failure or "")


def test_untrusted_certificate(tmp_path: Path) -> None:
    import ssl

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def shake(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
        except OSError:
            pass

    with raw(shake) as address:
        report = prove(f"https://{address}", **CALLER)
    assert report.exit_code == 2
    assert "certificate" in (report.failure or "")


def test_empty_list_exits_with_3() -> None:
    report = proven(Variant("empty", settings=SandboxSettings(jobs=0)), only=("meaning",))
    assert report.nothing_seen
    assert report.exit_code == 3
    assert report["meaning/page.joined"].verdict is Verdict.NOT_EXERCISED


@pytest.mark.parametrize("writes", [False, True])
def test_methods_that_may_change_data_are_sent_only_with_writes(writes: bool) -> None:
    methods: Counter[str] = Counter()

    def counting(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        methods[request.method] += 1
        return answer

    counted = Variant("counted", replace(CONFORMING, finish=counting))
    report = proven(counted, only=("shapes", "auth", "total"), max_examples=5, writes=writes)
    assert report.exit_code == 0, "responses to other methods are not part of the operation"
    assert methods["GET"] > 300
    assert methods.keys() - {"GET", "HEAD", "OPTIONS"} == (
        {"TRACE"} if writes else set()  # the others could change or delete data, if the server has them
    )
    said = report["shapes/input"].observations
    assert any("TRACE: status 405" in each for each in said) is writes


def test_only_and_skip() -> None:
    with serving(Variant("conforming")) as sandbox:
        known = credentials_of(sandbox)
        some = prove(sandbox.url, only=("filter.*",), skip=("*.exact",), **known)
    ids = {each.property.id for each in some.results} - {"start"}
    assert "filter.state" in ids
    assert not [each for each in ids if not each.startswith("filter.") or each.endswith(".exact")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ("filter.stat",)}, "--only filter.stat .* did you mean filter.state"),
        ({"skip": ("no-such-thing-at-all",)}, "--skip no-such-thing-at-all .* suites are meaning, shapes, auth"),
        ({"only": ("meaning",), "skip": ("*",)}, "select no property"),
        ({"only": ("auth/token.right", "nothing*")}, "--only nothing"),
    ],
)
def test_unknown_name_is_an_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        prove("http://127.0.0.1:9", **CALLER, **options)


@pytest.mark.parametrize("name", ["start", "list", "auth/token.right", "signature.visitor", "*/total", "m*g"])
def test_names_are_known_without_credentials(name: str) -> None:
    assert prove("http://127.0.0.1:1", only=(name,), **CALLER).exit_code == 2


def test_requests_do_not_depend_on_the_process() -> None:
    sent: list[tuple[bytes, bytes]] = []

    def record(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        sent.append((request.path, request.query))
        return answer

    runs: list[list[tuple[bytes, bytes]]] = []
    with serving(Variant("recorded", replace(CONFORMING, finish=record))) as sandbox:
        for seed in ("1", "2"):
            environment = {**os.environ, **sandbox.environment, "PYTHONHASHSEED": seed}
            command = [sys.executable, "-m", "metastudio.tester", sandbox.url, "--only", "filter.tag*"]
            subprocess.run([*command, "--only", "filters.*"], env=environment, check=True, capture_output=True)
            runs.append(sent.copy())
            sent.clear()
    assert len(runs[0]) > 50
    assert runs[0] == runs[1]


def test_max_time() -> None:
    slow = Variant("slow", settings=SandboxSettings(latency=0.02))
    report = proven(slow, only=("meaning",), max_time=1.5)
    assert report.seconds < 5
    assert "the time limit was reached" in report.having(Verdict.NOT_EXERCISED)[-1].note
    assert report.exit_code == 0


def test_rate_limit() -> None:
    started = time.monotonic()
    report = proven(Variant("conforming"), only=("repeatable",), rate_limit=20)
    sent = sum(report.requests.values())
    assert sent > 10
    assert time.monotonic() - started > (sent - 1) / 20


def test_429_is_retried() -> None:
    busy: list[int] = []

    def answer(request: ReceivedRequest) -> CannedResponse:
        busy.append(1)
        if len(busy) % 3 == 0:
            return CannedResponse(429, b"{}", {"Retry-After": "0"})
        body = {"count": 1, "jobs": [ITEM]}
        return CannedResponse(200, json.dumps(body).encode(), {"X-Request-Id": str(len(busy))})

    with serve(answer) as server:
        report = prove(server.url, only=("page.joined", "repeatable"), **CALLER)
    assert report.failure is None
    assert report["meaning/repeatable"].verdict is Verdict.PASS


def test_contract_without_x_list(tmp_path: Path) -> None:
    import yaml

    with serving(Variant("conforming")) as sandbox:
        from metastudio.tester.operation_under_test import operations_under_test

        data = operations_under_test()[0].document.data
        [path] = data["paths"].values()
        data = {
            **data,
            "paths": {next(iter(data["paths"])): {"get": {k: v for k, v in path["get"].items() if k != "x-list"}}},
        }
        spec = tmp_path / "plain.yaml"
        spec.write_text(yaml.safe_dump(data, sort_keys=False))
        report = prove(sandbox.url, spec=spec, max_examples=5, **credentials_of(sandbox))
    assert report.exit_code == 0
    assert {each.property.suite for each in report.results} == {"shapes", "auth"}
    assert any("no x-list" in note for note in report.notes)


@pytest.mark.parametrize(
    "invalid",
    [
        {"url": "metastudio.example.com"},
        {"url": "http://127.0.0.1/?a=b"},
        {"url": "http://metastudio.example.com"},
        {"url": "http://127.0.0.1", "rate_limit": 0},
        {"url": "http://127.0.0.1", "other_token": "t"},
        {},
    ],
)
def test_invalid_options(invalid: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        run(RunOptions(**{**CALLER, **invalid}))


@pytest.mark.parametrize(
    ("place", "only"),
    [("relations.pages.total", "total"), ("matrix.faults", "auth/none"), ("operation_run.ShapesSuite.run", "leak")],
)
def test_error_of_the_tester_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, place: str, only: str) -> None:
    """Even if there are breaches: those of a tester that fails are not reliable."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("sum of nothing")

    monkeypatch.setattr(f"metastudio.tester.{place}", fail)
    ignoring = replace(CONFORMING, condition=lambda *_: None)
    report = proven(Variant("ignores all filters", ignoring), only=("filter.tag", only))
    assert report.breaches
    assert report.exit_code == 2
    assert "unexpected ZeroDivisionError: sum of nothing" in (report.failure or "")
    with pytest.raises(AssertionError, match="a bug of the tester"):
        report.raise_for_breaches()


def test_missing_project_id() -> None:
    with pytest.raises(ConfigurationError, match="HUAWEICLOUD_SDK_PROJECT_ID"):
        run(RunOptions(url="http://127.0.0.1:9"))
