"""Report formats: their content, and that they contain no credentials or personal data."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cli_runs import run
from list_app import ListApp, Query, outcome, things
from loopback import CannedResponse, serve
from metastudio.sandbox import CONFORMING, MAIN, OTHER
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Credentials, Evidence, PropertyResult, Report, Verdict, curl, prove
from metastudio.tester.caller import Caller
from metastudio.tester.causes import causes
from metastudio.tester.curl import variables
from metastudio.tester.reports import as_json, html, junit, terminal
from rich.console import Console
from tester_runs import credentials_of, serving
from variants import Variant, faulty_servers

CONTACT, COVER, SIGNED = "someone@example.com", "https://files.example.com/c?sign=abcdef", "a" * 64


def _echo(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
    """Put personal data into each item, and the caller's credentials into errors."""
    if answer.status == 200:
        jobs = [
            {**job, "contact": CONTACT, "cover_download_url": COVER, "state": f"{job['state'].lower()} {CONTACT}"}
            for job in answer.body["jobs"]
        ]
        return replace(
            answer,
            body={**answer.body, "jobs": jobs},
            headers={**answer.headers, "X-Request-Id": MAIN.keys.secret_key},
        )
    said = " ".join(value.decode() for _, value in request.headers)
    return replace(
        answer,
        status=409,
        body={"error_code": said, "error_msg": f"Traceback (most recent call last): {said} {SIGNED}"},
    )


@pytest.fixture(scope="module")
def leaking() -> Report:
    """The report on a server that echoes credentials and personal data."""
    with serving(Variant("leaking", replace(CONFORMING, finish=_echo))) as sandbox:
        only = ("auth", "shapes", "filter.state*", "header.*")
        return prove(sandbox.url, only=only, max_examples=2, **credentials_of(sandbox))


def _printed(report: Report) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    terminal(report, verbose=True, console=console)
    return console.export_text()


@pytest.mark.parametrize("write", [as_json, html, junit, _printed], ids=["json", "html", "junit", "terminal"])
def test_reports_contain_no_credentials_or_personal_data(leaking: Report, write: object) -> None:
    assert leaking.breaches
    text = write(leaking)  # type: ignore[operator]
    secrets = [
        MAIN.keys.access_key,
        MAIN.keys.secret_key,
        MAIN.token,
        OTHER.keys.access_key,
        OTHER.keys.secret_key,
        OTHER.token,
    ]
    for secret in [*secrets, CONTACT, COVER, "sign=abcdef", SIGNED]:
        assert secret not in text
    assert not re.search(r"Signature=[0-9a-f]{8}", text)


@pytest.fixture(scope="module")
def broken() -> Report:
    variant = next(each for each in faulty_servers() if each.name == "create_since: bound is exclusive")
    with serving(variant) as sandbox:
        return prove(sandbox.url, only=("meaning", "auth"), skip=("filter.tag*",), **credentials_of(sandbox))


def test_breach_names_contract_line_evidence_and_command(broken: Report) -> None:
    result = broken["meaning/filter.create_since"]
    assert result.verdict is Verdict.BREACH
    assert "create_since returns exactly the items whose /create_time is at least" in result.property.sentence
    text = (Path(__file__).parents[2] / "openapi.yaml").read_text().splitlines()
    assert "create_since" in text[result.property.location.line - 1]
    [evidence, *_] = result.evidence
    assert "items that match create_since=" in evidence.expected
    assert "is missing" in evidence.seen
    assert "curl" in evidence.commands[0]


def test_junit_counts(broken: Report) -> None:
    root = ET.fromstring(junit(broken))
    assert int(root.get("failures", "")) == len(broken.breaches) == len(root.findall(".//failure"))
    assert int(root.get("tests", "")) == len(broken.results)
    skipped = len(broken.results) - len(broken.breaches) - len(broken.having(Verdict.PASS))
    assert int(root.get("skipped", "")) == skipped
    failure = root.find(".//failure")
    assert failure is not None
    assert "curl" in (failure.text or "")


