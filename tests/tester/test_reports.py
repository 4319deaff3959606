"""Report formats: their content, and that they contain no credentials or personal data."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cli_runs import run
from metastudio.sandbox import CONFORMING, MAIN, OTHER
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Credentials, Report, Verdict, curl, prove
from metastudio.tester.caller import Caller
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
    assert '<property name="items in the list" value="101" />' in junit(broken)
    assert f"title='compared {total} times'" in html(broken)
    assert "<td>items in the list</td><td>101</td>" in html(broken)
    assert f"meaning/total  pass  {total} times" in _printed(broken)
    assert "exercised: 101 items in the list" in _printed(broken)


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
    assert "<script" not in html(hostile)


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_html_report_shows_every_breach(broken: Report, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(html(broken), encoding="utf-8")
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    shown = done.stdout
    assert f"{len(broken.breaches)} properties are broken" in shown
    for result in broken.breaches:
        assert result.property.sentence in shown
    assert shown.count("<details") == len(broken.results)
    assert shown.count('open=""') == len(broken.breaches)
    targets = re.findall(r'href="#([^"]+)"', shown)
    assert len(targets) == len(broken.breaches)
    assert all(f'id="{each}"' in shown for each in targets)


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
