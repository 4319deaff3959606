"""The properties of a run, and validation of `only` and `skip`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from metastudio.auth.credentials import Credentials
from metastudio.errors import ConfigurationError
from metastudio.tester import shapes
from metastudio.tester.caller import Caller
from metastudio.tester.http_client import HttpClient
from metastudio.tester.matrix import AuthMatrix
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.options import RunOptions
from metastudio.tester.relations import relations, writes
from metastudio.tester.target import path_values
from metastudio.tester.verdicts import Property, Suite


def list_property(tested: OperationUnderTest) -> Property:
    """Return the property `list`, tested before all relations."""
    sentence = "The complete list can be read page by page."
    return Property(tested.name, Suite.MEANING, "list", sentence, tested.location("/x-list/page"))


def start_property(tested: OperationUnderTest) -> Property:
    """Return the property `start`, tested first."""
    sentence = "A plain request gets a success response that the contract declares."
    return Property(tested.name, Suite.SHAPES, "start", sentence, tested.location("/responses"))


def auth_matrix(options: RunOptions, tested: OperationUnderTest, http: HttpClient) -> AuthMatrix:
    """Return the authentication matrix of an operation."""

    def path_for(project: str) -> str:
        return tested.path_with({**path_values(options, tested), "project_id": project})

    query = [(tested.rules.limit, "1")] if tested.is_list else list(shapes.valid_query(tested))
    other = options.other_caller(http.caller)
    return AuthMatrix(tested, http, path_for, query, other=other, expired_token=options.expired_token)


def auth_properties(options: RunOptions, tested: OperationUnderTest, http: HttpClient) -> list[Property]:
    """Return the selected properties of the authentication matrix."""
    return [each for each in auth_matrix(options, tested, http).properties() if options.selects(each)]


def properties(
    options: RunOptions, tested: OperationUnderTest, http: HttpClient, *, auth: bool = True
) -> Iterator[Property]:
    """Yield the selected properties of an operation; `auth` includes the authentication matrix."""
    yield from (each for each in _by_contract(tested) if options.selects(each))
    yield from write_properties(options, tested)
    if auth:
        yield from auth_properties(options, tested, http)


def write_properties(options: RunOptions, tested: OperationUnderTest) -> list[Property]:
    """Return the selected properties of the operations that change items of a list; none without `writes`."""
    found = writes.properties(tested) if options.writes and tested.is_list else ()
    return [each for each in found if options.selects(each)]


def check_selection(options: RunOptions, chosen: Sequence[OperationUnderTest], http: HttpClient) -> None:
    """Check `only` and `skip` against every property, including those that the given credentials cannot exercise.

    Raises:
        ConfigurationError: a pattern matches no property, or no property is selected.
    """
    any_caller = Caller("a", Credentials("AAAA", "SSSS"), "token")
    full_client = copy(http)
    full_client.caller = replace(any_caller, token_header=http.caller.token_header)
    other_keys, other_token = Credentials("BBBB", "SSSS"), "other"
    anywhere = {name: "x" for each in chosen for where, name in each.parameter_pointers if where == "path"}
    known = replace(
        options, only=(), skip=(), other_project_id="b", other_keys=other_keys, other_token=other_token,
        path_values=anywhere,
    )  # fmt: skip
    every = [
        *(start_property(each) for each in chosen),
        *(list_property(each) for each in chosen if each.is_list),
        *(each for tested in chosen for each in properties(known, tested, full_client)),
    ]
    names = [name for each in every for name in (str(each.suite), each.id, f"{each.suite}/{each.id}")]
    for option, patterns in (("only", options.only), ("skip", options.skip)):
        for pattern in patterns:
            is_suite = any(fnmatchcase(suite, pattern) for suite in Suite)  # a suite may be empty for this contract
            if not is_suite and not any(replace(options, only=(pattern,), skip=()).selects(each) for each in every):
                alike = get_close_matches(pattern, names, 1)
                hint = f"did you mean {alike[0]}?" if alike else f"suites are {', '.join(Suite)}"
                raise ConfigurationError(f"--{option} {pattern} matches no suite or property; {hint}")
    if not any(options.selects(each) for each in every):
        raise ConfigurationError("--only and --skip select no property of this contract")


def _by_contract(tested: OperationUnderTest) -> Iterator[Property]:
    if tested.is_list:
        yield from (each.property for each in relations(tested))
    yield from shapes.properties(tested)
