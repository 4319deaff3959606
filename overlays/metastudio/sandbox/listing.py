"""The list operations of a contract, with everything needed to serve them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import metastudio_client

from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import below, operations, plain, success_schema
from metastudio.contract.json_pointer import split
from metastudio.contract.operation import ListRules, Operation

PACKAGED_CONTRACT = Path(metastudio_client.__file__).with_name("openapi.yaml")
DEFAULT_LIMIT = 10
"""Default page size of a contract that states none (docs/service-notes.md#paging-and-order)."""


@dataclass(frozen=True)
class StoreColumn:
    """A column of the store: a property that the list is filtered or sorted by.

    Args:
        name: Name of the column in the database.
        pointer: JSON pointer into an item; `*` stands for every element of an array.
        many: Whether the pointer has a `*`. The values are then in a table of their own, named like the column.
        time: Whether the values are times, stored as sortable text.
    """

    name: str
    pointer: str
    many: bool
    time: bool


@dataclass(frozen=True)
class Listing:
    """A list operation.

    Args:
        operation: The compiled operation.
        rules: Its `x-list` rules.
        status: Status of a success.
        security: Security requirements, each the lower-case names of the headers it needs. Without any, or with an
            empty one, the operation needs no authentication.
        item_schema: Schema of an item.
        body_schema: Schema of a success.
        examples: Items of the example response.
        envelope: The example response without its items, None if the contract has no example.
        errors: Example bodies of errors, by status.
        default_limit: Page size if the request gives none.
        columns: Columns of the store, by JSON pointer.
    """

    operation: Operation
    rules: ListRules
    status: int
    security: tuple[frozenset[str], ...]
    item_schema: Mapping[str, Any]
    body_schema: Mapping[str, Any]
    examples: tuple[dict[str, Any], ...]
    envelope: Mapping[str, Any] | None
    errors: Mapping[int, Any]
    default_limit: int
    columns: Mapping[str, StoreColumn]


@dataclass(frozen=True)
class ServedContract:
    """A contract and its list operations."""

    document: Document
    listings: tuple[Listing, ...]


def read_contract(path: Path | None = None) -> ServedContract:
    """Read a contract, the packaged one by default. An unchanged file is read only once.

    Raises:
        ContractError: The contract cannot be read or is invalid.
    """
    path = (path or PACKAGED_CONTRACT).resolve()
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


def values_at(item: Any, pointer: str) -> list[Any]:
    """Return the values at a JSON pointer into an item, one for each element that `*` stands for."""
    found = [item]
    for token in _tokens(pointer):
        if token == "*":  # noqa: S105 - a token of a JSON pointer, not a secret
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[token] for each in found if isinstance(each, dict) and token in each]
    return found


def set_at(target: dict[str, Any], pointer: str, value: Any) -> None:
    """Set the value at a JSON pointer, creating missing objects."""
    *parents, last = split(pointer)
    for token in parents:
        target = target.setdefault(token, {})
    target[last] = value


_tokens = lru_cache(split)  # cached because it is called for every item


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int) -> ServedContract:
    document = load(path)
    check(document)
    compiled = compile_contract(document).operations
    listings = [
        _listing(document, pointer, compiled[raw["operationId"]])
        for pointer, raw in operations(document)
        if "x-list" in raw and pointer.endswith("/get")
    ]
    return ServedContract(document, tuple(listings))


def _listing(document: Document, pointer: str, operation: Operation) -> Listing:
    found, rules = success_schema(document, pointer), operation.list_rules
    assert found is not None
    assert rules is not None
    status, schema = found
    item = below(document, schema, f"{rules.items}/*") or ""
    example = _example(document, pointer, status)
    envelope = deepcopy(example)
    if envelope is not None:
        set_at(envelope, rules.items, [])
    return Listing(
        operation=operation,
        rules=rules,
        status=int(status),
        security=_security(document, pointer),
        item_schema=plain(document, item),
        body_schema=plain(document, schema),
        examples=tuple(values_at(example, f"{rules.items}/*")),
        envelope=envelope,
        errors={
            int(each): _example(document, pointer, each)
            for each in document.at(f"{pointer}/responses")
            if each.isdigit() and each >= "400" and _example(document, pointer, each) is not None
        },
        default_limit=_default_limit(document, pointer, rules),
        columns=_columns(document, item, rules),
    )


def _example(document: Document, pointer: str, status: str) -> Any:
    _, at = document.resolve(document.at(f"{pointer}/responses/{status}"), f"{pointer}/responses/{status}")
    content = document.at(f"{at}/content/application~1json") or {}
    for name, raw in content.get("examples", {}).items():
        return document.resolve(raw, f"{at}/content/application~1json/examples/{name}")[0].get("value")
    return content.get("example")


def _security(document: Document, pointer: str) -> tuple[frozenset[str], ...]:
    required = document.at(pointer).get("security", document.data.get("security", []))
    schemes = document.at("/components/securitySchemes") or {}
    return tuple(frozenset(str(schemes[name].get("name", name)).lower() for name in each) for each in required)


def _default_limit(document: Document, pointer: str, rules: ListRules) -> int:
    for each in [*(document.at(f"{pointer}/parameters") or []), *(document.at(f"{pointer[:-4]}/parameters") or [])]:
        parameter, at = document.resolve(each, pointer)
        if parameter["name"] == rules.limit:
            schema, _ = document.resolve(parameter["schema"], f"{at}/schema")
            return int(schema.get("default", min(DEFAULT_LIMIT, rules.max_limit or DEFAULT_LIMIT)))
    return DEFAULT_LIMIT


def _columns(document: Document, item: str, rules: ListRules) -> dict[str, StoreColumn]:
    pointers = [rules.identity or "", *rules.scope.values()]  # an item without identity has no value to sort by
    pointers += rules.order.keys.values() if rules.order else []
    pointers += [each.property for each in rules.filters.values() if each.property]
    columns: dict[str, StoreColumn] = {}
    for pointer in dict.fromkeys(pointers):
        schema = plain(document, below(document, item, pointer) or item)
        many = "*" in split(pointer)
        columns[pointer] = StoreColumn(f"c{len(columns)}", pointer, many, _is_time(schema))
    return columns


def _is_time(schema: Mapping[str, Any]) -> bool:
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    return schema.get("format") == "date-time" or any(_is_time(each) for each in branches)
