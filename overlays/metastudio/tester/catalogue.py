"""Which properties a run looks at, and whether `only` and `skip` name any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from metastudio.auth.credentials import Credentials
from metastudio.errors import ConfigurationError
from metastudio.tester import shapes
from metastudio.tester.access import Access
from metastudio.tester.http_client import Probe
from metastudio.tester.matrix import Matrix, path_of
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.options import Options
from metastudio.tester.relations import relations
from metastudio.tester.target import path_values
from metastudio.tester.verdicts import Property, Suite


def whole_list(subject: Subject) -> Property:
    """Return the property that comes before all relations."""
    sentence = "The whole list can be read, page by page."
    return Property(subject.name, Suite.MEANING, "list", sentence, subject.place("/x-list/page"))


def start(subject: Subject) -> Property:
    """Return the property that comes before everything."""
    sentence = "A plain request is answered with the success that the contract declares."
    return Property(subject.name, Suite.SHAPES, "start", sentence, subject.place("/responses"))


def matrix_of(options: Options, subject: Subject, probe: Probe) -> Matrix:
    """Return the matrix for an operation, with the callers that are known."""

    def path_for(project: str) -> str:
        return path_of(subject, {**path_values(options, subject), "project_id": project})

    query = [(subject.rules.limit, "1")] if subject.is_list else list(shapes.a_right_query(subject))
    other = options.other(probe.access)
    return Matrix(subject, probe, path_for, query, other=other, expired_token=options.expired_token)


def auth_properties(options: Options, subject: Subject, probe: Probe) -> list[Property]:
    """Return the properties of the matrix that are wanted."""
    return [each for each in matrix_of(options, subject, probe).properties() if options.wants(each)]


def properties(options: Options, subject: Subject, probe: Probe, *, auth: bool = True) -> Iterator[Property]:
    """Yield the properties of an operation that are wanted."""
    yield from (each for each in _by_contract(subject) if options.wants(each))
    if auth:
        yield from auth_properties(options, subject, probe)


def check_names(options: Options, chosen: Sequence[Subject], probe: Probe) -> None:
    """Raise ConfigurationError for a name that no property has, whatever the credentials, or if nothing is left."""
    somebody = Access("a", Credentials("AAAA", "SSSS"), "token")
    anybody = copy(probe)
    anybody.access = replace(somebody, token_header=probe.access.token_header)
    known = replace(
        options, only=(), skip=(), other_project_id="b", other_keys=somebody.keys, other_token=somebody.token
    )
    every = [
        *(start(each) for each in chosen),
        *(whole_list(each) for each in chosen if each.is_list),
        *(each for subject in chosen for each in properties(known, subject, anybody)),
    ]
    names = [name for each in every for name in (str(each.suite), each.id, f"{each.suite}/{each.id}")]
    for option, patterns in (("only", options.only), ("skip", options.skip)):
        for pattern in patterns:
            is_suite = any(fnmatchcase(suite, pattern) for suite in Suite)  # one that this contract may not have
            if not is_suite and not any(replace(options, only=(pattern,), skip=()).wants(each) for each in every):
                alike = get_close_matches(pattern, names, 1)
                hint = f"did you mean {alike[0]}?" if alike else f"there are {', '.join(Suite)}, and properties of each"
                raise ConfigurationError(f"--{option} {pattern}: no suite or property is called so; {hint}")
    if not any(options.wants(each) for each in every):
        raise ConfigurationError("--only and --skip leave nothing to look at that the contract has")


def _by_contract(subject: Subject) -> Iterator[Property]:
    if subject.is_list:
        yield from (each.property for each in relations(subject))
    yield from shapes.properties(subject)
