"""Removes credentials, personal data and control characters from a report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from metastudio import redaction
from metastudio.tester.verdicts import Evidence, PropertyResult, Report

_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]+")


class Redactor:
    """Masks the secrets of a run, and sensitive-looking text in server responses.

    Every text of a report passes here, so none can control a terminal or break an encoding.

    Args:
        secrets: texts to mask everywhere.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = sorted({each for each in secrets if each}, key=len, reverse=True)

    def report(self, report: Report) -> Report:
        """Return the report without secrets."""
        return replace(
            report,
            target=self.redact(report.target),
            notes=tuple(self.mask(each) for each in report.notes),
            failure=self.mask(report.failure) if report.failure else None,
            results=tuple(self._result(each) for each in report.results),
        )

    def redact(self, text: str) -> str:
        """Mask the secrets of this run and all signatures, and remove control characters."""
        for secret in self._secrets:
            text = text.replace(secret, redaction.MASK)
        return redaction.printable(_SIGNATURE.sub(rf"\1{redaction.MASK}", text))

    def mask(self, text: str) -> str:
        """Mask everything that looks sensitive as well. Use this for text from a server."""
        return redaction.printable(redaction.mask(self.redact(text)))

    def _result(self, result: PropertyResult) -> PropertyResult:
        return replace(
            result,
            note=self.mask(result.note),
            observations=tuple(self.mask(each) for each in result.observations),
            evidence=tuple(
                Evidence(self.mask(e.expected), self.mask(e.seen), tuple(self.redact(c) for c in e.commands))
                for e in result.evidence
            ),
        )
