"""The operations of a contract, with everything needed to serve them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import metastudio_client

from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import below, operations, parameters, plain, success_schema
from metastudio.contract.json_pointer import split, values_at
from metastudio.contract.operation import EPOCHS, Operation
from metastudio.contract.validation import check_servable

PACKAGED_CONTRACT = Path(metastudio_client.__file__).with_name("openapi.yaml")
PROJECT = "project_id"
"""The path parameter that names the caller's project."""
DEFAULT_LIMIT = 10
"""Default page size of a contract that states none (docs/service-notes.md#paging-and-order)."""


class StoreColumn(NamedTuple):
    """A property that a list is filtered or sorted by, as SQL sees it.

    Attributes:
        name: Its column. If the pointer has a `*`, a view with the columns `seq` and `value` instead.
        pointer: JSON pointer into an item; `*` stands for every element of an array.
        time: Whether the values are times, in sortable form.
        many: Whether an item may have several values.
    """

    name: str
    pointer: str
    time: bool
    many: bool


class ServedOperation:
    """An operation, with what its responses need.

    Attributes:
        operation: The compiled operation.
        status: Status of a success.
        body_schema: Schema of a success, None if it has no JSON body.
        example: Example of a success, None if the contract has none.
        errors: Example bodies of errors, by status; None for a declared status without an example.
        security: Security requirements, each the lower-case names of the headers it needs. Without any, or with an
            empty one, the operation needs no authentication.
    """

    def __init__(self, document: Document, pointer: str, operation: Operation) -> None:
        success = success_schema(document, pointer)
        statuses = [each for each in document.at(f"{pointer}/responses") if each.isdigit()]
        status = success[0] if success else next((each for each in statuses if each.startswith("2")), "200")
        required = document.at(pointer).get("security", document.data.get("security", []))
        schemes = document.at("/components/securitySchemes") or {}
        self.operation = operation
        self.status = int(status)
        self.body_schema = plain(document, success[1]) if success else None
        self.example = _example(document, pointer, status)
        self.errors = {int(each): _example(document, pointer, each) for each in statuses if each >= "400"}
        self.security = [frozenset(str(schemes[name].get("name", name)).lower() for name in each) for each in required]


class Listing(ServedOperation):
    """A list operation.

    Attributes:
        rules: Its `x-list` rules.
        item_schema: Schema of an item.
        listed: Schemas of its properties.
        details: Schemas of the properties that only other operations of the list have.
        table: Name of its table in the database.
        examples: Items of the example response.
        default_limit: Page size if the request gives none.
        scope_values: Known values of each path parameter in the scope.
        columns: Columns of the store, by JSON pointer.
    """

    def __init__(self, document: Document, pointer: str, operation: Operation, others: list[ServedOperation]) -> None:
        super().__init__(document, pointer, operation)
        assert operation.list_rules is not None
        self.rules = rules = operation.list_rules
        item = below(document, (success_schema(document, pointer) or ("", ""))[1], f"{rules.items}/*") or ""
        self.item_schema = plain(document, item)
        self.listed, self.details = object_properties(self.item_schema), dict[str, Any]()
        for each in others:
            if each.operation.list_id == operation.id:
                shown = each.body_schema if each.operation.kind == "show" else None
                for schema in (shown, each.operation.body.schema if each.operation.body else None):
                    added = object_properties(schema or {})
                    self.details |= {name: each for name, each in added.items() if name not in self.listed}
        self.examples: list[dict[str, Any]] = values_at(self.example, f"{rules.items}/*")
        raw = {each["name"]: (at, each) for at, each in parameters(document, pointer)}
        limit = document.resolve(document.at(f"{raw[rules.limit][0]}/schema"), raw[rules.limit][0])[0]
        self.default_limit = int(limit.get("default", min(DEFAULT_LIMIT, rules.max_limit or DEFAULT_LIMIT)))
        examples = {name: [each["example"]] for name, (_, each) in raw.items() if each.get("example") is not None}
        self.scope_values = {name: operation.parameters[name].values or examples.get(name, ()) for name in rules.scope}
        pointers = [*filter(None, [rules.identity]), *rules.scope.values()]
        pointers += rules.order.keys.values() if rules.order else []
        pointers += [each.property for each in rules.filters.values() if each.property]
        self.table = "items_" + re.sub(r"\W", "_", operation.id, flags=re.ASCII)
        self.columns: dict[str, StoreColumn] = {}
        for at in dict.fromkeys(pointers):
            schema = plain(document, below(document, item, at) or item)
            self.columns[at] = StoreColumn(f"{self.table}_c{len(self.columns)}", at, is_time(schema), "*" in split(at))


class ServedContract(NamedTuple):
    """A contract and its operations."""

    document: Document
    operations: list[ServedOperation]

    @property
    def listings(self) -> list[Listing]:
        """The list operations."""
        return [each for each in self.operations if isinstance(each, Listing)]


def read_contract(path: Path | str | None = None) -> ServedContract:
    """Read a contract, the packaged one by default. An unchanged file is read only once.

    Raises:
        ContractError: The contract cannot be read or is invalid.
    """
    path = Path(path or PACKAGED_CONTRACT).resolve()
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int) -> ServedContract:
    document = load(path)
    check(document)
    check_servable(document)
    compiled = compile_contract(document).operations
    pointers = {raw["operationId"]: pointer for pointer, raw in operations(document)}
    served = [ServedOperation(document, pointers[each.id], each) for each in compiled.values()]
    complete = (
        Listing(document, pointers[each.operation.id], each.operation, served) if each.operation.list_rules else each
        for each in served
    )
    return ServedContract(document, list(complete))


def object_properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of an object's properties, those of `allOf` included."""
    merged = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        merged |= object_properties(part)
    return merged


def is_time(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema describes a time."""
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    return schema.get("format") in ("date-time", *EPOCHS) or any(is_time(each) for each in branches)


def _example(document: Document, pointer: str, status: str) -> Any:
    _, at = document.resolve(document.at(f"{pointer}/responses/{status}"), f"{pointer}/responses/{status}")
    content = document.at(f"{at}/content/application~1json") or {}
    for name, raw in content.get("examples", {}).items():
        return document.resolve(raw, f"{at}/content/application~1json/examples/{name}")[0].get("value")
    return content.get("example")
