"""The state of a run, and of each operation in it: what its checks have read and share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

from metastudio.errors import ConfigurationError
from metastudio.tester import preflight, shapes
from metastudio.tester.caller import Caller
from metastudio.tester.cases import AuthCase
from metastudio.tester.http_client import TIME_LIMIT_REACHED, HttpClient, TimeLimitError
from metastudio.tester.matrix import AuthMatrix
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.options import RunOptions
from metastudio.tester.relations import ListClient, judge
from metastudio.tester.relations.judge import Relation
from metastudio.tester.relations.list_client import Snapshot, UnexpectedResponseError
from metastudio.tester.relations.narrowing import Part, part_for, parts
from metastudio.tester.relations.writes import LifeCycle
from metastudio.tester.shapes import ShapesSuite
from metastudio.tester.values import ValueKind, query_text
from metastudio.tester.verdicts import Evidence, Property, PropertyResult, Suite, Verdict

Progress = Callable[[str, int], None]
"""Called with the current step and the number of requests sent so far."""


@dataclass
class RunState:
    """What all operations of a run share: its plan, and what it has found.

    Args:
        options: settings of the run.
        http: the client, without credentials of an operation.
        progress: called with each step.
        secrets: credentials that no report may contain.
        notes: remarks about the run.
        exercised: counts of the data that the run saw, by name.
        operations: the operations, each with its checks.
        seen: whether a response contained an item, or there is no list.
    """

    options: RunOptions
    http: HttpClient
    progress: Progress
    secrets: tuple[str, ...]
    notes: list[str]
    exercised: Counter[str] = field(default_factory=Counter[str])
    operations: list[OperationRun] = field(default_factory=list["OperationRun"])
    seen: bool = False


@dataclass(frozen=True)
class Check:
    """A property together with the method that judges it.

    Args:
        property: the property.
        judge: tests it.
        impossible: why these options do not allow it; empty if they do.
        is_silent: whether the property is not selected and only other checks need it, so that a pass is not reported.
    """

    property: Property
    judge: Callable[[OperationRun, Property], PropertyResult]
    impossible: str = ""
    is_silent: bool = False


class OperationRun:
    """One operation during a run. Each method judges one kind of check; what checks share is read once.

    Attributes:
        checks: the selected checks in their order. Those of suite `auth` run after those of all operations.
        blocked: why no check of the operation can be exercised, "" if all can.
        has_example_path: whether the path contains an example of the contract, which a server need not have.
        snapshot: the list, None if it was not read.
        problem: why schemathesis could not test the operation, "" if it could.
        interruption: the exception that ended suite `shapes` early, None if there was none.
    """

    def __init__(self, state: RunState, tested: OperationUnderTest, caller: Caller, checks: Sequence[Check]) -> None:
        self.state = state
        self.tested = tested
        self.checks = checks
        self.http = copy(state.http)
        self.http.caller = caller
        self.http.headers = shapes.required_headers(tested)
        self.blocked = ""
        self.problem = ""
        self.interruption: Exception | None = None
        self.has_example_path = False
        self.snapshot: Snapshot | None = None
        self._shapes: ShapesSuite | None = None

    def begin(self, suite: str, what: str = "") -> None:
        """Count the requests that follow for a suite, and report progress."""
        self.http.suite = suite
        self.state.progress(f"{suite}: {what}" if what else suite, self.http.sent.total())

    @cached_property
    def path_values(self) -> dict[str, str]:
        """A value for each path parameter: from the options, the ID of an item of a list, or the contract's example.

        Raises:
            ConfigurationError: a parameter has none.
        """
        found: dict[str, str] = {}
        given = {"project_id": self.state.options.project_id, **self.state.options.path_values}
        for name in self._path_names:
            value, source = given.get(name), self._list_of_ids(name)
            if not value and source is not None:
                value = self._identity_from(source, name)
            elif not value:
                value = _example(self.tested, name)
                self.has_example_path = True
                if self.tested.operation.method != "GET" and name != "project_id":
                    self.blocked = self.blocked or f"give --path {name}=ID of something that may be changed"
            found[name] = str(value)
        return found

    @property
    def _path_names(self) -> list[str]:
        return [name for where, name in self.tested.parameter_pointers if where == "path"]

    def _identity_from(self, source: OperationRun, parameter: str) -> str:
        """Return the ID of an item: of the list, or of one that this run created for an operation that changes it."""
        if self.tested.operation.method == "GET":
            identity, missing = source.first_identity or "", f"{source.tested.name} has no item"
        else:
            identity, problem = source.life_cycle.new_item()
            missing = f"{problem}; or give --path {parameter}=ID of an item that may be changed"
        self.blocked = self.blocked or ("" if identity else missing)
        return identity or "none"

    def _list_of_ids(self, parameter: str) -> OperationRun | None:
        """Return the list whose items a path parameter identifies."""
        operation, before = self.tested.operation, self.tested.operation.path.partition(f"/{{{parameter}}}")[0]
        if operation.item_parameter == parameter and self.its_list is not None:
            return self.its_list
        lists = (each for each in self.state.operations if each.tested.is_list and operation.method == "GET")
        return next((each for each in lists if each.tested.operation.path == before), None)

    @cached_property
    def its_list(self) -> OperationRun | None:
        """The list whose items the operation is about, None if there is none."""
        lists = (each for each in self.state.operations if each.tested.is_list)
        return next((each for each in lists if each.tested.name == self.tested.operation.list_id), None)

    @cached_property
    def first_identity(self) -> str | None:
        """The identity of the first item of the list, None if it has none."""
        try:
            page = self.list_client.fetch_page(self.list_client.sized(1))
        except UnexpectedResponseError:
            return None
        return query_text(json.loads(page.items[0].identity)) if page.items and not self.blocked else None

    @cached_property
    def path(self) -> str:
        """The path with its parameters filled in."""
        return self.tested.path_with(self.path_values)

    def path_in(self, project: str) -> str:
        """Return the path in another project."""
        return self.tested.path_with({**self.path_values, "project_id": project})

    @property
    def names_item(self) -> bool:
        """Whether the path names an item of a list."""
        return any(self._list_of_ids(name) for name in self._path_names)

    @cached_property
    def list_client(self) -> ListClient:
        """The client of the list. Only for list operations."""
        query = dict(shapes.required_query(self.tested))
        return ListClient(self.tested, self.http, self.path, self.path_values, query)

    @cached_property
    def life_cycle(self) -> LifeCycle:
        """The items that this run creates in the list. Only for list operations."""
        return LifeCycle(self.list_client, self._address)

    def _address(self, tested: OperationUnderTest, identity: str) -> tuple[str, list[tuple[str, str]]]:
        """Return path and query of an operation on an item of the list."""
        names = [name for where, name in tested.parameter_pointers if where == "path"]
        values = {**self.state.options.path_values, **self.path_values, tested.operation.item_parameter or "": identity}
        path = tested.path_with({name: values[name] if name in values else _example(tested, name) for name in names})
        return path, shapes.required_query(tested)

    def write(self, property_: Property) -> PropertyResult:
        """Test what an operation does to an item that this run created."""
        assert self.its_list is not None
        _ = self.its_list.path  # finds out whether the list is blocked
        if self.its_list.blocked:
            return PropertyResult(property_, Verdict.NOT_EXERCISED, note=self.its_list.blocked)
        self.begin(Suite.MEANING, property_.id)
        result = self.its_list.life_cycle.judge(self.tested, property_)
        self.state.seen = self.state.seen or result.exercised > 0
        return result

    def start(self, property_: Property) -> PropertyResult:
        """Send the first request, which shows whether the operation can be tested."""
        state, tested, path = self.state, self.tested, self.path
        if self.blocked:
            return PropertyResult(property_, Verdict.NOT_EXERCISED, note=self.blocked)
        self.begin("start", "first request")
        client, query = self.list_client if tested.is_list else None, shapes.required_query(tested)
        response = preflight.first_response(self.http, path, query, state.notes)
        if response.status == 404 and self.has_example_path:
            note = f"{path} not found: status 404. Give --path NAME=VALUE"
            first = PropertyResult(property_, Verdict.NOT_EXERCISED, note=note)
        elif fault := preflight.fault(tested, response, self.http, client):
            evidence = Evidence("a declared success response", fault, (response.command,))
            first = PropertyResult(property_, Verdict.BREACH, 1, evidence=(evidence,))
        else:
            first = PropertyResult(property_, Verdict.PASS, 1)
        if first.verdict is not Verdict.PASS:
            self.blocked = first.note or "the first response broke the contract"
        elif client is None and tested.operation.list_id is None:
            reason = "has items without identity" if tested.operation.list_rules else "has no x-list in the contract"
            state.notes.append(f"{tested.name} {reason}: only shapes and authentication are tested")
        state.seen = state.seen or first.verdict is Verdict.BREACH or (not self.blocked and client is None)
        return first

    def whole_list(self, property_: Property) -> PropertyResult:
        """Read the whole list."""
        state, client = self.state, self.list_client
        self.begin(Suite.MEANING, "reading the list")
        try:
            snapshot = client.snapshot()
            snapshot = self._frozen(snapshot) if state.options.freeze else snapshot
        except UnexpectedResponseError as error:
            evidence = Evidence("a page of the list", error.what, (error.response.command,))
            return PropertyResult(property_, Verdict.BREACH, 1, evidence=(evidence,))
        self.snapshot, state.seen = snapshot, state.seen or bool(snapshot.items)
        state.exercised["items in the list"] += len(snapshot.items)
        for pointer in client.pointers:
            values = {repr(value) for item in snapshot.items.values() for value in item.values[pointer]}
            state.exercised[f"different {pointer} in the list"] += len(values)
        return PropertyResult(property_, Verdict.PASS, 1)

    def _frozen(self, snapshot: Snapshot) -> Snapshot:
        """Restrict the list to the items that exist now, with a filter on their times."""
        client = self.list_client
        for name, rule in client.rules.filters.items():
            type_ = client.value_type(rule.property) if rule.property else None
            if rule.property and rule.op == "le" and type_ and type_.kind is ValueKind.INSTANT:
                times = [v for item in snapshot.items.values() for v in item.values[rule.property] if v is not None]
                latest = type_.written(max(times)) if times else None
                if latest is not None:
                    client.fixed_query = {**client.fixed_query, name: latest}
                    return client.snapshot()
        self.state.notes.append(
            "--freeze has no effect: the contract has no `le` filter on a time, or no item has such a time"
        )
        return snapshot

    def relation(self, property_: Property, *, relation: Relation) -> PropertyResult:
        """Check a relation of the list."""
        if self.snapshot is None:
            return PropertyResult(property_, Verdict.NOT_EXERCISED, note="the list is unreadable")
        part = part_for(relation, (self.list_client, self.snapshot), self._narrowed)
        self.begin(Suite.MEANING, property_.id)
        return judge(relation, *part)

    @cached_property
    def _narrowed(self) -> list[Part]:
        """Parts of a list that is too long to be read whole."""
        if self.snapshot is None or self.snapshot.complete:
            return []
        self.begin(Suite.MEANING, "narrowing the list")
        found = parts(self.list_client, self.snapshot)
        by = " or ".join(f"{name}={value}" for client, _ in found for name, value in client.fixed_query.items())
        how = f"it was narrowed by {by}" if by else "no filter narrows it, so comparisons were skipped"
        self.state.notes.append(f"the list has more than {len(self.snapshot.items)} items: {how}")
        return found

    def shape(self, property_: Property) -> PropertyResult:
        """Return the verdict of suite `shapes` on a property. The first call sends the requests of all."""
        _ = self.path  # finds out whether the operation is blocked
        if self.blocked:
            return PropertyResult(property_, Verdict.NOT_EXERCISED, note=self.blocked)
        if self._shapes is None:
            self._shapes = ShapesSuite(self)
            self.begin(Suite.SHAPES)
            try:
                self._shapes.run()
            except Exception as error:  # noqa: BLE001 - the runner handles it after the verdicts found so far
                self.interruption = error
            self._shapes.finish()
        found = self._shapes.result(property_.id)
        is_late = isinstance(self.interruption, TimeLimitError) and found.verdict is Verdict.NOT_EXERCISED
        return replace(found, note=found.note or TIME_LIMIT_REACHED) if is_late else found

    def finish(self) -> None:
        """Count what the checks have read."""
        if self.snapshot is not None:
            self.state.exercised["pages with items"] += sum(bool(page.items) for page in self.list_client.pages)

    def auth(self, property_: Property, *, case: AuthCase) -> PropertyResult:
        """Send a request of the authentication matrix."""
        self.begin(Suite.AUTH, property_.id)
        return self._matrix.judge(property_, case)

    @cached_property
    def _matrix(self) -> AuthMatrix:
        return AuthMatrix(self)


def _example(tested: OperationUnderTest, parameter: str) -> str:
    value = (tested.document.at(tested.parameter_pointers["path", parameter]) or {}).get("example")
    if value is None:
        raise ConfigurationError(f"no value for path parameter {parameter}: give --path {parameter}=VALUE")
    return str(value)
