"""The authentication matrix: who must be let in, and who must not, for each way in that the contract declares.

More than five wrong signatures in a row lock a key for five minutes (facts, section 2.2). So never more than three go
out with the caller's key before a right one, and a right one that is refused ends the matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from metastudio.http.url import canonical_query
from metastudio.tester.access import Access, in_path
from metastudio.tester.cases import Case, Cases
from metastudio.tester.http_client import TIME_IS_UP, Answer, NoAnswerError, Probe, TimeIsUpError
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.shapes.responses import faults
from metastudio.tester.verdicts import Evidence, Property, Result, Suite, Verdict

REFUSED = (400, 401, 403, 404)
"""Statuses of a refusal: this service answers 400 to a bad token (facts, section 4.3)."""
MOST_IN_A_ROW = 3
_LOCKED = re.compile(r"reach the limit|locked|too many (failed|wrong)", re.IGNORECASE)


class KeyRefusedError(Exception):
    """A right signature was refused in the middle of the matrix."""


class Matrix:
    """The matrix for one operation. `path_for` gives its path for a project, `query` is a right one to send."""

    def __init__(
        self,
        subject: Subject,
        probe: Probe,
        path_for: Callable[[str], str],
        query: Sequence[tuple[str, str]],
        *,
        other: Access | None = None,
        expired_token: str | None = None,
    ) -> None:
        self.subject = subject
        self.probe = probe
        self.query = query
        self.cases = Cases(subject, probe.access, path_for, bool(query), other, expired_token)
        self._path_for = path_for
        self._in_a_row = 0

    def run(self) -> Iterator[Result]:
        """Yield the verdict on each case."""
        stopped = ""
        for case in self.cases:
            if stopped:
                yield Result(self._property(case), Verdict.NOT_EXERCISED, note=stopped)
                continue
            try:
                yield self._judge(case)
            except (KeyRefusedError, TimeIsUpError) as error:
                stopped = str(error) or TIME_IS_UP
                yield Result(self._property(case), Verdict.NOT_EXERCISED, note=stopped)

    def properties(self) -> Iterator[Property]:
        """Yield what would be looked at."""
        yield from (self._property(case) for case in self.cases)

    def _judge(self, case: Case) -> Result:
        property_ = self._property(case)
        try:
            answer = self._send(case)
        except NoAnswerError as error:
            evidence = Evidence("a refusal" if not case.let_in else "an answer", str(error), (error.command,))
            verdict = Verdict.UNDECIDED if error.slow else Verdict.BREACH
            return Result(property_, verdict, 1, evidence=(evidence,))
        refused = answer.status in REFUSED
        if refused and case.own_key and _LOCKED.search(answer.body.decode("utf-8", "replace")):
            raise KeyRefusedError("the server says that the key is locked: the matrix stops here")
        leaks = [fault for fault in faults(self.subject, answer) if fault.kind == "leak"]
        if answer.status == 429:
            return Result(property_, Verdict.UNDECIDED, 1, "too many requests")
        if answer.status in case.or_else and not leaks:
            return Result(property_, Verdict.PASS, 1)
        if refused is not case.let_in and not leaks and (refused or 200 <= answer.status < 300):
            return Result(property_, Verdict.PASS, 1)
        expected = "a success" if case.let_in else "a refusal: 400, 401, 403 or 404"
        seen = leaks[0].what if leaks else f"status {answer.status}"
        return Result(property_, Verdict.BREACH, 1, evidence=(Evidence(expected, seen, (answer.command,)),))

    def _send(self, case: Case) -> Answer:
        """Send the request of a case, once more after a server error or none; forged ones never too often in a row."""
        url, query = f"{self.probe.base_url}{case.path}", case.query or self.query
        tamper = case.tamper(case.access, _with(url, query)) if callable(case.tamper) else case.tamper

        def send(*, again: bool) -> Answer:
            return self.probe.send(
                case.path, query, access=case.access, tamper=tamper, case=case.forgery, headers=case.headers,
                again=again,
            )  # fmt: skip

        if not case.own_key:
            return send(again=True)
        answer = self._forged(send)
        return self._forged(send) if answer.status >= 500 else answer

    def _forged(self, send: Callable[..., Answer]) -> Answer:
        if self._in_a_row >= MOST_IN_A_ROW:
            self._reassure()
        self._in_a_row += 1
        answer = send(again=False)
        if 200 <= answer.status < 300:
            self._in_a_row = 0
        return answer

    def _reassure(self) -> None:
        """Send a right request with the caller's key, so that wrong ones do not add up."""
        answer = self.probe.send(
            self._path_for(self.probe.access.project_id), self.query, access=self.probe.access.as_key()
        )
        if answer.status in REFUSED:
            raise KeyRefusedError(f"a right signature was refused with {answer.status}: the matrix stops here")
        self._in_a_row = 0

    def _property(self, case: Case) -> Property:
        return Property(self.subject.name, Suite.AUTH, case.id, case.sentence, self.subject.security_place)


def open_operation(subject: Subject) -> bool:
    """Whether the contract lets everybody in."""
    return not subject.ways_in or any(not way for way in subject.ways_in)


def is_public(subject: Subject, host: str) -> bool:
    """Whether a host is one of the contract's own servers, or of the same domain: the vendor's, where people work."""
    for server in subject.document.data.get("servers", []):
        name = (
            re.sub(r"\{[^}]+\}", "x", str(server.get("url", "")))
            .partition("://")[2]
            .partition("/")[0]
            .partition(":")[0]
        )
        domain = ".".join(name.split(".")[-2:])
        if "." in domain and (host == domain or host.endswith(f".{domain}")):
            return True
    return False


def _with(url: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{url}?{canonical_query(query)}"


def path_of(subject: Subject, values: dict[str, str]) -> str:
    """Return the path of an operation with its parameters filled in."""
    return re.sub(r"\{([^/]+?)\}", lambda found: in_path(values[found[1]]), subject.operation.path)
