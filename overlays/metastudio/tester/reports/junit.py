"""The report as JUnit XML: a test suite per suite, a test case per property. Only a breach is a failure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import junitparser

from metastudio.tester.verdicts import PropertyResult, Report, Suite, Verdict, describe

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _PropertyCase(junitparser.TestCase):
    file = junitparser.Attr()
    line = junitparser.IntAttr()
    assertions = junitparser.IntAttr()


def junit(report: Report) -> str:
    """Return the report as JUnit XML."""
    root = junitparser.JUnitXml("contract")
    for suite in Suite:
        results = [each for each in report.results if each.property.suite is suite]
        if results:
            root.append(_suite(suite, results, report))
    if report.failure is not None or report.nothing_seen:
        case = junitparser.TestCase("possible", "run")
        case.result = [junitparser.Error(_clean(report.summary))]
        run = junitparser.TestSuite("run")
        run.add_testcase(case)
        root.append(run)
    root.update_statistics()
    root.time = round(report.seconds, 2)
    return str(root.tostring().decode())


def _suite(suite: Suite, results: list[PropertyResult], report: Report) -> junitparser.TestSuite:
    element = junitparser.TestSuite(str(suite))
    element.timestamp = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    element.hostname = _clean(report.target)
    for what, count in {"requests": report.requests.get(str(suite), 0), **report.exercised}.items():
        element.add_property(_clean(what), str(count))
    element.add_testcases([_case(each) for each in results])
    return element


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
