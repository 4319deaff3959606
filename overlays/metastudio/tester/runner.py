"""One run: a first look, then the three suites, operation by operation, the matrix last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from metastudio.errors import ConfigurationError
from metastudio.tester import matrix, shapes
from metastudio.tester.catalogue import auth_properties, check_names, matrix_of, properties, whole_list
from metastudio.tester.http_client import TIME_IS_UP, CannotRunError, NoAnswerError, Pace, Probe, TimeIsUpError, Traffic
from metastudio.tester.matrix import path_of
from metastudio.tester.operation_under_test import Subject, subjects
from metastudio.tester.options import Options
from metastudio.tester.redaction import Redactor
from metastudio.tester.relations import Bench, judge, relations
from metastudio.tester.relations.list_client import Snapshot, UnexpectedError
from metastudio.tester.shapes import Plan, Shapes
from metastudio.tester.start import look
from metastudio.tester.target import base_url, client_for, path_values, token_header
from metastudio.tester.values import is_time, written
from metastudio.tester.verdicts import Evidence, Property, Report, Result, Stopwatch, Suite, Verdict

Progress = Callable[[str, int], None]
"""Told the name of what is looked at and how many requests have been sent."""


@dataclass
class _Run:
    """What a run collects."""

    options: Options
    probe: Probe
    redactor: Redactor
    progress: Progress
    results: list[Result] = field(default_factory=list[Result])
    met: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])
    failure: str | None = None
    seen: bool = False

    def leave_out(self, properties: Iterable[Property], why: str) -> None:
        self.results += [Result(each, Verdict.NOT_EXERCISED, note=why) for each in properties]

    def leave_out_the_rest(self, properties: Iterable[Property], why: str) -> None:
        done = {each.property.key for each in self.results}
        self.leave_out([each for each in properties if each.key not in done], why)

    def told(self, what: str) -> None:
        self.progress(what, sum(self.probe.traffic.sent.values()))


def run(options: Options, progress: Progress = lambda _what, _sent: None) -> Report:
    """Test a server. Whatever it does, there is a report; read its `exit_code`.

    Raises ConfigurationError for options that cannot work, ContractError for a wrong contract.
    """
    everything = subjects(options.spec)
    chosen = [each for each in everything if each.operation.method == "GET" or options.writes]
    if not chosen:
        raise ConfigurationError("the contract has no GET operation; --writes tests the others too")
    if any(options.wants(each) for subject in chosen for each in shapes.properties(subject)):
        import_module("metastudio.tester.shapes.generated")  # what is missing is said before anything is sent
    stopwatch, traffic = Stopwatch(options.max_time), Traffic()
    header = token_header(chosen)
    access = options.access(header)
    other = options.other(access)
    redactor = Redactor([*access.secrets, *(other.secrets if other else ()), options.expired_token or ""])
    with client_for(options) as client:
        base = base_url(options)
        probe = Probe(base, client, access, Pace(options.rate_limit), stopwatch, traffic)
        it = _Run(options, probe, redactor, progress)
        check_names(options, chosen, probe)
        left_out = len(everything) - len(chosen)
        if left_out:
            it.notes.append(f"{left_out} operations that may change something were left out; --writes tests them too")
        for check in (_operation, _matrix):
            for subject in chosen:
                if it.failure is None:
                    _guarded(it, subject, check)
        if it.failure is not None and it.results:
            for subject in chosen:
                it.leave_out_the_rest(properties(options, subject, probe), "the run ended before")
    for count, what in ((len(traffic.stumbles), "a server error"), (len(traffic.silences), "no answer")):
        if count:
            it.notes.append(f"{count} requests had {what} and were answered well when they were sent once more")
    report = Report(
        target=base if options.url else f"an application in this process ({type(options.app).__name__})",
        contract=str(chosen[0].document.path.name),
        started=stopwatch.started,
        seconds=stopwatch.seconds,
        results=tuple(it.results),
        requests=dict(traffic.sent),
        exercised=dict(it.met),
        notes=tuple(it.notes),
        failure=it.failure,
        nothing_seen=not it.seen and it.failure is None,
    )
    return redactor.report(report)


def prove(target: Any, *, progress: Progress = lambda _what, _sent: None, **options: Any) -> Report:
    """Test a server at a URL, or an ASGI application in this process. The keyword arguments are those of Options."""
    where: dict[str, Any] = {"url": target} if isinstance(target, str) else {"app": target}
    return run(Options(**where, **options), progress)


def _guarded(it: _Run, subject: Subject, check: Callable[[_Run, Subject], None]) -> None:
    try:
        check(it, subject)
    except CannotRunError as error:
        it.failure = str(error)
    except NoAnswerError as error:
        it.failure = f"the server stopped answering: {error}"
    except TimeIsUpError:
        it.notes.append(f"{TIME_IS_UP} before everything was looked at")


def _operation(it: _Run, subject: Subject) -> None:
    values = path_values(it.options, subject)
    path, always = path_of(subject, values), shapes.required_query(subject)
    it.probe.suite = "start"
    it.told("first look")
    bench = Bench(subject, it.probe, path, values, dict(always)) if subject.is_list else None
    first = look(subject, it.probe, path, always, bench, it.notes)
    it.results.append(first)
    if first.verdict is Verdict.BREACH:
        it.seen = True
        it.leave_out(properties(it.options, subject, it.probe), "the first answer was wrong already")
        return
    snapshot = None
    try:
        snapshot = _meaning(it, bench) if bench else None
        if bench is None:
            it.notes.append(f"{subject.name} has no x-list in the contract: shapes and authentication only, no meaning")
            it.seen = True
        _shapes(it, subject, path, values, bench, snapshot)
    except TimeIsUpError:
        it.leave_out_the_rest(properties(it.options, subject, it.probe, auth=False), TIME_IS_UP)
        raise


def _meaning(it: _Run, bench: Bench) -> Snapshot | None:
    wanted = [each for each in relations(bench.subject) if it.options.wants(each.property)]
    it.probe.suite = Suite.MEANING
    whole = whole_list(bench.subject)
    try:
        snapshot = bench.snapshot()
        if it.options.freeze:
            snapshot = _freeze(it, bench, snapshot)
    except UnexpectedError as error:
        evidence = Evidence("a page of the list", error.what, (error.answer.command,))
        it.results.append(Result(whole, Verdict.BREACH, 1, evidence=(evidence,)))
        it.leave_out([each.property for each in wanted], "the list cannot be read")
        return None
    it.results += [Result(whole, Verdict.PASS, 1)] if it.options.wants(whole) else []
    it.seen = it.seen or bool(snapshot.items)
    it.met["items in the list"] += len(snapshot.items)
    for pointer in bench.pointers:
        values = {value for item in snapshot.items.values() for value in item.facts[pointer]}
        it.met[f"different {pointer} in the list"] += len(values)
    if not snapshot.whole:
        it.notes.append(f"the list is longer than {len(snapshot.items)} items: what needs the whole list was left out")
    for relation in wanted:
        it.told(f"meaning: {relation.property.id}")
        it.results.append(judge(relation, bench, snapshot))
    it.met["pages with items"] += sum(bool(page.items) for page in bench.pages)
    return snapshot


def _freeze(it: _Run, bench: Bench, snapshot: Snapshot) -> Snapshot:
    for name, rule in bench.rules.filters.items():
        schema = bench.schema(rule.property) if rule.property else {}
        if rule.property and rule.op == "le" and is_time(schema):
            times = [
                value for item in snapshot.items.values() for value in item.facts[rule.property] if value is not None
            ]
            if times:
                bench.pinned = {**bench.pinned, name: written(max(times))}
                return bench.snapshot()
    it.notes.append("nothing to freeze the list by: the contract has no filter for times up to a moment, or no item")
    return snapshot


def _shapes(
    it: _Run, subject: Subject, path: str, values: dict[str, str], bench: Bench | None, snapshot: Snapshot | None
) -> None:
    wanted = [each for each in shapes.properties(subject) if it.options.wants(each)]
    if not wanted:
        return
    it.probe.suite = Suite.SHAPES
    options, sent = it.options, it.probe.traffic.sent
    plan = Plan(
        it.probe.base_url, it.probe.access, values, options.max_examples, options.seed, options.timeout,
        options.writes, lambda: it.probe.stopwatch.is_over, options.verify, options.app,
    )  # fmt: skip
    suite = Shapes(subject, it.probe, path, bench, snapshot)
    it.told("shapes")
    try:
        for _ in suite.run(plan, lambda: sent.update([str(Suite.SHAPES)])):
            it.told("shapes")
    finally:
        it.results += [each for each in suite.results() if it.options.wants(each.property)]
    it.met.update({f"generated {what}": count for what, count in suite.met.items()})
    if suite.trouble and not any(each.verdict is Verdict.BREACH for each in it.results):
        it.failure = f"schemathesis could not test {subject.name}: {'; '.join(dict.fromkeys(suite.trouble))}"


def _matrix(it: _Run, subject: Subject) -> None:
    example = Property(subject.name, Suite.AUTH, "*", "", subject.security_place)
    if it.options.skip and not it.options.wants(example):
        return
    if it.options.only and not any(it.options.wants(each) for each in auth_properties(it.options, subject, it.probe)):
        return
    if any(each.property.id == "start" and each.verdict is Verdict.BREACH for each in it.results):
        return
    host = urlsplit(it.probe.base_url).hostname or ""
    if subject.operation.method != "GET":
        it.notes.append(f"{subject.name}: {subject.operation.method} is not sent to see who is let in")
        return
    if matrix.open_operation(subject):
        it.notes.append(f"{subject.name} lets everybody in, by the contract: no authentication to test")
        return
    if it.options.forge is False or (it.options.forge is None and matrix.is_public(subject, host)):
        it.notes.append("forged credentials were not sent; --forge sends them (wrong signatures may lock a key)")
        it.leave_out(auth_properties(it.options, subject, it.probe), "forged credentials were not asked for")
        return
    it.probe.suite = Suite.AUTH
    if it.probe.access.keys is None:
        it.notes.append("no key pair was given: signatures were not tested")
    if it.probe.access.token is None:
        it.notes.append("no token was given: of tokens only made-up ones were tested")
    for result in matrix_of(it.options, subject, it.probe).run():
        it.told(f"auth: {result.property.id}")
        if it.options.wants(result.property):
            it.results.append(result)
