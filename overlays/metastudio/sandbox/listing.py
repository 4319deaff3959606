"""The operations of a contract, with everything needed to serve them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import metastudio_client

from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import below, operations, parameters, plain, success_schema
from metastudio.contract.json_pointer import split
from metastudio.contract.operation import ListRules, Operation
from metastudio.contract.validation import check_servable

PACKAGED_CONTRACT = Path(metastudio_client.__file__).with_name("openapi.yaml")
PROJECT = "project_id"
"""The path parameter that names the caller's project."""
EPOCHS = {"epoch-seconds": 1, "epoch-milliseconds": 1000}
"""Formats of integers that are times, and their units in a second."""
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
class ServedOperation:
    """An operation.

    Args:
        operation: The compiled operation.
        status: Status of a success.
        security: Security requirements, each the lower-case names of the headers it needs. Without any, or with an
            empty one, the operation needs no authentication.
        body_schema: Schema of a success, None if it has no JSON body.
        example: Example of a success, None if the contract has none.
        errors: Example bodies of errors, by status; None for a declared status without an example.
    """

    operation: Operation
    status: int
    security: tuple[frozenset[str], ...]
    body_schema: Mapping[str, Any] | None
    example: Any
    errors: Mapping[int, Any]


@dataclass(frozen=True)
class Listing(ServedOperation):
    """A list operation.

    Args:
        rules: Its `x-list` rules.
        item_schema: Schema of an item.
        details: Schemas of the properties that other operations of the list have and its items do not.
        examples: Items of the example response.
        default_limit: Page size if the request gives none.
        scope_values: Known values of each path parameter in the scope.
        columns: Columns of the store, by JSON pointer.
    """

    rules: ListRules
    item_schema: Mapping[str, Any]
    details: Mapping[str, Any]
    examples: tuple[dict[str, Any], ...]
    default_limit: int
    scope_values: Mapping[str, tuple[Any, ...]]
    columns: Mapping[str, StoreColumn]

    @property
    def properties(self) -> Mapping[str, Any]:
        """Schemas of all properties that an item is stored with."""
        return {**self.details, **object_properties(self.item_schema)}


@dataclass(frozen=True)
class ServedContract:
    """A contract and its operations."""

    document: Document
    operations: tuple[ServedOperation, ...]

    @property
    def listings(self) -> tuple[Listing, ...]:
        """The list operations."""
        return tuple(each for each in self.operations if isinstance(each, Listing))


def read_contract(path: Path | str | None = None) -> ServedContract:
    """Read a contract, the packaged one by default. An unchanged file is read only once.

    Raises:
        ContractError: The contract cannot be read or is invalid.
    """
    path = Path(path or PACKAGED_CONTRACT).resolve()
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


def object_properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of an object's properties, those of `allOf` included."""
    merged = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        merged |= object_properties(part)
    return merged


_tokens = lru_cache(split)  # cached because it is called for every item


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int) -> ServedContract:
    document = load(path)
    check(document)
    check_servable(document)
    compiled = compile_contract(document).operations
    pointers = {raw["operationId"]: pointer for pointer, raw in operations(document)}
    served = [_served(document, pointers[each.id], each) for each in compiled.values()]
    complete = (
        _listing(document, pointers[each.operation.id], each, served) if each.operation.kind == "list" else each
        for each in served
    )
    return ServedContract(document, tuple(complete))


def _served(document: Document, pointer: str, operation: Operation) -> ServedOperation:
    found = success_schema(document, pointer)
    statuses = [each for each in document.at(f"{pointer}/responses") if each.isdigit()]
    status = found[0] if found else next((each for each in statuses if each.startswith("2")), "200")
    return ServedOperation(
        operation=operation,
        status=int(status),
        security=_security(document, pointer),
        body_schema=plain(document, found[1]) if found else None,
        example=_example(document, pointer, status),
        errors={int(each): _example(document, pointer, each) for each in statuses if each >= "400"},
    )


def _listing(document: Document, pointer: str, served: ServedOperation, others: list[ServedOperation]) -> Listing:
    operation, rules = served.operation, served.operation.list_rules
    assert rules is not None
    item = below(document, (success_schema(document, pointer) or ("", ""))[1], f"{rules.items}/*") or ""
    item_schema = plain(document, item)
    details: dict[str, Any] = {}
    for each in others:
        if each.operation.list_id == operation.id:
            shown = each.body_schema if each.operation.kind == "show" else None
            for schema in (shown, each.operation.body.schema if each.operation.body else None):
                details |= object_properties(schema or {})
    known = object_properties(item_schema)
    example = {name: each.get("example") for name, each in _raw_parameters(document, pointer)}
    return Listing(
        **{each.name: getattr(served, each.name) for each in fields(served)},
        rules=rules,
        item_schema=item_schema,
        details={name: schema for name, schema in details.items() if name not in known},
        examples=tuple(values_at(served.example, f"{rules.items}/*")),
        default_limit=_default_limit(document, pointer, rules),
        scope_values={
            name: operation.parameters[name].values or ((example[name],) if example.get(name) is not None else ())
            for name in rules.scope
        },
        columns=_columns(document, item, operation, rules),
    )


def _raw_parameters(document: Document, pointer: str) -> list[tuple[str, dict[str, Any]]]:
    return [(raw["name"], raw) for _, raw in parameters(document, pointer)]


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
    at = next(at for at, raw in parameters(document, pointer) if raw["name"] == rules.limit)
    schema, _ = document.resolve(document.at(f"{at}/schema"), f"{at}/schema")
    return int(schema.get("default", min(DEFAULT_LIMIT, rules.max_limit or DEFAULT_LIMIT)))


def _columns(document: Document, item: str, operation: Operation, rules: ListRules) -> dict[str, StoreColumn]:
    pointers = [*([rules.identity] if rules.identity else []), *rules.scope.values()]
    pointers += rules.order.keys.values() if rules.order else []
    pointers += [each.property for each in rules.filters.values() if each.property]
    table, columns = table_name(operation.id), dict[str, StoreColumn]()
    for pointer in dict.fromkeys(pointers):
        schema = plain(document, below(document, item, pointer) or item)
        many = "*" in split(pointer)
        columns[pointer] = StoreColumn(f"{table}_c{len(columns)}", pointer, many, is_time(schema))
    return columns


def table_name(operation_id: str) -> str:
    """Return the name of a list's table in the database."""
    return "items_" + re.sub(r"\W", "_", operation_id, flags=re.ASCII)


def is_time(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema describes a time."""
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    return schema.get("format") in ("date-time", *EPOCHS) or any(is_time(each) for each in branches)
