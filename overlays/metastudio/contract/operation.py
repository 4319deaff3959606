"""The operations of a contract as typed, frozen objects.

`metastudio_client.contract`, written by `./generate.sh`, holds them as literals, so importing it parses nothing.
`metastudio.contract.compile_contract` makes the same objects from any contract file. docs/spec-authoring.md explains
the vocabulary (`x-list`, `x-states`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from metastudio.contract.structure import Structure

R = TypeVar("R")
T = TypeVar("T")


class ServerUrl(NamedTuple):
    """The URL of the contract's first server: a template, and the default of each variable in it."""

    template: str
    variables: Mapping[str, str]


class Parameter(NamedTuple):
    """A parameter of an operation.

    Attributes:
        name: its name on the wire.
        python_name: the keyword argument of the generated function.
        location: `path`, `query` or `header`.
        required: whether a request must have it.
        description: what it means, for people.
        schema: its JSON schema without references and prose.
        values: the values that the contract lists.
        closed: whether no other value is allowed.
        joined: whether an array is sent as one comma-joined value, not as a repeated key.
    """

    name: str
    python_name: str
    location: str
    required: bool
    description: str
    schema: Mapping[str, Any]
    values: tuple[str, ...]
    closed: bool
    joined: bool

    @property
    def is_array(self) -> bool:
        """Whether the value is a list."""
        return self.schema.get("type") == "array"

    @property
    def is_time(self) -> bool:
        """Whether the value is a time."""
        return self.schema.get("format") == "date-time"


class Filter(NamedTuple):
    """Which items a filter parameter keeps: those whose `property` compares by `op` with the given value.

    Attributes:
        parameter: the parameter's name on the wire.
        property: a JSON pointer into an item (`*` is any element), or None where the contract states none.
        op: eq, ne, ge, gt, le, lt, substring, prefix, exists or unstated.
        sandbox: how the sandbox compares where `op` is unstated.
        source: `page`, `decision` or `unstated`: who says so.
    """

    parameter: str
    property: str | None
    op: str
    sandbox: str | None
    source: str


class Order(NamedTuple):
    """How a list is ordered.

    Attributes:
        parameter: the parameter that takes the order key.
        keys: order key to JSON pointer into an item.
        direction: the parameter that takes the direction, or None.
        asc, desc: its two values; `default` names the one that holds without it.
        without_key: the order of a list without a key.
        source: who says so.
    """

    parameter: str
    keys: Mapping[str, str]
    direction: str | None
    asc: str
    desc: str
    default: str
    without_key: str
    source: str


class ListRules(NamedTuple):
    """What a list operation means (`x-list`).

    Attributes:
        items, total: JSON pointers into the response body.
        identity: JSON pointer into an item.
        scope: path parameter to the JSON pointer into an item that must equal it.
        offset, limit: the paging parameters; `max_limit` is the largest page that the contract allows.
        order: how the list is ordered, or None.
        filters: the filter parameters by name.
        sources: who says so, for the keys `items`, `total`, `identity`, `scope` and `page`.
    """

    items: str
    total: str | None
    identity: str
    scope: Mapping[str, str]
    offset: str
    limit: str
    max_limit: int | None
    order: Order | None
    filters: Mapping[str, Filter]
    sources: Mapping[str, str]


class State(NamedTuple):
    """What a state means to a waiter: its phase, whether nothing more happens by itself, and how the task ended."""

    phase: str
    at_rest: bool
    ended: str | None


@dataclass(frozen=True)
class Operation:
    """One operation of the contract.

    Attributes:
        id, tag, method, path, summary, description: as in the contract.
        response_class, item_class: names of the generated model classes, None where there is none.
        parameters: the parameters by their name on the wire.
        success: each declared success status, with the structure of its JSON body (None: no JSON is declared).
        list_rules: what the list means, None for an operation that is no list.
        fields: description, type, format and known values of each property of a list's items.
        state_property: JSON pointer to the state of an item, or None; `states` are the known states.
    """

    id: str
    tag: str
    method: str
    path: str
    summary: str
    description: str
    response_class: str | None
    item_class: str | None
    parameters: Mapping[str, Parameter]
    success: Mapping[int, Structure | None]
    list_rules: ListRules | None
    fields: Mapping[str, Mapping[str, Any]]
    state_property: str | None
    states: Mapping[str, State]

    @cached_property
    def by_python_name(self) -> Mapping[str, Parameter]:
        """The parameters by the name of their keyword argument."""
        return {each.python_name: each for each in self.parameters.values()}

    @cached_property
    def path_pattern(self) -> re.Pattern[str]:
        """Matches the paths of this operation, with the path parameters as named groups."""
        parts = (f"(?P<{part[1:-1]}>[^/]+)" if part[:1] == "{" else re.escape(part) for part in self.path.split("/"))
        return re.compile("/".join(parts) + r"\Z")


@dataclass(frozen=True)
class Endpoint(Generic[R, T]):
    """An operation together with its generated code.

    `R` is the type of a response, `T` that of a list's items.

    Attributes:
        operation: the operation of the contract.
        request: the generated function that turns checked arguments into keyword arguments of `build_request`.
        response: makes the response object from checked JSON.
    """

    operation: Operation
    request: Callable[..., dict[str, Any]]
    response: Callable[[Any], R]


def find_operation(
    operations: Iterable[Operation], method: str, path: str
) -> tuple[Operation, Mapping[str, str]] | None:
    """Return the operation that a method and a path below the base URL belong to, with its path arguments."""
    for operation in operations:
        if operation.method == method and (match := operation.path_pattern.match(path)):
            return operation, match.groupdict()
    return None
