"""The plan of a run: the selected checks of each operation, made once from contract and options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import urlsplit

from metastudio.errors import ConfigurationError
from metastudio.tester import matrix, shapes
from metastudio.tester.caller import Caller
from metastudio.tester.cases import auth_cases
from metastudio.tester.http_client import HttpClient
from metastudio.tester.operation_run import Check, OperationRun, Progress, RunState
from metastudio.tester.operation_under_test import OperationUnderTest, operations_under_test
from metastudio.tester.options import RunOptions
from metastudio.tester.relations import relations, writes
from metastudio.tester.verdicts import Property, Suite

START, LIST = "start", "list"
"""The properties without which no other can be tested."""


def make_plan(options: RunOptions, progress: Progress) -> RunState:
    """Return the operations of a run with their checks.

    Raises:
        ConfigurationError: the options are invalid, or `only` and `skip` name or leave nothing.
        ContractError: the contract is unreadable or invalid.
    """
    notes: list[str] = []
    everything = operations_under_test(options.spec, notes)
    chosen = [each for each in everything if each.operation.method == "GET" or options.writes]
    if not chosen:
        message = "the contract has no GET operation that can be tested; --writes also tests the other operations"
        raise ConfigurationError("; ".join([message, *notes]))
    if len(everything) > len(chosen):
        left = len(everything) - len(chosen)
        notes.append(f"{left} operations that may change data were skipped; --writes also tests them")
    caller, other = _callers(options, chosen)
    auth_notes: list[str] = []
    lists = {each.name: each for each in everything if each.is_list}
    plans: list[tuple[OperationUnderTest, Caller, list[Check]]] = []
    for each in chosen:
        sender = caller.with_schemes(each.security.schemes)
        auth = _auth_checks(options, each, sender, other, auth_notes)
        its_list = lists.get(each.operation.list_id or "")
        plans.append((each, sender, [*_prerequisites(each), *_checks(each, its_list), *auth]))
    _check_patterns(options, [check.property for _, _, checks in plans for check in checks])
    plans = [(each, sender, list(_selected(options, checks))) for each, sender, checks in plans]
    if not any(checks for _, _, checks in plans):
        raise ConfigurationError("--only and --skip select no property of this contract")
    if _selects(options, Property("", Suite.AUTH, "*", "", chosen[0].security_location)):
        notes += dict.fromkeys(auth_notes)
    secrets = (*caller.secrets, *(other.secrets if other else ()), options.expired_token or "")
    state = RunState(options, HttpClient(options), progress, secrets, notes)
    state.operations = [OperationRun(state, *each) for each in plans]
    return state


def _callers(options: RunOptions, chosen: Iterable[OperationUnderTest]) -> tuple[Caller, Caller | None]:
    """Return the caller, and a second one if there is one. They need a project where a path has one."""
    caller = options.caller()
    other = options.other_caller(caller)
    if any("{project_id}" in each.operation.path for each in chosen):
        if not caller.project_id:
            raise ConfigurationError("no project ID: give --project-id or set HUAWEICLOUD_SDK_PROJECT_ID")
        if other and not other.project_id:
            raise ConfigurationError("the second caller needs its own project: set other_project_id")
    return caller, other


def _prerequisites(tested: OperationUnderTest) -> Iterator[Check]:
    """Yield the checks without which there are no others."""
    if tested.operation.method == "GET":
        sentence = "A plain request gets a success response that the contract declares."
        start = Property(tested.name, Suite.SHAPES, START, sentence, tested.location("/responses"))
        yield Check(start, OperationRun.start)
    if tested.is_list:
        sentence = "The complete list can be read page by page."
        whole = Property(tested.name, Suite.MEANING, LIST, sentence, tested.location("/x-list/page"))
        yield Check(whole, OperationRun.whole_list)


def _checks(tested: OperationUnderTest, its_list: OperationUnderTest | None) -> Iterator[Check]:
    for relation in relations(tested) if tested.is_list else ():
        yield Check(relation.property, partial(OperationRun.relation, relation=relation))
    for property_ in writes.properties(tested, its_list) if its_list else ():
        yield Check(property_, OperationRun.write)
    for property_ in shapes.properties(tested):
        yield Check(property_, OperationRun.shape)


def _auth_checks(
    options: RunOptions, tested: OperationUnderTest, caller: Caller, other: Caller | None, notes: list[str]
) -> Iterator[Check]:
    if tested.operation.method != "GET":
        notes.append("authentication is tested for GET operations only")
        return
    notes += (f"{tested.name}: security scheme {each} cannot be tested" for each in tested.security.unsupported)
    if tested.security.is_optional:
        notes.append(f"{tested.name} needs no authentication by the contract, so none was tested")
        return
    is_vendor = matrix.is_vendor_host(tested, urlsplit(options.url or "").hostname or "")
    forges = not is_vendor if options.forge is None else options.forge
    if not forges:
        notes.append("forged credentials were not sent; --forge sends them (invalid signatures may lock a key)")
    for case in auth_cases(tested, caller, other, options.expired_token):
        property_ = Property(tested.name, Suite.AUTH, case.id, case.sentence, tested.security_location)
        impossible = case.impossible if forges else "needs forged credentials (--forge)"
        yield Check(property_, partial(OperationRun.auth, case=case), impossible)


def _selected(options: RunOptions, checks: list[Check]) -> Iterator[Check]:
    """Yield the selected checks, after those that they need."""
    chosen = {each.property.key for each in checks if _selects(options, each.property)}
    for each in checks if chosen else ():
        if each.property.key in chosen:
            yield each
        elif each.property.id in (START, LIST):
            yield replace(each, is_silent=each.property.id == LIST)


def _selects(options: RunOptions, property_: Property) -> bool:
    return (not options.only or _named(options.only, property_)) and not _named(options.skip, property_)


def _named(patterns: Iterable[str], property_: Property) -> bool:
    suite, id_ = str(property_.suite), property_.id
    names = (suite, id_, f"{suite}/{id_}", property_.key, property_.operation)
    return any(name == each or fnmatchcase(name, each) for name in names for each in patterns)


def _check_patterns(options: RunOptions, every: list[Property]) -> None:
    """Raise ConfigurationError for a pattern that matches no property."""
    names = [name for each in every for name in (str(each.suite), each.id, f"{each.suite}/{each.id}")]
    for option, patterns in (("only", options.only), ("skip", options.skip)):
        for pattern in patterns:
            is_suite = any(fnmatchcase(suite, pattern) for suite in Suite)  # a suite may be empty for this contract
            if not is_suite and not any(_named((pattern,), each) for each in every):
                alike = get_close_matches(pattern, names, 1)
                hint = f"did you mean {alike[0]}?" if alike else f"suites are {', '.join(Suite)}"
                raise ConfigurationError(f"--{option} {pattern} matches no suite or property; {hint}")
