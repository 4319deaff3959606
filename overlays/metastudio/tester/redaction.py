"""The last net before a report: no credential and nothing personal leaves a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from metastudio import redaction
from metastudio.tester.verdicts import Evidence, Report, Result

_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]+")


class Redactor:
    """Blots out known secrets everywhere, and in what a server said also what looks like one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = sorted({each for each in secrets if each}, key=len, reverse=True)

    def report(self, report: Report) -> Report:
        """Return the report without secrets."""
        return replace(
            report,
            target=self.text(report.target),
            notes=tuple(self.said(each) for each in report.notes),
            failure=self.text(report.failure) if report.failure else None,
            results=tuple(self._result(each) for each in report.results),
        )

    def text(self, text: str) -> str:
        """Blot out the secrets of this run, and signatures."""
        for secret in self._secrets:
            text = text.replace(secret, redaction.MASK)
        return _SIGNATURE.sub(rf"\1{redaction.MASK}", text)

    def said(self, text: str) -> str:
        """Blot out whatever looks sensitive as well: what a server says may hold anything."""
        return redaction.mask(self.text(text))

    def _result(self, result: Result) -> Result:
        return replace(
            result,
            note=self.said(result.note),
            observations=tuple(self.said(each) for each in result.observations),
            evidence=tuple(
                Evidence(self.said(e.expected), self.said(e.seen), tuple(self.text(c) for c in e.commands))
                for e in result.evidence
            ),
        )
