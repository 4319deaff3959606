"""The contract tester under a hostile server: the run always ends with a report, never with an exception."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runs import run
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.tester import ContractLocation, Credentials, Property, PropertyResult, Report, Suite, Verdict, prove
from metastudio.tester.relations import judge
from metastudio.tester.relations.judge import Relation

CALLER: dict[str, Any] = {"project_id": "p1", "keys": Credentials("AKAKAKAKAK", "SKSKSKSKSK"), "forge": False}
KEYS = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK", "HUAWEICLOUD_SDK_PROJECT_ID": "p1"}
HEADERS = {"Content-Type": "application/json", "X-Request-Id": "r"}
DEEP = b"[" * 100_000 + b"]" * 100_000


def job(**fields: Any) -> dict[str, Any]:
    plain = {"name": "n", "state": "TRAINING", "project_id": "p1", "create_time": "2024-01-01T00:00:00Z"}
    return {"job_id": "1", **plain, **fields}


def listing(*jobs: dict[str, Any]) -> Callable[[ReceivedRequest], CannedResponse]:
    """A server that always returns these items."""
    body = json.dumps({"count": len(jobs), "jobs": jobs}).encode()
    return lambda _: CannedResponse(200, body, HEADERS)


def outcome(handler: Callable[[ReceivedRequest], CannedResponse], *only: str, **options: Any) -> Report:
    with serve(handler) as server:
        report = prove(server.url, only=only, **CALLER, **options)
    assert max((len(each) for each in texts(report.results)), default=0) < 100_000
    return report


def texts(results: tuple[PropertyResult, ...]) -> list[str]:
    evidence = [text for each in results for proof in each.evidence for text in (proof.expected, proof.seen)]
    return [*evidence, *(each.note for each in results)]


def test_deep_json_is_a_breach_and_no_exception() -> None:
    report = outcome(lambda _: CannedResponse(200, b'{"count":1,"jobs":' + DEEP + b"}", HEADERS), "meaning")
    assert report.exit_code == 1
    assert "not JSON" in report.breaches[0].evidence[0].seen
    refused = outcome(lambda _: CannedResponse(401, DEEP, HEADERS), "meaning")
    assert refused.exit_code == 2


def test_deep_identity_is_a_breach() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    report = outcome(listing(job(job_id=deep)), "meaning")
    assert report.exit_code == 1
    assert "identity" in report.breaches[0].evidence[0].seen


def test_a_lone_surrogate_is_not_sent() -> None:
    report = outcome(listing(job(job_id="\ud800", name="\udfff")), "filter.job_id", "filter.name", "identity")
    assert report.failure is None
    assert report["meaning/identity"].verdict is Verdict.PASS
    assert report["meaning/filter.job_id"].verdict is Verdict.NOT_EXERCISED
    for text in texts(report.results):
        text.encode()


@pytest.mark.parametrize("value", ["nan", "-inf", "1e400", "\u0663", "9" * 5000])
def test_odd_retry_after(value: str) -> None:
    """The run waits as after a 429 without Retry-After, or the maximum, but at most until its time limit."""
    odd = {**HEADERS, "Retry-After": value.encode().decode("latin-1")}
    report = outcome(lambda _: CannedResponse(429, b"{}", odd), "meaning", max_time=0.1)
    assert report.failure is None or "unexpected" not in report.failure


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60Z"])
def test_extreme_times(time: str) -> None:
    report = outcome(
        listing(job(create_time=time)), "order.create_time.ascending", "filter.create_since", "total", freeze=True
    )
    assert report["meaning/total"].verdict is not Verdict.NOT_EXERCISED
    assert report.failure is None


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 -2359", "Fri, 31 Dec 2024 23:59:59 +9999999999999999999", "x"]
)
def test_extreme_date_header(date: str) -> None:
    report = outcome(lambda _: CannedResponse(401, b"{}", {**HEADERS, "Date": date}), "meaning")
    assert report.failure is not None
    assert "refuses the key pair" in report.failure


def test_identities_of_a_megabyte() -> None:
    report = outcome(listing(job(job_id="x" * 1_000_000)), "filter.job_id", "total", "identity")
    assert report.failure is None
    assert report["meaning/identity"].verdict is Verdict.PASS


@pytest.mark.parametrize("value", [{"a": [1]}, [["a"]], 1e308, True], ids=["object", "list", "number", "boolean"])
def test_values_of_another_type(value: object) -> None:
    odd = dict.fromkeys(("state", "create_time", "name", "tags", "project_id"), value)
    selection = ("order.create_time.ascending", "filter.create_since", "filter.state*", "filter.name", "scope.*")
    report = outcome(listing(job(), job(job_id="2", **odd), job(job_id="3", state="JOB_FINISH")), *selection)
    assert report.failure is None
    assert len(report.having(Verdict.NOT_EXERCISED)) < len(selection)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(bytes(40_000_000), 1)),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(1_000_000)))),
        ("br", b"\x0b\x02\x80hello\x03"),
    ],
    ids=["large", "twice", "unknown"],  # a gzip body holds the time, and every worker must collect the same tests
)
def test_compression_bombs_are_not_unpacked(encoding: str, body: bytes) -> None:
    with serve(lambda _: CannedResponse(200, body, {**HEADERS, "Content-Encoding": encoding})) as server:
        report = prove(server.url, only=("meaning",), **CALLER)
    assert report.exit_code == 2
    assert report.failure is not None
    assert "MB" in report.failure or "Content-Encoding" in report.failure


def test_a_judgement_that_raises_is_undecided_with_the_reason() -> None:
    def verify(*_: object) -> None:
        raise OverflowError("date value out of range")

    property_ = Property("o", Suite.MEANING, "p", "s", ContractLocation("f", 1, "/"))

    class NoPages:
        pages: tuple[()] = ()

    result = judge(Relation(property_, verify), NoPages(), None)  # type: ignore[arg-type]
    assert result.verdict is Verdict.UNDECIDED
    assert "OverflowError" in result.note
    assert "date value out of range" in result.note


FILES = ("--json", "r.json", "--html", "r.html", "--junit", "r.xml")


def test_reports_are_written_whatever_the_server_sends(tmp_path: Path) -> None:
    item = job(job_id="\ud800\x1b[5m")
    with serve(listing(item, item)) as server:
        done = run("contract-test", server.url, "--only", "identity", *FILES, env=KEYS, cwd=tmp_path)
    assert done.code == 1
    assert "Traceback" not in done.err + done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.xml"]
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["exit_code"] == 1


def test_an_unexpected_error_is_exit_code_2_with_a_report(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from metastudio.tester.operation_run import OperationRun\n"
        "def broken(*_, **__): raise ZeroDivisionError('of the tester')\n"
        "OperationRun.whole_list = broken\n"
        "from metastudio.cli import main\n"
        "sys.exit(main())\n"
    )
    with serve(listing(job())) as server:
        done = run(
            "contract-test", server.url, "--only", "identity", *FILES,
            env=KEYS, cwd=tmp_path, command=(sys.executable, "-c", program),
        )  # fmt: skip
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "unexpected ZeroDivisionError: of the tester" in done.out
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["failure"].startswith("unexpected ZeroDivisionError")
    assert {each["verdict"] for each in report["results"]} == {"pass", "not exercised"}
