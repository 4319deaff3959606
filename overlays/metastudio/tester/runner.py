"""One run: walks the plan, operation by operation, the authentication matrix last, and writes the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any

from metastudio import redaction
from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.tester.http_client import (
    TIME_LIMIT_REACHED,
    CannotRunError,
    NoResponseError,
    TimeLimitError,
)
from metastudio.tester.operation_run import Check, OperationRun, Progress, RunState
from metastudio.tester.options import RunOptions
from metastudio.tester.plan import START, make_plan
from metastudio.tester.relations.writes import order_of_life
from metastudio.tester.verdicts import (
    MAX_SHOWN_BREACHES,
    Evidence,
    PropertyResult,
    Report,
    Suite,
    Verdict,
    describe_unexpected,
)

RAN_EARLY = "the run ended early"


def run(options: RunOptions, progress: Progress = lambda _what, _sent: None) -> Report:
    """Test a server.

    Args:
        options: settings of the run.
        progress: called with the current step and the number of requests sent so far.

    Returns:
        The report, whatever the server does. Read its `exit_code`.

    Raises:
        ConfigurationError: the options are invalid.
        ContractError: the contract is unreadable or invalid.
    """
    state = make_plan(options, progress)
    with state.http.client:
        if any(c.property.suite is Suite.SHAPES and c.property.id != START for o in state.operations for c in o.checks):
            import_module("metastudio.tester.shapes.schemathesis_driver")  # fails early if it is not installed
        walk = _Walk(state)
        try:
            walk.run()
        except BaseException as error:
            for note in walk.clean_up():
                error.add_note(_masked(note, state.secrets))
            raise
        state.notes += walk.clean_up()
    return _without_secrets(walk.report(), state.secrets)


def prove(target: Any, *, progress: Progress = lambda _what, _sent: None, **options: Any) -> Report:
    """Test a server or an application.

    Args:
        target: base URL of the server, or an ASGI application, tested in this process.
        progress: called with the current step and the number of requests sent so far.
        options: the other fields of `RunOptions`.

    Returns:
        The report.

    Raises:
        ConfigurationError: the options are invalid.
        ContractError: the contract is unreadable or invalid.
    """
    where: dict[str, Any] = {"url": target} if isinstance(target, str) else {"app": target}
    return run(RunOptions(**where, **options), progress)


def _without_secrets(report: Report, secrets: Iterable[str]) -> Report:
    """Mask the secrets of the run and what looks sensitive in every text, and remove control characters."""

    def text(text: str) -> str:
        return _masked(text, secrets)

    def command(text: str) -> str:  # has no text of a server
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, redaction.MASK)
        return redaction.printable(text)

    def result(each: PropertyResult) -> PropertyResult:
        evidence = (Evidence(text(e.expected), text(e.seen), tuple(map(command, e.commands))) for e in each.evidence)
        observations = tuple(map(text, each.observations))
        return replace(each, note=text(each.note), observations=observations, evidence=tuple(evidence))

    return replace(
        report,
        target=command(report.target),
        notes=tuple(map(text, report.notes)),
        failure=text(report.failure) if report.failure else None,
        results=tuple(map(result, report.results)),
    )


def _masked(text: str, secrets: Iterable[str]) -> str:
    return redaction.printable(redaction.mask(text, secrets))


class _Walk:
    """Makes the checks of all operations and collects the results."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.results: list[PropertyResult] = []
        self.failure: str | None = None
        self.tester_failed = False
        self._stopped = ""
        """Why no further check is made."""

    def run(self) -> None:
        """Make all checks.

        Those of suite `auth` come after the others of operations that change nothing, because a server may lock the
        key. Operations that change data come last, in the order of an item's life.
        """
        reading = [each for each in self.state.operations if each.tested.operation.method == "GET"]
        writing = [each for each in self.state.operations if each.tested.operation.method != "GET"]
        writing.sort(key=lambda each: order_of_life(each.tested))
        for operations, is_auth in ((reading, False), (reading, True), (writing, False)):
            for each in operations:
                self._check(each, [check for check in each.checks if (check.property.suite is Suite.AUTH) is is_auth])

    def clean_up(self) -> list[str]:
        """Delete the items that the run created. Return notes on those that cannot be deleted."""
        lists = [each for each in self.state.operations if each.tested.is_list and "life_cycle" in vars(each)]
        return [note for each in lists for note in each.life_cycle.clean_up()]

    def _check(self, operation: OperationRun, checks: Iterable[Check]) -> None:
        for check in checks:
            reason = self._stopped or operation.blocked or check.impossible
            result = PropertyResult(check.property, Verdict.NOT_EXERCISED, note=reason)
            try:
                result = result if reason else check.judge(operation, check.property)
            except (ConfigurationError, CredentialsError):
                raise
            except Exception as error:  # noqa: BLE001 - the report is written whatever a hostile server causes
                self._stop(error)
                result = replace(result, note=self._stopped)
            if result.verdict is Verdict.NOT_EXERCISED and not result.note:
                result = replace(result, note="no response allowed a comparison")
            if not (check.is_silent and result.verdict in (Verdict.PASS, Verdict.NOT_EXERCISED)):
                self.results.append(result)
        if operation.interruption is not None and not self._stopped:
            self._stop(operation.interruption)
        if operation.problem and not any(each.verdict is Verdict.BREACH for each in self.results):
            self.failure = self.failure or operation.problem

    def _stop(self, error: Exception) -> None:
        """End the run after an exception."""
        self._stopped = RAN_EARLY
        match error:
            case TimeLimitError():
                self._stopped = TIME_LIMIT_REACHED
                self.state.notes.append(f"{TIME_LIMIT_REACHED} before every property was tested")
            case CannotRunError():
                self.failure = str(error)
            case NoResponseError():
                self.failure = f"the server stopped responding: {error}"
            case _:
                self.failure, self.tester_failed = describe_unexpected(error), True

    def report(self) -> Report:
        """Return the report."""
        state, http, app = self.state, self.state.http, self.state.options.app
        for operation in state.operations:
            operation.finish()
        errors, missing = http.transient_errors, http.missing_responses
        for count, what in ((len(errors), "a server error"), (len(missing), "no response")):
            if count:
                state.notes.append(f"{count} requests got {what} and succeeded when retried")
        for what, count in http.app_exceptions.most_common(MAX_SHOWN_BREACHES):
            state.notes.append(f"the application raised {what}, {count} times")
        for each in self.results:
            if each.tester_failed and not self.tester_failed:
                self.failure, self.tester_failed = f"{each.property.key}: {each.note}", True
        is_judged = any(each.verdict is not Verdict.NOT_EXERCISED for each in self.results)
        return Report(
            target=state.options.url or f"application in this process ({type(app).__name__})",
            contract=state.operations[0].tested.document.path.name,
            started=http.stopwatch.started, seconds=http.stopwatch.seconds,
            results=tuple(self.results) if self.failure is None or is_judged else (),
            requests=dict(http.sent), exercised=dict(state.exercised), notes=tuple(state.notes),
            failure=self.failure, nothing_seen=not state.seen and self.failure is None,
            tester_failed=self.tester_failed,
        )  # fmt: skip
