"""The authentication matrix: requests that the server must accept, and requests that it must refuse.

More than five invalid signatures in a row lock a key for five minutes (docs/service-notes.md#key-lockout). So at most
three are sent in a row, and a valid signature that is refused ends the matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from metastudio.tester.access import SIGNATURE
from metastudio.tester.cases import AuthCase
from metastudio.tester.http_client import CannotRunError, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.shapes import probing_query
from metastudio.tester.shapes.responses import faults
from metastudio.tester.verdicts import Evidence, Property, PropertyResult, Verdict, judgement_failed

if TYPE_CHECKING:
    from metastudio.tester.operation_run import OperationRun

REFUSAL_STATUSES = (400, 401, 403, 404)
"""Statuses of a refusal. The service answers 400 to an invalid token (docs/service-notes.md#refused-tokens)."""
MAX_FORGERIES_IN_A_ROW = 3
_LOCKED = re.compile(r"reach the limit|locked|too many (failed|wrong)", re.IGNORECASE)


class KeyRefusedError(Exception):
    """A valid signature was refused during the matrix."""


class AuthMatrix:
    """The authentication matrix of one operation."""

    def __init__(self, operation: OperationRun) -> None:
        self.operation, self.tested, self.http = operation, operation.tested, operation.http
        self.query = probing_query(operation.tested)
        self._in_a_row = 0
        self._stopped = ""

    def judge(self, property_: Property, case: AuthCase) -> PropertyResult:
        """Return the verdict on a case. After a valid signature was refused, no further request is sent."""
        if not self._stopped:
            try:
                return self._judge(property_, case)
            except KeyRefusedError as error:
                self._stopped = str(error)
            except (CannotRunError, NoResponseError, TimeLimitError):
                raise
            except Exception as error:  # noqa: BLE001 - a hostile response may break any judgement
                note = judgement_failed(error)
                return PropertyResult(property_, Verdict.UNDECIDED, note=note, tester_failed=True)
        return PropertyResult(property_, Verdict.NOT_EXERCISED, note=self._stopped)

    def _judge(self, property_: Property, case: AuthCase) -> PropertyResult:
        try:
            response = self._send(case)
        except NoResponseError as error:
            evidence = Evidence("a refusal" if not case.accepted else "a response", str(error), (error.command,))
            verdict = Verdict.UNDECIDED if error.slow else Verdict.BREACH
            return PropertyResult(property_, verdict, 1, evidence=(evidence,))
        refused = response.status in REFUSAL_STATUSES
        if refused and case.may_lock_key and _LOCKED.search(response.body.decode("utf-8", "replace")):
            raise KeyRefusedError("the server reports that the key is locked; the authentication matrix stops")
        leaks = [fault for fault in faults(self.tested, response) if fault.kind == "leak"]
        if response.status == 429:
            return PropertyResult(property_, Verdict.UNDECIDED, 1, "the server throttles requests (429)")
        if response.status in case.also_accepted and not leaks:
            return PropertyResult(property_, Verdict.PASS, 1)
        if refused is not case.accepted and not leaks and (refused or 200 <= response.status < 300):
            return PropertyResult(property_, Verdict.PASS, 1)
        expected = "success" if case.accepted else "a refusal: 400, 401, 403 or 404"
        seen = leaks[0].what if leaks else f"status {response.status}"
        return PropertyResult(property_, Verdict.BREACH, 1, evidence=(Evidence(expected, seen, (response.command,)),))

    def _send(self, case: AuthCase) -> HttpResponse:
        """Send the request of a case. Retry once after a server error, but limit forgeries in a row."""
        path, query = self.operation.path_in(case.project), case.query or self.query

        def send(*, retry: bool) -> HttpResponse:
            return self.http.send(
                path, query, caller=case.caller, forgery=case.forgery, headers=case.headers, retry=retry
            )

        if not case.may_lock_key:
            return send(retry=True)
        response = self._forged(send)
        return self._forged(send) if response.status >= 500 else response

    def _forged(self, send: Callable[..., HttpResponse]) -> HttpResponse:
        if self._in_a_row >= MAX_FORGERIES_IN_A_ROW:
            self._reset_failures()
        self._in_a_row += 1
        response = send(retry=False)
        if 200 <= response.status < 300:
            self._in_a_row = 0
        return response

    def _reset_failures(self) -> None:
        """Send a valid request with the caller's key, which resets the failure count of the key."""
        caller = self.http.caller
        path = self.operation.path_in(caller.project_id)
        response = self.http.send(path, self.query, caller=caller.with_schemes([SIGNATURE]))
        if response.status in REFUSAL_STATUSES:
            raise KeyRefusedError(
                f"a valid signature was refused with status {response.status}; the authentication matrix stops"
            )
        self._in_a_row = 0


def is_vendor_host(tested: OperationUnderTest, host: str) -> bool:
    """Whether a host is in the domain of a server of the contract, and so a production system."""
    for server in tested.document.data.get("servers", []):
        name = urlsplit(re.sub(r"\{[^}]+\}", "x", str(server.get("url", "")))).hostname or ""
        domain = ".".join(name.split(".")[-2:])
        if "." in domain and (host == domain or host.endswith(f".{domain}")):
            return True
    return False
