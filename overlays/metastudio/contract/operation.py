"""Typed reader of the compiled contract: operations, their parameters, and what a list means (`x-list`).

The constants come from `metastudio_client._contract` (written by generate.sh) or, in the contract tester, from
`metastudio.contract.compile_contract`. The vocabulary is explained in docs/spec-authoring.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple


class Parameter(NamedTuple):
    """A parameter of an operation.

    `name` is its name on the wire, `python_name` its keyword argument. `schema` is its JSON schema without references
    and prose. `values` are the values the contract lists; where `closed`, no other is allowed. An array is sent as one
    value joined with commas where `joined`, as a repeated key otherwise.
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
    """What a filter parameter keeps: items whose `property` compares by `op` with the value given.

    `property` is a JSON pointer into an item (`*` is any element), None where nothing is stated. `op` is one of
    eq, ne, ge, gt, le, lt, substring, prefix, exists, unstated. `sandbox` is what the sandbox does where `op` is
    unstated. `source` is page, decision or unstated.
    """

    parameter: str
    property: str | None
    op: str
    sandbox: str | None
    source: str


class Order(NamedTuple):
    """How a list is ordered: `keys` maps values of the key parameter to pointers into an item."""

    parameter: str
    keys: Mapping[str, str]
    direction: str | None
    asc: str
    desc: str
    default: str
    without_key: str
    source: str


class ListRules(NamedTuple):
    """What a list operation means. `items` and `total` are JSON pointers into the answer, `identity` into an item.

    `scope` maps path parameters to the pointer into an item that must equal them. `offset` and `limit` name the paging
    parameters, `max_limit` is the largest page the contract allows. `sources` says which of the keys `items`, `total`,
    `identity`, `scope`, `page` do not come from the page.
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
    """What a state means to somebody who waits: its phase, whether it is at rest, how the task ended (or None)."""

    phase: str
    at_rest: bool
    ended: str | None


class Operation(NamedTuple):
    """One operation of the contract.

    `success` maps each declared success status to the shape of its JSON body (nested plain data that holds only
    objects and arrays), None where no JSON is declared. `fields` describes the properties of a list's items;
    `states` are the known states of the property `state_property` (a pointer into an item). `by_python_name` are the
    parameters by the name of their keyword argument; `path_pattern` matches the paths of this operation, with the path
    parameters as named groups.
    """

    id: str
    tag: str
    method: str
    path: str
    summary: str
    parameters: Mapping[str, Parameter]
    success: Mapping[int, Mapping[str, Any] | None]
    list_rules: ListRules | None
    fields: Mapping[str, Mapping[str, Any]]
    state_property: str | None
    states: Mapping[str, State]
    by_python_name: Mapping[str, Parameter]
    path_pattern: re.Pattern[str]


def read(constants: Mapping[str, Any]) -> dict[str, Operation]:
    """Read compiled operations (`OPERATIONS` of `_contract`), by operation id."""
    return {name: _operation(name, raw) for name, raw in constants.items()}


@cache
def operations() -> Mapping[str, Operation]:
    """Read the operations of the contract that this package was generated from."""
    from metastudio_client._contract import OPERATIONS

    return read(OPERATIONS)


def find(method: str, path: str) -> Operation | None:
    """Return the operation that a request's method and path (below the base URL) belong to, or None."""
    for operation in operations().values():
        if operation.method == method and operation.path_pattern.match(path):
            return operation
    return None


def _operation(name: str, raw: Mapping[str, Any]) -> Operation:
    parameters = [Parameter(**each) for each in raw["parameters"]]
    return Operation(
        id=name,
        tag=raw["tag"],
        method=raw["method"],
        path=raw["path"],
        summary=raw["summary"],
        parameters={each.name: each for each in parameters},
        success=raw["success"],
        list_rules=_list_rules(raw["x-list"], raw["parameters"]) if raw["x-list"] else None,
        fields=raw["fields"],
        state_property=raw["state_property"],
        states={
            state: State(each["phase"], each["at_rest"], each.get("ended")) for state, each in raw["states"].items()
        },
        by_python_name={each.python_name: each for each in parameters},
        path_pattern=_path_pattern(raw["path"]),
    )


def _path_pattern(path: str) -> re.Pattern[str]:
    parts = (f"(?P<{part[1:-1]}>[^/]+)" if part[:1] == "{" else re.escape(part) for part in path.split("/"))
    return re.compile("/".join(parts) + r"\Z")


def _list_rules(raw: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> ListRules:
    page = raw["page"]
    schemas = {each["name"]: each["schema"] for each in parameters}
    whole, sources = raw.get("x-source", {}), dict[str, str]()
    for key in ("items", "total", "identity", "scope", "page"):
        sources[key] = whole.get(key, "page") if isinstance(whole, dict) else whole
    if "x-source" in page:
        sources["page"] = page["x-source"]
    return ListRules(
        items=raw["items"],
        total=raw.get("total"),
        identity=raw["identity"],
        scope=raw.get("scope", {}),
        offset=page["offset"],
        limit=page["limit"],
        max_limit=schemas[page["limit"]].get("maximum"),
        order=_order(raw["order"]) if "order" in raw else None,
        filters={
            parameter: Filter(
                parameter=parameter,
                property=each.get("property"),
                op=each["op"],
                sandbox=each.get("sandbox"),
                source=each.get("x-source", "unstated" if each["op"] == "unstated" else "page"),
            )
            for parameter, each in raw.get("filters", {}).items()
        },
        sources=sources,
    )


def _order(raw: Mapping[str, Any]) -> Order:
    direction = raw.get("direction", {})
    return Order(
        parameter=raw["key"]["parameter"],
        keys=raw["key"]["values"],
        direction=direction.get("parameter"),
        asc=direction.get("asc", "asc"),
        desc=direction.get("desc", "desc"),
        default=direction.get("default", "asc"),
        without_key=raw.get("without_key", "unstated"),
        source=raw.get("x-source", "page"),
    )
