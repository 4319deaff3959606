"""The report as JUnit XML: a test suite per suite, a test case per property. Only a breach is a failure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from metastudio.tester.verdicts import NOTHING_SEEN, PropertyResult, Report, Suite, Verdict, describe

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """Return the report as JUnit XML."""
    root = ET.Element("testsuites", name="contract", time=f"{report.seconds:.2f}")
    for suite in Suite:
        results = [each for each in report.results if each.property.suite is suite]
        if results:
            _suite(root, str(suite), results, report)
    if report.failure is not None or report.nothing_seen:
        element = ET.SubElement(root, "testsuite", name="run", tests="1", failures="0", errors="1")
        case = ET.SubElement(element, "testcase", classname="run", name="possible")
        ET.SubElement(case, "error", message=_clean(report.failure or NOTHING_SEEN))
    _count(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, results: list[PropertyResult], report: Report) -> None:
    when = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    element = ET.SubElement(root, "testsuite", name=name, timestamp=when, hostname=_clean(report.target))
    properties = ET.SubElement(element, "properties")
    for what, count in {"requests": report.requests.get(name, 0), **report.exercised}.items():
        ET.SubElement(properties, "property", name=_clean(what), value=str(count))
    for result in results:
        location = result.property.location
        case = ET.SubElement(
            element, "testcase", classname=f"{result.property.operation}.{name}", name=result.property.id,
            file=location.file, line=str(location.line), assertions=str(result.exercised),
        )  # fmt: skip
        if result.verdict is Verdict.BREACH:
            seen = result.evidence[0].seen if result.evidence else ""
            failure = ET.SubElement(
                case, "failure", type="breach", message=_clean(f"{result.property.sentence} {seen}")
            )
            failure.text = _clean(describe(result))
        elif result.verdict is not Verdict.PASS:
            ET.SubElement(case, "skipped", message=_clean(f"{result.verdict}: {result.note}".rstrip(": ")))


def _count(root: ET.Element) -> None:
    for each in [*root.findall("testsuite"), root]:
        for name, path in (
            ("tests", ".//testcase"),
            ("failures", ".//failure"),
            ("errors", ".//error"),
            ("skipped", ".//skipped"),
        ):
            each.set(name, str(len(each.findall(path))))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
