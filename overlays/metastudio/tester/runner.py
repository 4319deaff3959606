"""One run: walks the plan, operation by operation, the authentication matrix last, and writes the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any

from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.tester.http_client import (
    TIME_LIMIT_REACHED,
    CannotRunError,
    HttpClient,
    NoResponseError,
    TimeLimitError,
)
from metastudio.tester.operation_run import OperationRun, Progress, RunState
from metastudio.tester.options import RunOptions
from metastudio.tester.plan import Check, Plan, make_plan
from metastudio.tester.redaction import Redactor
from metastudio.tester.relations.writes import order_of_life
from metastudio.tester.verdicts import (
    MAX_SHOWN_BREACHES,
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
    plan = make_plan(options)
    if plan.has_shapes:
        import_module("metastudio.tester.shapes.schemathesis_driver")  # fails early if it is not installed
    target, transport = options.url, None
    if options.app is not None:
        from metastudio.tester.inprocess import InProcessTransport, served  # imports schemathesis

        target = f"application in this process ({type(options.app).__name__})"
        options = replace(options, app=served(options.app))
        options.app.exceptions.clear()
        transport = InProcessTransport(options.app)
    http = HttpClient(options, transport)
    with http.client:
        walk = _Walk(plan, RunState(options, http, progress, list(plan.notes)))
        try:
            walk.run()
        except BaseException as error:
            for note in walk.clean_up():
                error.add_note(Redactor(plan.secrets).mask(note))
            raise
        walk.state.notes += walk.clean_up()
    report = replace(walk.report(), target=str(target), contract=plan.operations[0].tested.document.path.name)
    return Redactor(plan.secrets).report(report)


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


class _Walk:
    """Walks a plan and collects the results.

    Args:
        plan: the plan.
        state: what all operations share.
    """

    def __init__(self, plan: Plan, state: RunState) -> None:
        self.state = state
        self.results: list[PropertyResult] = []
        self.failure: str | None = None
        self.tester_failed = False
        self._stopped = ""
        """Why no further check is made."""
        self._operations = [(OperationRun(state, each.tested, each.caller), each.checks) for each in plan.operations]
        state.operations = [operation for operation, _ in self._operations]

    def run(self) -> None:
        """Make all checks.

        Those of suite `auth` come after the others of operations that change nothing, because a server may lock the
        key. Operations that change data come last, in the order of an item's life.
        """
        reading = [each for each in self._operations if each[0].tested.operation.method == "GET"]
        writing = [each for each in self._operations if each[0].tested.operation.method != "GET"]
        writing.sort(key=lambda each: order_of_life(each[0].tested))
        for operations, is_auth in ((reading, False), (reading, True), (writing, False)):
            for operation, checks in operations:
                self._checks(operation, [each for each in checks if (each.property.suite is Suite.AUTH) is is_auth])

    def clean_up(self) -> list[str]:
        """Delete the items that the run created. Return notes on those that cannot be deleted."""
        lists = [each for each in self.state.operations if each.tested.is_list and "life_cycle" in vars(each)]
        return [note for each in lists for note in each.life_cycle.clean_up()]

    def _checks(self, operation: OperationRun, checks: Iterable[Check]) -> None:
        for check in checks:
            reason = self._stopped or operation.blocked or check.impossible
            try:
                result = (
                    PropertyResult(check.property, Verdict.NOT_EXERCISED, note=reason)
                    if reason
                    else check.judge(operation)
                )
            except (ConfigurationError, CredentialsError):
                raise
            except Exception as error:  # noqa: BLE001 - the report is written whatever a hostile server causes
                self._stop(error)
                result = PropertyResult(check.property, Verdict.NOT_EXERCISED, note=self._stopped)
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
        state, traffic, stopwatch = self.state, self.state.http.traffic, self.state.http.stopwatch
        for operation in state.operations:
            operation.finish()
        for count, what in (
            (len(traffic.transient_errors), "a server error"),
            (len(traffic.missing_responses), "no response"),
        ):
            if count:
                state.notes.append(f"{count} requests got {what} and succeeded when retried")
        app = state.options.app
        for what, count in (app.exceptions if app else Counter[str]()).most_common(MAX_SHOWN_BREACHES):
            state.notes.append(f"the application raised {what}, {count} times")
        for each in self.results:
            if each.tester_failed and not self.tester_failed:
                self.failure, self.tester_failed = f"{each.property.key}: {each.note}", True
        is_judged = any(each.verdict is not Verdict.NOT_EXERCISED for each in self.results)
        return Report(
            target="", contract="", started=stopwatch.started, seconds=stopwatch.seconds,
            results=tuple(self.results) if self.failure is None or is_judged else (),
            requests=dict(traffic.sent), exercised=dict(state.exercised), notes=tuple(state.notes),
            failure=self.failure, nothing_seen=not state.seen and self.failure is None,
            tester_failed=self.tester_failed,
        )  # fmt: skip
