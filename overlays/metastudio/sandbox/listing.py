"""What the sandbox serves of a contract: its list operations, with all that an answer needs to know."""

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
from metastudio.contract.operation import ListRules, Operation, read

PACKAGED = Path(metastudio_client.__file__).with_name("openapi.yaml")
PAGE_LENGTH = 10
"""Items on a page whose length nobody asked for (facts, section 1: newer pages of the vendor say 10)."""


@dataclass(frozen=True)
class Column:
    """A property of the items that a list is filtered or ordered by, as a column of its table.

    `many` is for a pointer with `*`: the values of one item are rows of a table of their own, named like the column.
    `time` is for times, kept as text that sorts as they do.
    """

    name: str
    pointer: str
    many: bool
    time: bool


@dataclass(frozen=True)
class Listing:
    """A list operation.

    `ways` are the header names (lower case) of each way to authenticate; an open operation has none, or an empty one.
    `item` is the schema of an item, `body` that of the answer, `examples` the items of the example answer, `frame` that
    answer without them, None where the contract gives no example. `errors` are the example bodies of the errors by
    status. `page_length` is the length of a page that was not asked for.
    """

    operation: Operation
    rules: ListRules
    status: int
    ways: tuple[frozenset[str], ...]
    item: Mapping[str, Any]
    body: Mapping[str, Any]
    examples: tuple[dict[str, Any], ...]
    frame: Mapping[str, Any] | None
    errors: Mapping[int, Any]
    page_length: int
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Contract:
    """A contract and the list operations that are served of it."""

    document: Document
    listings: tuple[Listing, ...]


def read_contract(path: Path | None = None) -> Contract:
    """Read a contract, by default the packaged one. What has not changed since it was last read is not read again.

    Raises ContractError when it is wrong.
    """
    path = (path or PACKAGED).resolve()
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


def values_at(item: Any, pointer: str) -> list[Any]:
    """Return what a pointer into an item names, one value for each element that `*` stands for."""
    found = [item]
    for token in _tokens(pointer):
        if token == "*":  # noqa: S105 - a JSON pointer's token, no secret
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[token] for each in found if isinstance(each, dict) and token in each]
    return found


def put(target: dict[str, Any], pointer: str, value: Any) -> None:
    """Set what a pointer names, making the objects on the way."""
    *way, last = split(pointer)
    for token in way:
        target = target.setdefault(token, {})
    target[last] = value


_tokens = lru_cache(split)  # a list of 100,000 items asks for the same ones again and again


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int) -> Contract:
    document = load(path)
    check(document)
    compiled = read(compile_contract(document)["operations"])
    listings = [
        _listing(document, pointer, compiled[raw["operationId"]])
        for pointer, raw in operations(document)
        if "x-list" in raw and pointer.endswith("/get")
    ]
    return Contract(document, tuple(listings))


def _listing(document: Document, pointer: str, operation: Operation) -> Listing:
    found, rules = success_schema(document, pointer), operation.list_rules
    assert found is not None
    assert rules is not None
    status, schema = found
    item = below(document, schema, f"{rules.items}/*") or ""
    example = _example(document, pointer, status)
    frame = deepcopy(example)
    if frame is not None:
        put(frame, rules.items, [])
    return Listing(
        operation=operation,
        rules=rules,
        status=int(status),
        ways=_ways(document, pointer),
        item=plain(document, item),
        body=plain(document, schema),
        examples=tuple(values_at(example, f"{rules.items}/*")),
        frame=frame,
        errors={
            int(each): _example(document, pointer, each)
            for each in document.at(f"{pointer}/responses")
            if each.isdigit() and each >= "400" and _example(document, pointer, each) is not None
        },
        page_length=_page_length(document, pointer, rules),
        columns=_columns(document, item, rules),
    )


def _example(document: Document, pointer: str, status: str) -> Any:
    _, at = document.resolve(document.at(f"{pointer}/responses/{status}"), f"{pointer}/responses/{status}")
    content = document.at(f"{at}/content/application~1json") or {}
    for name, raw in content.get("examples", {}).items():
        return document.resolve(raw, f"{at}/content/application~1json/examples/{name}")[0].get("value")
    return content.get("example")


def _ways(document: Document, pointer: str) -> tuple[frozenset[str], ...]:
    required = document.at(pointer).get("security", document.data.get("security", []))
    schemes = document.at("/components/securitySchemes") or {}
    return tuple(frozenset(str(schemes[name].get("name", name)).lower() for name in each) for each in required)


def _page_length(document: Document, pointer: str, rules: ListRules) -> int:
    for each in [*(document.at(f"{pointer}/parameters") or []), *(document.at(f"{pointer[:-4]}/parameters") or [])]:
        parameter, at = document.resolve(each, pointer)
        if parameter["name"] == rules.limit:
            schema, _ = document.resolve(parameter["schema"], f"{at}/schema")
            return int(schema.get("default", min(PAGE_LENGTH, rules.max_limit or PAGE_LENGTH)))
    return PAGE_LENGTH


def _columns(document: Document, item: str, rules: ListRules) -> dict[str, Column]:
    pointers = [rules.identity, *rules.scope.values()]
    pointers += rules.order.keys.values() if rules.order else []
    pointers += [each.property for each in rules.filters.values() if each.property]
    columns: dict[str, Column] = {}
    for pointer in dict.fromkeys(pointers):
        schema = plain(document, below(document, item, pointer) or item)
        many = "*" in split(pointer)
        columns[pointer] = Column(f"c{len(columns)}", pointer, many, _is_time(schema))
    return columns


def _is_time(schema: Mapping[str, Any]) -> bool:
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    return schema.get("format") == "date-time" or any(_is_time(each) for each in branches)