def test_every_report_contains_exercised_counts(broken: Report) -> None:
    total = broken["meaning/total"].exercised
    assert total > 5
    [case] = [each for each in ET.fromstring(junit(broken)).iter("testcase") if each.get("name") == "total"]
    assert case.get("assertions") == str(total)
    assert '<property name="items in the list" value="101"/>' in junit(broken).replace('" />', '"/>')
    assert f'<span class="looks">{total} looks</span>' in html(broken)
    assert "<td>items in the list</td><td>101</td>" in html(broken)
    assert f"meaning/total  pass  {total} looks" in _printed(broken)
    assert "exercised: 101 items in the list" in _printed(broken)


def test_breaches_of_one_cause_are_grouped_and_counted(broken: Report) -> None:
    [group] = json.loads(as_json(broken))["causes"]
    assert group[0] == "list_training_jobs/meaning/filter.create_since"
    assert {each.rpartition("/")[2] for each in group} >= {"filter.create_since.zones", "filters.together"}
    result = broken["meaning/filter.create_since"]
    assert 0 < result.broken < result.exercised
    printed = _printed(broken)
    assert f"{len(group)} breaches that probably have one cause, the likeliest first:" in printed
    assert f"broken in {result.broken} of {result.exercised} looks" in printed
    assert f"{len(group)} breaches that probably have one cause" in html(broken)
    assert f"broken in {result.broken} of {result.exercised} looks" in html(broken)


def _unrelated(breach: PropertyResult, seen: str) -> PropertyResult:
    evidence = (Evidence("something else", seen, ("curl -sS -i http://h/p",)),)
    return replace(breach, property=replace(breach.property, id=seen), evidence=evidence)


def test_unrelated_breaches_are_not_grouped(broken: Report) -> None:
    breach = broken["meaning/filter.create_since"]
    groups = causes([breach, _unrelated(breach, "one"), _unrelated(breach, "other")])
    assert [len(group) for group in groups] == [1, 1, 1]


def test_comparison_names_both_requests(broken: Report) -> None:
    [filtered, whole] = broken["meaning/filter.create_since"].evidence[0].commands
    assert "create_since=" in filtered
    assert "create_since=" not in whole


def test_closing_line_says_the_verdict(broken: Report) -> None:
    last = _printed(broken).rstrip().splitlines()[-1]
    assert re.fullmatch(r"breach: the server breaks \d+ of \d+ tested properties", last)
    fine = replace(broken, results=broken.having(Verdict.PASS))
    assert _printed(fine).rstrip().splitlines()[-1].startswith("no breach: ")
    impossible = replace(broken, results=(), failure="connection failed")
    assert _printed(impossible).rstrip().endswith("could not run: connection failed")


def test_not_exercised_properties_have_a_reason() -> None:
    report = outcome(ListApp(things(1)))
    left = report.having(Verdict.NOT_EXERCISED)
    assert len(left) > 10
    assert not [each for each in left if not each.note]


def test_commands_of_a_run_in_process_can_be_run_against_a_url() -> None:
    class Wrong(ListApp):
        def respond(self, query: Query) -> Any:
            return {**super().respond(query), "total": 3}

    app = Wrong(things(9))
    report = outcome(app, "total")
    command = report["meaning/total"].evidence[0].commands[0]
    assert command.startswith('curl -sS -i "$METASTUDIO_BASE_URL"')
    assert "METASTUDIO_BASE_URL" in variables(report.commands)
    with serve(lambda request: CannedResponse(200, request.target.encode())) as server:
        answer = _shell(command, {"METASTUDIO_BASE_URL": server.url})
    assert answer.endswith("/v1/p1/things")


