"""The operations of a contract under test, each with its location in the file and its schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from metastudio.contract import Document
from metastudio.contract.compiler import below, parameters, plain, success_schema
from metastudio.contract.json_pointer import join
from metastudio.contract.operation import ListRules, Operation
from metastudio.tester.access import Security, security
from metastudio.tester.reading import ALIAS, read
from metastudio.tester.schema_validator import SchemaResolver
from metastudio.tester.values import ValueType, value_type
from metastudio.tester.verdicts import ContractLocation


@dataclass(frozen=True)
class OperationUnderTest:
    """One operation of the contract.

    Args:
        document: the contract.
        pointer: JSON pointer of the operation.
        operation: the compiled operation.
        item_operations: the operations on items of this list, and those that create them.
    """

    document: Document
    pointer: str
    operation: Operation
    item_operations: tuple[OperationUnderTest, ...] = ()

    @property
    def name(self) -> str:
        """The operation ID."""
        return self.operation.id

    @property
    def rules(self) -> ListRules:
        """The `x-list` rules. Only for list operations."""
        assert self.operation.list_rules is not None
        return self.operation.list_rules

    @property
    def is_list(self) -> bool:
        """Whether the operation is a GET with `x-list` whose items can be told apart."""
        rules = self.operation.list_rules
        return rules is not None and rules.identity is not None and self.operation.method == "GET"

    @property
    def show(self) -> OperationUnderTest | None:
        """The operation that shows an item of this list; None if there is none."""
        return next((each for each in self.item_operations if each.operation.kind == "show"), None)

    @property
    def shortest_page(self) -> int:
        """The shortest page that the contract allows. Only for list operations."""
        return int(max(1, self.operation.parameters[self.rules.limit].schema.get("minimum", 1)))

    def path_with(self, values: Mapping[str, str]) -> str:
        """Return the path with its parameters filled in."""
        return re.sub(r"\{([^/]+?)\}", lambda found: quote(values[found[1]], safe="-_.~"), self.operation.path)

    def location(self, below_operation: str, source: str = "page") -> ContractLocation:
        """Return the location of a part of this operation, such as `/x-list/total`."""
        return self.location_at(f"{self.pointer}{below_operation}", source)

    def location_at(self, pointer: str, source: str = "page") -> ContractLocation:
        """Return the location of a JSON pointer in the document."""
        return ContractLocation(self.document.path.name, self.document.position(pointer)[0], pointer, source)

    @cached_property
    def unstated(self) -> frozenset[str]:
        """Names of the parameters whose effect the contract leaves open. A server may refuse any value of them."""
        rules = self.operation.list_rules
        return frozenset(name for name, rule in (rules.filters if rules else {}).items() if rule.op == "unstated")

    @cached_property
    def resolver(self) -> SchemaResolver:
        """Resolves schemas of the document."""
        return SchemaResolver(self.document)

    @cached_property
    def item_schema(self) -> str:
        """JSON pointer of the item schema."""
        body = success_schema(self.document, self.pointer)
        return below(self.document, body[1], f"{self.rules.items}/*") or "" if body else ""

    def property_schema(self, pointer: str) -> Mapping[str, Any]:
        """Return the schema of an item property, with references resolved and descriptions removed.

        `x-collation` and `x-time-zone` say how its values are compared.
        """
        found = below(self.document, self.item_schema, pointer)
        if not found:
            return {}
        written = self.resolver.resolve(found)[0]
        return {
            **plain(self.document, found),
            **{name: written[name] for name in ("x-collation", "x-time-zone") if name in written},
        }

    def value_type(self, pointer: str) -> ValueType:
        """Return how the values of an item property are compared."""
        if pointer not in self._value_types:
            self._value_types[pointer] = value_type(self.property_schema(pointer))
        return self._value_types[pointer]

    @cached_property
    def _value_types(self) -> dict[str, ValueType]:
        return {}

    @cached_property
    def parameter_pointers(self) -> Mapping[tuple[str, str], str]:
        """JSON pointer of each parameter, by its location (`query`, `header`, `path`) and name."""
        return {(raw["in"], raw["name"]): at for at, raw in parameters(self.document, self.pointer)}

    def response(self, status: int) -> tuple[str, Mapping[str, Any]] | None:
        """Return the JSON pointer and declaration of the response for a status, None if it is undeclared."""
        responses = self.document.at(f"{self.pointer}/responses") or {}
        for name in (str(status), f"{status // 100}XX", "default"):
            if name in responses:
                raw, at = self.document.resolve(responses[name], f"{self.pointer}/responses/{name}")
                return at, raw
        return None

    @cached_property
    def accept(self) -> str:
        """The media types of a success, as the header `Accept` names them; `application/json` if there are none."""
        declared = [self.response(status) for status in self.operation.success]
        names = (name for each in declared if each for name in media_types(each[1]))
        return ", ".join(dict.fromkeys(names)) or "application/json"

    @cached_property
    def security(self) -> Security:
        """What the contract requires of callers."""
        required = self.document.at(self.pointer).get("security", self.document.data.get("security", []))
        declared = self.document.at("/components/securitySchemes") or {}
        found: list[dict[str, Any]] = []
        for requirement in required:
            places = {name: join(["components", "securitySchemes", name]) for name in requirement}
            found.append({n: self.document.resolve(declared.get(n), at)[0] for n, at in places.items()})
        return security(found)

    @property
    def security_location(self) -> ContractLocation:
        """Location of the security requirements."""
        own = self.document.at(f"{self.pointer}/security")
        return self.location_at(f"{self.pointer}/security" if own is not None else "/security")


def media_types(declaration: Mapping[str, Any]) -> list[str]:
    """Return the media types of a response as the contract names them."""
    return [name for name, each in (declaration.get("content") or {}).items() if ALIAS not in (each or {})]


def operations_under_test(spec: Path | None = None, notes: list[str] | None = None) -> tuple[OperationUnderTest, ...]:
    """Return the operations of a contract that can be tested.

    Args:
        spec: path of the contract; None for the packaged one.
        notes: receives what is left out.

    Raises:
        ContractError: the contract is unreadable, or its `x-list` or `x-item` is wrong.
    """
    if spec is None:
        with resources.as_file(resources.files("metastudio_client") / "openapi.yaml") as packaged:
            return operations_under_test(packaged, notes)
    document, compiled = read(spec, [] if notes is None else notes)
    found = [OperationUnderTest(document, at, operation) for at, operation in compiled]
    return tuple(
        replace(each, item_operations=tuple(other for other in found if other.operation.list_id == each.name))
        for each in found
    )
