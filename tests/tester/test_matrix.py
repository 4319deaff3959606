"""The authentication matrix: it covers every security requirement and never locks the caller's key."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.sandbox import CONFORMING
from metastudio.sandbox.authentication import AccountRegistry
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.tester import Credentials, Verdict, prove
from metastudio.tester.matrix import is_vendor_host
from metastudio.tester.operation_under_test import operations_under_test
from metastudio.tester.reports import terminal
from rich.console import Console
from tester_runs import credentials_of, proven, serving
from variants import Variant


def test_every_security_requirement_is_tested() -> None:
    report = proven(Variant("conforming"), only=("auth",))
    ids = {each.property.id for each in report.results}
    assert {"none", "signature.wrong-secret", "signature.query-changed", "signature.foreign-path", "token.made-up",
            "token.expired", "signature.visitor", "token.right", "signature.right"} <= ids  # fmt: skip
    assert {each.verdict for each in report.results} == {Verdict.PASS}


def test_made_up_tokens_are_tested_without_a_token() -> None:
    with serving(Variant("conforming")) as sandbox:
        known: dict[str, Any] = {
            **credentials_of(sandbox),
            "token": None,
            "other_keys": None,
            "other_token": None,
            "other_project_id": None,
        }
        report = prove(sandbox.url, only=("auth",), **known)
    assert report["auth/token.made-up"].verdict is Verdict.PASS
    assert report["auth/token.expired"].verdict is Verdict.PASS
    assert report["auth/signature.foreign-path"].verdict is Verdict.PASS
    assert report["auth/signature.foreign-project"].verdict is Verdict.PASS


def test_cases_that_would_send_the_right_request_are_left_out(tmp_path: Path) -> None:
    """In a contract without project there is no foreign path, and a server accepts the caller's own token."""
    written = Path(__file__).with_name("second.yaml").read_text("utf-8")
    written = re.sub(r"^ +(- \{name: project_id|scope: ).*\n", "", written.replace("/{project_id}", ""), flags=re.M)
    spec = tmp_path / "no-project.yaml"
    spec.write_text(written)

    def answer(request: ReceivedRequest) -> CannedResponse:
        fine = request.header("x-auth-token") == "T0ken"
        body = b'{"data": {"found": [{"id": 1}], "paging": {"all": 1}}}' if fine else b"{}"
        return CannedResponse(200 if fine else 401, body, {"Content-Type": "application/json"})

    with serve(answer) as server:
        report = prove(server.url, spec=spec, project_id="p1", token="T0ken", only=("auth",))
        with_other = prove(
            server.url, spec=spec, project_id="p1", token="T0ken", other_project_id="p2", other_token="T0ken",
            only=("auth",),
        )  # fmt: skip
    for each in (report, with_other):
        assert each.exit_code == 0, each
        assert each["auth/token.made-up"].verdict is Verdict.PASS
        assert not [result for result in each.results if result.property.id in ("token.foreign-path", "token.visitor")]


def _fails(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    return replace(answer, status=500) if answer.status in (401, 403) else answer


@pytest.mark.parametrize("finish", [CONFORMING.finish, _fails], ids=["refuses", "answers refusals with 500"])
def test_callers_key_is_never_close_to_a_lockout(finish: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    record = AccountRegistry.record_signature

    def counting(registry: AccountRegistry, access_key: str, *, success: bool) -> None:
        record(registry, access_key, success=success)
        if access_key == own:
            failures.append(0 if success else (failures or [0])[-1] + 1)

    with serving(Variant("watched", replace(CONFORMING, finish=finish))) as sandbox:
        own = sandbox.access_key
        monkeypatch.setattr(AccountRegistry, "record_signature", counting)
        report = prove(sandbox.url, only=("auth",), **credentials_of(sandbox))
    assert max(failures) == 3
    assert failures.count(3) >= 3
    assert not report.having(Verdict.NOT_EXERCISED)
    assert bool(report.breaches) is (finish is _fails)


def test_valid_request_comes_first_and_the_matrix_last() -> None:
    order: list[str] = []

    def record(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        order.append("refused" if answer.status in (401, 403) else "accepted")
        return answer

    report = proven(
        Variant("recorded", replace(CONFORMING, finish=record)), only=("auth", "total", "status"), max_examples=1
    )
    assert report.exit_code == 0
    assert order[0] == "accepted"
    assert "refused" not in order[: -report.requests["auth"]]
    assert order.count("refused") > 20


def test_locked_key_ends_the_matrix() -> None:
    count = iter(range(1000))

    def locked(_attempt: object) -> None:
        if next(count) > 9:
            raise RefusedError("locked")

    variant = Variant("locks", CONFORMING.with_rule("key_is_not_locked", locked))
    report = proven(variant, only=("auth",))
    assert not report.breaches
    left = report.having(Verdict.NOT_EXERCISED)
    assert len(left) > 5
    assert "locked" in left[0].note


def test_vendor_hosts_are_recognised() -> None:
    [tested] = operations_under_test()
    assert is_vendor_host(tested, "metastudio.cn-north-4.myhuaweicloud.com")
    assert is_vendor_host(tested, "metastudio.some-new-region-9.myhuaweicloud.com")
    assert not is_vendor_host(tested, "127.0.0.1")
    assert not is_vendor_host(tested, "myhuaweicloud.com.example.com")


def test_no_forge_sends_no_forgeries() -> None:
    with serving(Variant("conforming")) as sandbox:
        report = prove(sandbox.url, only=("auth", "repeatable"), forge=False, **credentials_of(sandbox))
        assert report.requests.get("auth", 0) == 0
    assert len(report.having(Verdict.NOT_EXERCISED)) > 20
    assert report.exit_code == 0
    console = Console(record=True, width=80, file=io.StringIO())
    terminal(report, console=console)
    [line] = [each for each in console.export_text().splitlines() if each.startswith("- not exercised")]
    assert line.startswith("- not exercised (needs forged credentials (--forge)): auth/none, auth/token.right,")


def test_token_alone_is_sufficient() -> None:
    with serving(Variant("conforming")) as sandbox:
        report = prove(sandbox.url, project_id=sandbox.project_id, token=sandbox.token, only=("auth", "total"))
    assert report.exit_code == 0
    assert report["auth/signature.right"].note == "no key pair was given"


def test_invalid_key_pair_ends_the_run_at_once() -> None:
    with serving(Variant("conforming")) as sandbox:
        keys = Credentials(sandbox.access_key, "not-the-secret-key")
        report = prove(sandbox.url, project_id=sandbox.project_id, keys=keys)
    assert report.exit_code == 2
    assert report.requests == {"start": 1}
    assert "refuses the key pair" in (report.failure or "")


def test_wrong_local_clock_is_corrected() -> None:
    from metastudio.sandbox import SandboxSettings

    report = proven(Variant("ahead", settings=SandboxSettings(clock_offset=7200)), only=("repeatable", "auth"))
    assert report.exit_code == 0
    assert any("clock" in note for note in report.notes)
