"""The report as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from metastudio.tester.causes import causes
from metastudio.tester.verdicts import PropertyResult, Report, Verdict


def as_json(report: Report) -> str:
    """Return the report as JSON. Its keys are a public interface: keys may be added, but not changed."""
    return json.dumps(data(report), indent=2, ensure_ascii=False) + "\n"


def data(report: Report) -> dict[str, Any]:
    """Return the report as JSON-serialisable data."""
    return {
        "target": report.target,
        "contract": report.contract,
        "started": datetime.fromtimestamp(report.started, UTC).isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 2),
        "exit_code": report.exit_code,
        "summary": report.summary,
        "failure": report.failure,
        "nothing_seen": report.nothing_seen,
        "notes": list(report.notes),
        "requests": {str(suite): count for suite, count in report.requests.items()},
        "exercised": dict(report.exercised),
        "verdicts": {str(verdict): len(report.having(verdict)) for verdict in Verdict},
        "causes": [[each.property.key for each in group] for group in causes(report.breaches)],
        "results": [_result(each) for each in report.results],
    }


def _result(result: PropertyResult) -> dict[str, Any]:
    property_, location = result.property, result.property.location
    return {
        "operation": property_.operation,
        "suite": str(property_.suite),
        "id": property_.id,
        "sentence": property_.sentence,
        "contract": {
            "file": location.file,
            "line": location.line,
            "pointer": location.pointer,
            "source": location.source,
        },
        "verdict": str(result.verdict),
        "exercised": result.exercised,
        "broken": result.broken,
        "note": result.note,
        "observations": list(result.observations),
        "evidence": [
            {"expected": each.expected, "seen": each.seen, "commands": list(each.commands)} for each in result.evidence
        ],
    }