def test_a_run_leaves_nothing_in_the_working_folder(tmp_path: Path) -> None:
    with serving(Variant("conforming")) as sandbox:
        done = subprocess.run(
            [sys.executable, "-m", "metastudio.tester", sandbox.url, "--only", "shapes", "--max-examples", "1"],
            env={**os.environ, **sandbox.environment}, cwd=tmp_path, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())


def test_impossible_run_is_a_junit_error() -> None:
    report = prove("http://127.0.0.1:1", project_id="p")
    root = ET.fromstring(junit(report))
    assert root.get("errors") == "1"


def test_json_report(broken: Report) -> None:
    data = json.loads(as_json(broken))
    assert data["exit_code"] == 1
    assert data["verdicts"]["breach"] == len(broken.breaches)
    assert sum(data["verdicts"].values()) == len(data["results"])
    assert data["exercised"]["items in the list"] == 101


def test_html_report_escapes_server_text(broken: Report) -> None:
    hostile = replace(broken, target="<script>alert(1)</script>", notes=("</ul><script>",))
    assert html(hostile).count("<script") == html(broken).count("<script") == 1


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_html_report_shows_every_breach(broken: Report, tmp_path: Path) -> None:
    """The page is short, shows only the likeliest cause in full, and has a filter."""
    script = """<script>
        const shown = () => results.filter(each => each.checkVisibility()).map(each => each.id);
        const found = {height: document.body.scrollHeight, first: shown()};
        search.value = "ZONES"; filter(); found.zones = shown(); search.value = "";
        boxes.forEach(box => box.checked = box.value == "not stated"); filter();
        found.stated = results.filter(each => !each.hidden).length;
        document.title = JSON.stringify(found);</script>"""
    page = tmp_path / "report.html"
    page.write_text(html(broken).replace("</body>", f"{script}</body>"), encoding="utf-8")
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    shown = done.stdout
    assert "breach: the server breaks 3 of" in shown
    for result in broken.breaches:
        assert result.property.sentence in shown
    assert shown.count('class="result"') == len(broken.results)
    assert shown.count("<button") == len(broken.commands)
    found = json.loads(re.search("<title>(.*)</title>", shown)[1])  # type: ignore[index]
    assert found["height"] < 2500
    assert set(found["first"]) == {each.property.key for each in broken.breaches}
    assert "list_training_jobs/meaning/filter.create_since.zones" in found["zones"]
    assert "list_training_jobs/meaning/filter.create_since" not in found["zones"]
    assert found["stated"] == len(broken.having(Verdict.NOT_STATED))


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_commands_of_a_report_reproduce_the_breach() -> None:
    """The server accepts every signature and token, and fails on quotes."""
    [failing] = [
        each.overrides for each in faulty_servers() if each.name == "hand-written: a quote causes a server error"
    ]
    overrides = failing.without("date_is_within_tolerance").without("signature_matches")
    overrides = overrides.without("project_belongs_to_caller").without("token_is_known")
    with serving(Variant("open", overrides)) as sandbox:
        report = prove(sandbox.url, only=("auth", "total"), **credentials_of(sandbox))
        assert {"signature.date-early", "signature.foreign-project", "signature.visitor-project", "signature.any-query",
                "token.visitor", "token.made-up", "token.changed"} <= {
                    each.property.id for each in report.breaches}  # fmt: skip
        other = sandbox.other
        environment = {
            **sandbox.environment,
            "METASTUDIO_OTHER_TOKEN": other.token, "METASTUDIO_OTHER_PROJECT_ID": other.project_id,
            "METASTUDIO_OTHER_AK": other.keys.access_key, "METASTUDIO_OTHER_SK": other.keys.secret_key,
        }  # fmt: skip
        for breach in report.breaches:
            for evidence in breach.evidence[:1]:
                [command] = evidence.commands
                first = _shell(command, environment).partition("\n")[0]
                seen = re.search(r"status (\d+)", evidence.seen)
                assert seen is None or seen[1] in first, f"{command}\n{evidence.seen}\n{first}"
    assert "HUAWEICLOUD_SDK_AK" in variables(report.commands)
    assert "METASTUDIO_OTHER_SK" in variables(report.commands)
    assert "METASTUDIO_OTHER_TOKEN" in variables(report.commands)


