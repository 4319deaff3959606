"""The operations of a contract as typed, frozen objects.

`metastudio_client.contract`, written by `./generate.sh`, holds them as literals, so importing it parses nothing.
`metastudio.contract.compile_contract` makes the same objects from any contract file. docs/spec-authoring.md explains
the vocabulary (`x-list`, `x-item`, `x-states`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from metastudio.contract.structure import Structure

R = TypeVar("R")
T = TypeVar("T")

EPOCHS: Mapping[str, int] = {"epoch-seconds": 1, "epoch-milliseconds": 1000}
"""Formats of integers that are times: their units in a second."""

Values: TypeAlias = list[T] | tuple[T, ...] | Set[T]
"""Several values of a parameter. A `Sequence` would allow one text, whose characters are not meant."""


class ServerUrl(NamedTuple):
    """The URL of the contract's first server: a template, and the default of each variable in it."""

    template: str
    variables: Mapping[str, str]


class Parameter(NamedTuple):
    """A parameter of an operation.

    Attributes:
        name: The name on the wire.
        python_name: The keyword argument of the generated function.
        location: `path`, `query` or `header`; `body` for a member of a body.
        required: Whether a request must have it.
        description: Its meaning, for users.
        schema: The JSON schema without references and prose.
        values: The values that the contract lists, as they are written in a URL.
        closed: Whether no other value is allowed.
        joined: Whether an array is sent as one comma-joined value, not as a repeated key.
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
        """Whether the value is an RFC 3339 time."""
        return self.schema.get("format") == "date-time"

    @property
    def epoch(self) -> int | None:
        """Units in a second of a time that is a number, None for other values."""
        return EPOCHS.get(self.schema.get("format", ""))


class Body(NamedTuple):
    """The JSON body of a request.

    Attributes:
        required: Whether a request must have it.
        description: Its meaning, for users.
        schema: Its JSON schema without references and prose.
        class_name: Name of the generated model class, or None.
        members: Its members by name, described like parameters.
    """

    required: bool
    description: str
    schema: Mapping[str, Any]
    class_name: str | None
    members: Mapping[str, Parameter]


class Transition(NamedTuple):
    """How a command moves an item to another state (`moves_to`).

    Attributes:
        property: JSON pointer to the member of the request body that chooses the state; None if it is always the same.
        states: Maps each value of that member to the new state; the key is "" without a member.
    """

    property: str | None
    states: Mapping[str, str]


def _without_defaults(value: Any) -> str:
    """Return the repr of a named tuple without the fields that have their default."""
    defaults = value._field_defaults
    given = [
        f"{name}={each!r}"
        for name, each in zip(value._fields, value, strict=True)
        if name not in defaults or each != defaults[name]
    ]
    return f"{type(value).__name__}({', '.join(given)})"


class Filter(NamedTuple):
    """A filter parameter: it matches items whose `property` compares by `op` with the given value.

    Attributes:
        parameter: The parameter's name on the wire.
        property: A JSON pointer into an item (`*` is any element), or None if the contract states none.
        op: eq, ne, ge, gt, le, lt, between, substring, prefix, exists, absent or unstated.
        sandbox: How the sandbox compares if `op` is unstated.
        source: The origin of the rule (`x-source`): `page`, `decision` or `unstated`.
        readings: The ops of which a server chooses one; `op` is then unstated.
        case: Whether texts compare `exact` or `folded`, or `unstated`; empty is `exact`, for substring and prefix
            `unstated`.
        several: Whether `any` or `all` of several values must match.
        wildcards: `like` or `glob` if these wildcards work in the value; empty if every character is literal.
        template: How a value is written, with `{}` for it; empty if it is written as it is.
        excludes: The filters that may not be sent together with this one.
    """

    parameter: str
    property: str | None
    op: str
    sandbox: str | None
    source: str
    readings: tuple[str, ...] = ()
    case: str = ""
    several: str = "any"
    wildcards: str = ""
    template: str = ""
    excludes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return _without_defaults(self)


class Order(NamedTuple):
    """How a list is ordered.

    Attributes:
        parameter: The parameter that takes the order key.
        keys: Maps each order key to a JSON pointer into an item.
        direction: The parameter that takes the direction, or None.
        asc, desc: Its two values; `default` names the one that holds without it.
        without_key: The order of a list without a key.
        source: The origin of the rule (`x-source`).
        affix: Whether the direction is a `prefix` or `suffix` of the key; `asc` and `desc` are then its texts.
        several: The text that joins several keys, or `repeat` if the parameter is repeated; empty for one key only.
        ties: JSON pointer into an item that orders items with equal keys, empty if it is unstated.
        ties_order: The direction of `ties`: asc, desc, or `same` as the key.
        nulls: Where items without the property are: first, last, or as `low` or `high` values; empty if unstated.
    """

    parameter: str
    keys: Mapping[str, str]
    direction: str | None
    asc: str
    desc: str
    default: str
    without_key: str
    source: str
    affix: str = ""
    several: str = ""
    ties: str = ""
    ties_order: str = "asc"
    nulls: str = ""

    def __repr__(self) -> str:
        return _without_defaults(self)


class Paging(NamedTuple):
    """How the pages of a list follow each other.

    Attributes:
        style: offset, page (numbers), cursor or link.
        first: The number of the first page.
        stride: How far the numbers of two pages are apart; 0 is the page length.
        next: JSON pointer to the next cursor or link in the response, empty for the header `Link`.
        end: What a page after the end is: `empty`, `refused` or `unstated`.
    """

    style: str = "offset"
    first: int = 0
    stride: int = 1
    next: str = ""
    end: str = "empty"


class ListRules(NamedTuple):
    """The rules of a list operation (`x-list`).

    Attributes:
        items, total: JSON pointers into the response body; `total` is None if the body has none. `items` is empty if
            the list is the whole body.
        identity: JSON pointer into an item, None if items have no identity.
        scope: Maps a path parameter to the JSON pointer into an item that must equal it.
        offset, limit: The paging parameters; `max_limit` is the largest page that the contract allows. `offset` takes
            the page number or cursor in other styles; it is empty if links are followed.
        order: How the list is ordered, or None.
        filters: The filter parameters by name.
        sources: The origin (`x-source`) of the keys `items`, `total`, `identity`, `scope` and `page`.
        paging: How the pages follow each other.
        total_header: The response header with the total, empty if there is none.
        total_when: The parameters that ask for the total; empty if each response has it.
        constants: Parameters of every request, with their values.
        invalid: Maps a parameter, or `*` for the others, to what becomes of an invalid value: refuse, ignore, clamp or
            unstated.
    """

    items: str
    total: str | None
    identity: str | None
    scope: Mapping[str, str]
    offset: str
    limit: str
    max_limit: int | None
    order: Order | None
    filters: Mapping[str, Filter]
    sources: Mapping[str, str]
    paging: Paging = Paging()
    total_header: str = ""
    total_when: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    invalid: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return _without_defaults(self)

    @property
    def has_total(self) -> bool:
        """Whether a response has the total, perhaps only if it is asked for."""
        return self.total is not None or bool(self.total_header)

    def when_invalid(self, parameter: str) -> str:
        """Return what becomes of an invalid value of a parameter; empty if the rules do not say."""
        return self.invalid.get(parameter, self.invalid.get("*", ""))


class State(NamedTuple):
    """What a state means to a waiter.

    Attributes:
        phase: What the task is doing.
        at_rest: Whether nothing more happens by itself.
        ended: How the task ended, `success` or `failure`, or None.
        new: Whether a task that was just created is in this state.
    """

    phase: str
    at_rest: bool
    ended: Literal["success", "failure"] | None
    new: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the contract.

    Attributes:
        id, tag, method, path, summary, description: As in the contract.
        cli_name: Name of the command (`x-cli`), or None for the name that follows from tag and ID.
        kind: list, show, create, update, delete, command or other.
        list_id: ID of the list whose items a show, create, update, delete or command is about, or None.
        item_parameter: The path parameter with the identity of the item, or None.
        allowed_in: The states in which the item must be, () for any. A server responds with 409 in others.
        moves: How a command moves the item to another state, or None.
        response_class, item_class: Names of the generated model classes, or None.
        parameters: The parameters by their name on the wire.
        body: The JSON body of the request, or None.
        success: Maps each declared success status to the structure of its JSON body (None: no JSON is declared).
        list_rules: The rules of the list, None if the operation is not a list.
        fields: Description, type, format and known values of each property of a list's items.
        state_property: JSON pointer to the state of an item, or None; `states` are the known states. A show operation
            has those of its list.
    """

    id: str
    tag: str
    method: str
    path: str
    summary: str
    description: str
    cli_name: str | None
    kind: str
    list_id: str | None
    item_parameter: str | None
    allowed_in: tuple[str, ...]
    moves: Transition | None
    response_class: str | None
    item_class: str | None
    parameters: Mapping[str, Parameter]
    body: Body | None
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
    def _read_state(self) -> Callable[[Any], Any]:
        from metastudio.contract.json_pointer import pointer_getter

        assert self.state_property is not None
        return pointer_getter(self.state_property)

    def state_of(self, item: Any) -> State | None:
        """Return what the contract says about the state of an item; None for a state that it does not list."""
        return self.states.get(str(self._read_state(item)))

    @property
    def idempotent(self) -> bool:
        """Whether HTTP promises that sending the request twice has the effect of sending it once."""
        return self.method not in ("POST", "PATCH")

    @cached_property
    def path_pattern(self) -> re.Pattern[str]:
        """Matches the paths of this operation, with the path parameters as named groups."""
        parts = (f"(?P<{part[1:-1]}>[^/]+)" if part[:1] == "{" else re.escape(part) for part in self.path.split("/"))
        return re.compile("/".join(parts) + r"\Z")


@dataclass(frozen=True)
class Endpoint(Generic[R, T]):
    """An operation together with its generated code.

    `R` is the type of a response, `T` that of a list's items; for other operations both are the same.

    Attributes:
        operation: The operation of the contract.
        request: The generated function that turns checked arguments into keyword arguments of `build_request`.
        response: Makes the response object from checked JSON.
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
