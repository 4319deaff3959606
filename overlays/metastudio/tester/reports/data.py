"""A report as JSON, for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from metastudio.tester.verdicts import Report, Result, Verdict


def as_json(report: Report) -> str:
    """Return the report as JSON. The form is part of the interface: names are added, never changed."""
    return json.dumps(data(report), indent=2, ensure_ascii=False) + "\n"


def data(report: Report) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        "target": report.target,
        "contract": report.contract,
        "started": datetime.fromtimestamp(report.started, UTC).isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 2),
        "exit_code": report.exit_code,
        "failure": report.failure,
        "nothing_seen": report.nothing_seen,
        "notes": list(report.notes),
        "requests": {str(suite): count for suite, count in report.requests.items()},
        "exercised": dict(report.exercised),
        "verdicts": {str(verdict): len(report.having(verdict)) for verdict in Verdict},
        "results": [_result(each) for each in report.results],
    }


def _result(result: Result) -> dict[str, Any]:
    property_, place = result.property, result.property.place
    return {
        "operation": property_.operation,
        "suite": str(property_.suite),
        "id": property_.id,
        "sentence": property_.sentence,
        "contract": {"file": place.file, "line": place.line, "pointer": place.pointer, "source": place.source},
        "verdict": str(result.verdict),
        "exercised": result.exercised,
        "note": result.note,
        "observations": list(result.observations),
        "evidence": [
            {"expected": each.expected, "seen": each.seen, "commands": list(each.commands)} for each in result.evidence
        ],
    }
