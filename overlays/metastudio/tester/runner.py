"""One run: the first request, the suites `meaning` and `shapes` per operation, then the authentication matrix."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.tester import matrix, shapes
from metastudio.tester.catalogue import (
    auth_matrix,
    auth_properties,
    check_selection,
    list_property,
    properties,
    start_property,
    write_properties,
)
from metastudio.tester.http_client import (
    TIME_LIMIT_REACHED,
    CannotRunError,
    HttpClient,
    HttpResponse,
    NoResponseError,
    RateLimiter,
    TimeLimitError,
    Traffic,
)
from metastudio.tester.operation_under_test import OperationUnderTest, operations_under_test
from metastudio.tester.options import RunOptions
from metastudio.tester.preflight import preflight
from metastudio.tester.redaction import Redactor
from metastudio.tester.relations import ListClient, judge, relations
from metastudio.tester.relations.list_client import ListItem, Snapshot, UnexpectedResponseError
from metastudio.tester.relations.narrowing import Part, part_for, parts
from metastudio.tester.relations.writes import LifeCycle
from metastudio.tester.shapes import GenerationSettings, ShapesSuite
from metastudio.tester.target import base_url, client_for, path_values, token_header
from metastudio.tester.values import ValueKind, query_text
from metastudio.tester.verdicts import (
    MAX_SHOWN_BREACHES,
    Evidence,
    Property,
    PropertyResult,
    Report,
    Stopwatch,
    Suite,
    Verdict,
    describe_unexpected,
)

Progress = Callable[[str, int], None]
"""Called with the current step and the number of requests sent so far."""


@dataclass
class _RunState:
    """Options, client and collected results of a run."""

    options: RunOptions
    http: HttpClient
    redactor: Redactor
    progress: Progress
    operations: Sequence[OperationUnderTest]
    results: list[PropertyResult] = field(default_factory=list[PropertyResult])
    exercised: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])
    failure: str | None = None
    tester_failed: bool = False
    seen: bool = False
    located: dict[str, tuple[RunOptions, str]] = field(default_factory=dict[str, tuple[RunOptions, str]])
    """For each operation, the options with the IDs in its path, and why there is no item to take them from."""
    life_cycles: dict[str, LifeCycle] = field(default_factory=dict[str, LifeCycle])
    """For each list, the items that this run created."""

    def skip(self, properties: Iterable[Property], reason: str) -> None:
        self.results += [PropertyResult(each, Verdict.NOT_EXERCISED, note=reason) for each in properties]

    def skip_rest(self, properties: Iterable[Property], reason: str) -> None:
        done = {each.property.key for each in self.results}
        self.skip([each for each in properties if each.key not in done], reason)

    def report_progress(self, what: str) -> None:
        self.progress(what, sum(self.http.traffic.sent.values()))


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
    everything = operations_under_test(options.spec)
    chosen = [each for each in everything if each.operation.method == "GET" or options.writes]
    if not chosen:
        raise ConfigurationError("the contract has no GET operation; --writes also tests the other operations")
    if any(options.selects(each) for tested in chosen for each in shapes.properties(tested)):
        import_module("metastudio.tester.shapes.schemathesis_driver")  # fails early if it is not installed
    tested_app = options.app
    if options.app is not None:
        from metastudio.tester.inprocess import served  # imports schemathesis

        options = replace(options, app=served(options.app))
        options.app.exceptions.clear()
    stopwatch, traffic = Stopwatch(options.max_time), Traffic()
    header = token_header(chosen)
    caller = options.caller(header)
    other = options.other_caller(caller)
    redactor = Redactor([*caller.secrets, *(other.secrets if other else ()), options.expired_token or ""])
    with client_for(options) as client:
        base = base_url(options)
        http = HttpClient(base, client, caller, RateLimiter(options.rate_limit), stopwatch, traffic)
        state = _RunState(options, http, redactor, progress, everything)
        check_selection(options, chosen, http)
        skipped = len(everything) - len(chosen)
        if skipped:
            state.notes.append(f"{skipped} operations that may change data were skipped; --writes also tests them")
        try:
            _run_checks(state, chosen)
        except BaseException as error:
            for note in _clean_up(state):
                error.add_note(note)
            raise
        state.notes += _clean_up(state)
        if state.failure is not None and state.results:
            for tested in chosen:
                known = state.located.get(tested.name, (options, ""))[0]
                reads = tested.operation.method == "GET"
                state.skip_rest(properties(known, tested, http, auth=reads), "the run ended early")
    for count, what in (
        (len(traffic.transient_errors), "a server error"),
        (len(traffic.missing_responses), "no response"),
    ):
        if count:
            state.notes.append(f"{count} requests got {what} and succeeded when retried")
    for what, count in (options.app.exceptions if options.app else Counter[str]()).most_common(MAX_SHOWN_BREACHES):
        state.notes.append(f"the application raised {what}, {count} times")
    for each in state.results:
        if each.tester_failed and not state.tester_failed:
            state.failure, state.tester_failed = f"{each.property.key}: {each.note}", True
    report = Report(
        target=base if options.url else f"application in this process ({type(tested_app).__name__})",
        contract=str(chosen[0].document.path.name),
        started=stopwatch.started,
        seconds=stopwatch.seconds,
        results=tuple(state.results),
        requests=dict(traffic.sent),
        exercised=dict(state.exercised),
        notes=tuple(state.notes),
        failure=state.failure,
        nothing_seen=not state.seen and state.failure is None,
        tester_failed=state.tester_failed,
    )
    return redactor.report(report)


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


def _run_checks(state: _RunState, chosen: Sequence[OperationUnderTest]) -> None:
    """Run the checks that change nothing, then those that may change data."""
    reading = [each for each in chosen if each.operation.method == "GET"]
    writing = [each for each in chosen if each.operation.method != "GET"]
    steps = [(_operation, reading), (_matrix, reading), (_changes, reading), (_operation, writing)]
    for check, operations in steps:
        for tested in operations:
            if state.failure is None:
                _run_check(state, tested, check)


def _clean_up(state: _RunState) -> list[str]:
    """Delete the items that this run created. Return notes on those that cannot be deleted."""
    return [note for each in state.life_cycles.values() for note in each.clean_up()]


def _run_check(
    state: _RunState, tested: OperationUnderTest, check: Callable[[_RunState, OperationUnderTest], None]
) -> None:
    try:
        check(state, tested)
    except CannotRunError as error:
        state.failure = str(error)
    except NoResponseError as error:
        state.failure = f"the server stopped responding: {error}"
    except TimeLimitError:
        state.notes.append(f"{TIME_LIMIT_REACHED} before every property was tested")
    except (ConfigurationError, CredentialsError):
        raise
    except Exception as error:  # noqa: BLE001 - the report is written whatever a hostile server causes
        state.failure, state.tester_failed = describe_unexpected(error), True


def _operation(state: _RunState, tested: OperationUnderTest) -> None:
    state.http.suite = "start"
    options, missing = _located(state, tested)
    reads = tested.operation.method == "GET"
    wanted = [start_property(tested), *properties(options, tested, state.http, auth=reads)]
    wanted += [list_property(tested)] if tested.is_list else []
    if len(state.operations) > 1 and not any(options.selects(each) for each in wanted):
        return
    if missing:
        state.skip([each for each in wanted if options.selects(each)], missing)
        return
    values = path_values(options, tested)
    path, query = tested.path_with(values), shapes.required_query(tested)
    state.report_progress("first request")
    list_client = ListClient(tested, state.http, path, values, dict(query)) if tested.is_list else None
    is_example = {"project_id", *options.path_values} < values.keys()
    first = preflight(tested, state.http, path, query, list_client, state.notes, is_example=is_example)
    state.results.append(first)
    if first.verdict is not Verdict.PASS and reads:
        state.seen = state.seen or first.verdict is Verdict.BREACH
        reason = first.note or "the first response broke the contract"
        state.skip(properties(options, tested, state.http), reason)
        return
    snapshot = None
    try:
        snapshot = _meaning(state, list_client) if list_client else None
        if list_client is None:
            if tested.operation.list_id is None:
                reason = "has items without identity" if tested.operation.list_rules else "has no x-list in the contract"
                state.notes.append(f"{tested.name} {reason}: only shapes and authentication are tested")
            state.seen = True
        _shapes(state, tested, path, values, list_client, snapshot)
    except TimeLimitError:
        state.skip_rest(properties(options, tested, state.http, auth=False), TIME_LIMIT_REACHED)
        raise


def _located(state: _RunState, tested: OperationUnderTest) -> tuple[RunOptions, str]:
    """Return the options with an ID of a list for each path parameter, and why there is none.

    An operation that may change data gets the ID of an item that this run created. Parameters without a list keep
    their example in the contract.
    """
    if tested.name not in state.located:
        values, missing = dict(state.options.path_values), ""
        for where, name in tested.parameter_pointers:
            source = _list_of_ids(state, tested, name) if where == "path" and name not in values else None
            if source is not None and tested.operation.method != "GET" and name == tested.operation.item_parameter:
                values[name], missing = _life_cycle(state, source).new_item()
                missing = f"{missing}; or give --path {name}=ID of an item that may be changed" if missing else ""
            elif source is not None:
                item = _first_item(state, source)
                values[name] = "none" if item is None else query_text(json.loads(item.identity))
                missing = f"{source.name} has no item" if item is None else missing
        state.located[tested.name] = replace(state.options, path_values=values), missing
    return state.located[tested.name]


def _list_client(state: _RunState, tested: OperationUnderTest) -> ListClient:
    values = path_values(_located(state, tested)[0], tested)
    return ListClient(tested, state.http, tested.path_with(values), values, dict(shapes.required_query(tested)))


def _life_cycle(state: _RunState, tested: OperationUnderTest) -> LifeCycle:
    """Return the items that this run created in a list."""
    if tested.name not in state.life_cycles:
        client = _list_client(state, tested)

        def address(each: OperationUnderTest, identity: str) -> tuple[str, list[tuple[str, str]]]:
            known = {**client.path_values, each.operation.item_parameter or "": identity}
            return each.path_with(path_values(replace(state.options, path_values=known), each)), shapes.required_query(
                each
            )

        state.life_cycles[tested.name] = LifeCycle(client, address)
    return state.life_cycles[tested.name]


def _changes(state: _RunState, tested: OperationUnderTest) -> None:
    """Create, change and delete an item of a list."""
    done = {each.property.key for each in state.results}
    wanted = [each for each in write_properties(state.options, tested) if each.key not in done]
    missing = _located(state, tested)[1] if wanted else ""
    if missing or not wanted:
        state.skip(wanted, missing)
        return
    state.http.suite = Suite.MEANING
    state.report_progress(f"meaning: items of {tested.name}")
    try:
        state.results += _life_cycle(state, tested).run(wanted)
    except TimeLimitError:
        state.skip_rest(wanted, TIME_LIMIT_REACHED)
        raise


def _list_of_ids(state: _RunState, tested: OperationUnderTest, parameter: str) -> OperationUnderTest | None:
    """Return the list whose items a path parameter identifies."""
    operation, before = tested.operation, tested.operation.path.partition(f"/{{{parameter}}}")[0]
    by_name = operation.list_id if operation.item_parameter == parameter else None
    return next((x for x in state.operations if x.is_list and (x.name == by_name or x.operation.path == before)), None)


def _first_item(state: _RunState, source: OperationUnderTest) -> ListItem | None:
    if _located(state, source)[1]:
        return None
    try:
        return next(iter(_list_client(state, source).fetch_page({source.rules.limit: "1"}).items), None)
    except UnexpectedResponseError:
        return None


def _meaning(state: _RunState, list_client: ListClient) -> Snapshot | None:
    wanted = [each for each in relations(list_client.tested) if state.options.selects(each.property)]
    state.http.suite = Suite.MEANING
    whole = list_property(list_client.tested)
    try:
        snapshot = list_client.snapshot()
        if state.options.freeze:
            snapshot = _freeze(state, list_client, snapshot)
    except UnexpectedResponseError as error:
        evidence = Evidence("a page of the list", error.what, (error.response.command,))
        state.results.append(PropertyResult(whole, Verdict.BREACH, 1, evidence=(evidence,)))
        state.skip([each.property for each in wanted], "the list is unreadable")
        return None
    state.results += [PropertyResult(whole, Verdict.PASS, 1)] if state.options.selects(whole) else []
    state.seen = state.seen or bool(snapshot.items)
    state.exercised["items in the list"] += len(snapshot.items)
    for pointer in list_client.pointers:
        values = {repr(value) for item in snapshot.items.values() for value in item.values[pointer]}
        state.exercised[f"different {pointer} in the list"] += len(values)
    everything, narrowed = (list_client, snapshot), list[Part]()
    if not snapshot.complete and wanted:
        state.report_progress("meaning: narrowing the list")
        narrowed = parts(*everything)
        by = [f"{name}={value}" for client, _ in narrowed for name, value in client.fixed_query.items()]
        how = f"it was narrowed by {' or '.join(by)}" if by else "no filter narrows it, so comparisons were skipped"
        state.notes.append(f"the list has more than {len(snapshot.items)} items: {how}")
    for relation in wanted:
        state.report_progress(f"meaning: {relation.property.id}")
        state.results.append(judge(relation, *part_for(relation, everything, narrowed)))
    state.exercised["pages with items"] += sum(bool(page.items) for page in list_client.pages)
    return snapshot


def _freeze(state: _RunState, list_client: ListClient, snapshot: Snapshot) -> Snapshot:
    for name, rule in list_client.rules.filters.items():
        type_ = list_client.value_type(rule.property) if rule.property else None
        if rule.property and rule.op == "le" and type_ and type_.kind is ValueKind.INSTANT:
            times = [v for item in snapshot.items.values() for v in item.values[rule.property] if v is not None]
            latest = type_.written(max(times)) if times else None
            if latest is not None:
                list_client.fixed_query = {**list_client.fixed_query, name: latest}
                return list_client.snapshot()
    state.notes.append("--freeze has no effect: the contract has no `le` filter on a time, or no item has such a time")
    return snapshot


def _shapes(
    state: _RunState,
    tested: OperationUnderTest,
    path: str,
    values: dict[str, str],
    list_client: ListClient | None,
    snapshot: Snapshot | None,
) -> None:
    wanted = [each for each in shapes.properties(tested) if state.options.selects(each)]
    if not wanted:
        return
    state.http.suite = Suite.SHAPES
    options, sent = state.options, state.http.traffic.sent
    in_path = [name for where, name in tested.parameter_pointers if where == "path"]
    names_item = any(_list_of_ids(state, tested, name) for name in in_path)
    settings = GenerationSettings(
        state.http.base_url, state.http.caller, values, options.max_examples, options.seed, options.timeout,
        options.writes and not names_item, lambda: state.http.stopwatch.is_over, options.verify, options.app,
    )  # fmt: skip
    suite = ShapesSuite(tested, state.http, path, list_client, snapshot, _received(state, tested))
    state.report_progress("shapes")
    try:
        for _ in suite.run(settings, lambda: sent.update([str(Suite.SHAPES)])):
            state.report_progress("shapes")
    finally:
        state.results += [each for each in suite.results() if state.options.selects(each.property)]
    state.exercised.update({f"generated {what}": count for what, count in suite.exercised.items()})
    if suite.exercised["successes"] and tested.operation.method != "GET" and tested.operation.list_id is None:
        state.notes.append(f"{tested.name} succeeded {suite.exercised['successes']} times; its effects were not undone")
    if suite.problems and not any(each.verdict is Verdict.BREACH for each in state.results):
        state.failure = f"schemathesis could not test {tested.name}: {'; '.join(dict.fromkeys(suite.problems))}"


def _received(state: _RunState, tested: OperationUnderTest) -> Callable[[HttpResponse], None]:
    """Return what to do with each response: remember the items that it created."""
    source = next((each for each in state.operations if each.name == tested.operation.list_id and each.is_list), None)
    if tested.operation.kind == "create" and source is not None:
        return _life_cycle(state, source).record
    return lambda _response: None


def _matrix(state: _RunState, tested: OperationUnderTest) -> None:
    options, missing = _located(state, tested)
    example = Property(tested.name, Suite.AUTH, "*", "", tested.security_location)
    if options.skip and not options.selects(example):
        return
    if options.only and not any(options.selects(each) for each in auth_properties(options, tested, state.http)):
        return
    start = next((each for each in state.results if each.property.key == start_property(tested).key), None)
    if missing or start is None or start.verdict is not Verdict.PASS:
        return
    host = urlsplit(state.http.base_url).hostname or ""
    if matrix.needs_no_credentials(tested):
        state.notes.append(f"{tested.name} needs no authentication by the contract, so none was tested")
        return
    if options.forge is False or (options.forge is None and matrix.is_vendor_host(tested, host)):
        state.notes.append("forged credentials were not sent; --forge sends them (invalid signatures may lock a key)")
        state.skip(auth_properties(options, tested, state.http), "needs forged credentials (--forge)")
        return
    state.http.suite = Suite.AUTH
    if state.http.caller.keys is None:
        state.notes.append("no key pair given: signatures were not tested")
    if state.http.caller.token is None:
        state.notes.append("no token given: only made-up tokens were tested")
    for result in auth_matrix(options, tested, state.http).run():
        state.report_progress(f"auth: {result.property.id}")
        if options.selects(result.property):
            state.results.append(result)
