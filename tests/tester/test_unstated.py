"""Parameters whose effect the contract leaves open (`op: unstated`): never blamed, and no fault hides behind them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from metastudio.sandbox import CONFORMING
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Report, Verdict
from metastudio.tester.verdicts import describe
from repository import ROOT
from tester_runs import proven
from variants import Variant

FOREIGN, ANY = "a foreign value", "any value"
ERROR = {"error_code": "MSS.00000003", "error_msg": "Invalid parameter"}


def refusing(status: int, refused: str, *names: str, failing: bool = False) -> Variant:
    """A server that refuses parameters. A failing one also answers 500 to an apostrophe in `name`."""

    def finish(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        given = parse_qs(request.query.decode(), keep_blank_values=True)
        own = request.path.split(b"/")[2].decode()
        wrong = any(refused == ANY or given[name] != [own] for name in names if name in given)
        if answer.status == 200 and wrong:
            return replace(answer, status=status, body=ERROR)
        if failing and "'" in given.get("name", [""])[0]:
            return replace(answer, status=500, body=ERROR)
        return answer

    return Variant(f"{status} to {refused} of {names}", replace(CONFORMING, finish=finish))


def blamed(report: Report) -> str:
    return "\n".join(describe(each) for each in report.breaches)


LAWFUL = [
    *(refusing(status, FOREIGN, "query_project_id") for status in (400, 401, 403, 404)),
    *(refusing(status, ANY, "query_project_id") for status in (400, 401, 403, 404)),
    refusing(400, ANY, "name"),
    refusing(403, ANY, "name", "query_project_id"),
]


@pytest.mark.parametrize(
    "server",
    [*LAWFUL[:1], *(pytest.param(each, marks=pytest.mark.slow) for each in LAWFUL[1:-1]), *LAWFUL[-1:]],
    ids=lambda each: each.name,
)
def test_refusing_an_unstated_parameter_is_lawful(server: Variant) -> None:
    report = proven(server, max_examples=20, only=("shapes", "filter.name", "filter.query*", "signature.any-query"))
    assert report.exit_code == 0, blamed(report)
    assert report["auth/signature.any-query"].verdict is Verdict.PASS
    assert report["meaning/filter.query_project_id"].verdict is Verdict.NOT_STATED


def test_failure_beside_a_refused_parameter_is_found() -> None:
    crowded: list[bytes] = []
    server = refusing(403, ANY, "query_project_id", failing=True)

    def finish(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        if b"query_project_id=" in request.query and b"&" in request.query:
            crowded.append(request.query)
        return server.overrides.finish(answer, request)

    report = proven(Variant("fails", replace(CONFORMING, finish=finish)), max_examples=20, only=("failure",))
    assert report.exit_code == 1
    assert any("name=a%27b" in command for command in report.commands)
    assert not crowded, "once refused, the parameter is sent alone only"


def test_special_characters_need_a_parameter_whose_effect_is_stated(tmp_path: Path) -> None:
    spec, written = tmp_path / "open.yaml", (ROOT / "openapi.yaml").read_text("utf-8")
    spec.write_text(re.sub(r"^( +(?:batch_name|tag|job_id): ).*op: eq.*$", r"\1{op: unstated}", written, flags=re.M))
    report = proven(refusing(403, ANY, "tag"), spec=spec, only=("signature.any-query", "signature.right"))
    assert report["auth/signature.any-query"].verdict is Verdict.NOT_EXERCISED
    assert report["auth/signature.right"].verdict is Verdict.PASS