@pytest.mark.parametrize(
    ("caller", "headers", "command"),
    [
        (Caller("p", token="t"), [], 'curl -sS -i http://h/p -H "X-Auth-Token: $METASTUDIO_TOKEN"'),
        (Caller("p"), [("X-Auth-Token", "")], "curl -sS -i http://h/p -H 'X-Auth-Token;'"),
        (Caller("p", token="t", shown_token="a\\$b"), [], 'curl -sS -i http://h/p -H "X-Auth-Token: a\\$b"'),
        (
            Caller("p", Credentials("AAAA", "SSSS")).with_project_header("q"), [],
            "python -m metastudio.tester.sign --project q http://h/p | curl -sS -i -K -",
        ),
        (Caller("p"), [("X-Name", "it's")], """curl -sS -i http://h/p -H 'X-Name: it'"'"'s'"""),
    ],
)  # fmt: skip
def test_command_contains_variables_for_credentials(
    caller: Caller, headers: list[tuple[str, str]], command: str
) -> None:
    assert curl.command("GET", "http://h/p", caller, headers=headers) == command


def test_command_contains_the_body_that_is_signed_and_sent() -> None:
    caller, headers = Caller("p", Credentials("AAAA", "SSSS")), [("Content-Type", "application/json")]
    command = curl.command("POST", "http://h/p", caller, headers=headers, body=b'{"a": "it\'s"}')
    signer, _, sender = command.partition(" | ")
    data = '{"a": "it\'s"}'
    assert shlex.split(signer)[3:] == ["--method", "POST", "--body", data, "http://h/p"]
    header = ["-H", "Content-Type: application/json"]
    assert shlex.split(sender)[2:] == ["-i", "-X", "POST", "--data-binary", data, *header, "-K", "-"]


def test_command_with_a_token() -> None:
    variant = next(each for each in faulty_servers() if each.name == "total: one too high")
    with serving(variant) as sandbox:
        report = prove(sandbox.url, only=("total",), project_id=sandbox.project_id, token=sandbox.token)
        command = report["meaning/total"].evidence[0].commands[0]
        assert '-H "X-Auth-Token: $METASTUDIO_TOKEN"' in command
        answer = _shell(command, sandbox.environment) if shutil.which("curl") else "200 OK"
    assert "200 OK" in answer


def _shell(command: str, environment: dict[str, str]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env={**os.environ, **environment, "PATH": path},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_report_files_and_exit_code(tmp_path: Path) -> None:
    variant = next(each for each in faulty_servers() if each.name == "total: one too high")
    files = {name: tmp_path / f"report.{name}" for name in ("junit", "html", "json")}
    options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    with serving(variant) as sandbox:
        names = ("--only", "total", "--only", "page.end")
        done = run("contract-test", sandbox.url, *names, *options, env=sandbox.environment)
    assert done.code == 1, done.err
    assert "meaning/total  breach" in done.out
    assert all(file.stat().st_size > 500 for file in files.values())


def test_missing_project_id_is_named() -> None:
    done = run("contract-test", "http://127.0.0.1:1", env={})
    assert done.code == 2
    assert "--project-id" in done.err


def test_unwritable_report_exits_with_2(tmp_path: Path) -> None:
    with serving(Variant("conforming")) as sandbox:
        for file, sent in ((tmp_path / "none" / "report.html", False), (Path("/proc/report.html"), True)):
            done = run("contract-test", sandbox.url, "--only", "total", "--html", file, env=sandbox.environment)
            assert done.code == 2
            assert f"Error: cannot write {file}" in done.err
            assert ("requests" in done.out) is sent
