"""The report as a file: JSON, JUnit XML or one self-contained HTML page."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import junitparser
from jinja2 import Environment, PackageLoader, StrictUndefined

from metastudio.tester import curl
from metastudio.tester.causes import causes
from metastudio.tester.verdicts import PropertyResult, Report, Suite, Verdict, describe

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ABOUT = {
    Suite.MEANING: "list semantics, as relations between responses",
    Suite.SHAPES: "statuses, headers and bodies, and which requests are accepted",
    Suite.AUTH: "which credentials are accepted and which are refused",
}
_TONES = {0: Verdict.PASS, 1: Verdict.BREACH, 2: Verdict.BREACH, 3: Verdict.UNDECIDED}


def as_json(report: Report) -> str:
    """Return the report as JSON. Its keys are a public interface: keys may be added, but not changed."""
    data = {
        "target": report.target,
        "contract": report.contract,
        "started": datetime.fromtimestamp(report.started, UTC).isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 2),
        "exit_code": report.exit_code,
        "summary": report.summary,
        "failure": report.failure,
        "nothing_seen": report.nothing_seen,
        "notes": report.notes,
        "requests": report.requests,
        "exercised": report.exercised,
        "verdicts": {verdict: len(report.having(verdict)) for verdict in Verdict},
        "causes": [[each.property.key for each in group] for group in causes(report.breaches)],
        "results": [_result(each) for each in report.results],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _result(result: PropertyResult) -> dict[str, Any]:
    property_, contract = asdict(result.property), asdict(result.property.location)
    return {
        **{name: property_[name] for name in ("operation", "suite", "id", "sentence")},
        "contract": contract,
        "verdict": result.verdict,
        "exercised": result.exercised,
        "broken": result.broken,
        "note": result.note,
        "observations": result.observations,
        "evidence": [asdict(each) for each in result.evidence],
    }


class _PropertyCase(junitparser.TestCase):
    file = junitparser.Attr()
    line = junitparser.IntAttr()
    assertions = junitparser.IntAttr()


def junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite per suite, a case per property. Only a breach is a failure."""
    root = junitparser.JUnitXml("contract")
    for suite in Suite:
        if results := [each for each in report.results if each.property.suite is suite]:
            element = junitparser.TestSuite(str(suite))
            element.timestamp = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            element.hostname = _clean(report.target)
            for what, count in {"requests": report.requests.get(str(suite), 0), **report.exercised}.items():
                element.add_property(_clean(what), str(count))
            element.add_testcases([_case(each) for each in results])
            root.append(element)
    if report.failure is not None or report.nothing_seen:
        case = junitparser.TestCase("possible", "run")
        case.result = [junitparser.Error(_clean(report.summary))]
        run = junitparser.TestSuite("run")
        run.add_testcase(case)
        root.append(run)
    root.update_statistics()
    root.time = round(report.seconds, 2)
    return str(root.tostring().decode())


def _case(result: PropertyResult) -> junitparser.TestCase:
    property_ = result.property
    case = _PropertyCase(property_.id, f"{property_.operation}.{property_.suite}")
    case.file, case.line, case.assertions = property_.location.file, property_.location.line, result.exercised
    if result.verdict is Verdict.BREACH:
        seen = f"{property_.sentence} {result.evidence[0].seen if result.evidence else ''}"
        failure = junitparser.Failure(_clean(seen), "breach")
        failure.text = _clean(describe(result))
        case.result = [failure]
    elif result.verdict is not Verdict.PASS:
        case.result = [junitparser.Skipped(_clean(f"{result.verdict}: {result.note}".rstrip(": ")))]
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def html(report: Report) -> str:
    """Return the report as HTML, made from `page.html.jinja`."""
    environment = Environment(
        loader=PackageLoader("metastudio.tester.reports", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    rest = [each for each in Verdict if each is not Verdict.BREACH]
    suites = [(s, about, [r for r in report.results if r.property.suite is s]) for s, about in _ABOUT.items()]
    return environment.get_template("page.html.jinja").render(
        report=report,
        tone=_TONES[report.exit_code],
        when=datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        verdicts=list(Verdict),
        causes=causes(report.breaches),
        suites=[each for each in suites if each[2]],
        rest=sorted(rest, key=lambda each: (each is Verdict.PASS, each is not Verdict.UNDECIDED)),
        variables=curl.variables(report.commands),
    )
