"""What is tested: the operations of a contract, each with its place in the file and its schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import below, operations, parameters, plain, success_schema
from metastudio.contract.json_pointer import join
from metastudio.contract.operation import ListRules, Operation, read
from metastudio.tester.verdicts import Place


class Schemas:
    """Parts of a document by their pointer, references followed; what was looked up once is remembered."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[str, tuple[Any, str]] = {}

    def at(self, pointer: str) -> tuple[Any, str]:
        """Return what a pointer leads to, and that one's own pointer."""
        if pointer not in self._known:
            self._known[pointer] = self._document.resolve(self._document.at(pointer), pointer)
        return self._known[pointer]


@dataclass(frozen=True)
class Subject:
    """One operation of the contract. `pointer` is its place in the document."""

    document: Document
    pointer: str
    operation: Operation

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.operation.id

    @property
    def rules(self) -> ListRules:
        """What the list means. Only for operations that have `x-list`."""
        assert self.operation.list_rules is not None
        return self.operation.list_rules

    @property
    def is_list(self) -> bool:
        """Whether the contract says what the answer means."""
        return self.operation.list_rules is not None and self.operation.method == "GET"

    def place(self, below_operation: str, source: str = "page") -> Place:
        """Return the place of something of this operation, such as `/x-list/total`."""
        return self.at(f"{self.pointer}{below_operation}", source)

    def at(self, pointer: str, source: str = "page") -> Place:
        """Return a place in the document by its whole pointer."""
        return Place(self.document.path.name, self.document.position(pointer)[0], pointer, source)

    @cached_property
    def schemas(self) -> Schemas:
        """The schemas of the document."""
        return Schemas(self.document)

    @cached_property
    def item_schema(self) -> str:
        """The pointer of the schema of an item."""
        body = success_schema(self.document, self.pointer)
        return below(self.document, body[1], f"{self.rules.items}/*") or "" if body else ""

    def property_schema(self, pointer: str) -> Mapping[str, Any]:
        """Return the schema of a property of an item, without references and prose."""
        found = below(self.document, self.item_schema, pointer)
        return plain(self.document, found) if found else {}

    @cached_property
    def parameter_places(self) -> Mapping[tuple[str, str], str]:
        """The pointer of each parameter, by where it goes and its name."""
        return {(raw["in"], raw["name"]): at for at, raw in parameters(self.document, self.pointer)}

    def response(self, status: int) -> tuple[str, Mapping[str, Any]] | None:
        """Return the declared response to a status and its pointer, None where there is none."""
        responses = self.document.at(f"{self.pointer}/responses") or {}
        for name in (str(status), f"{status // 100}XX", "default"):
            if name in responses:
                raw, at = self.document.resolve(responses[name], f"{self.pointer}/responses/{name}")
                return at, raw
        return None

    @cached_property
    def ways_in(self) -> tuple[tuple[str, ...], ...]:
        """The header names of each way to authenticate that the contract declares; empty where none is needed."""
        required = self.document.at(self.pointer).get("security", self.document.data.get("security", []))
        schemes = self.document.at("/components/securitySchemes") or {}
        found: list[tuple[str, ...]] = []
        for way in required:
            resolved = [
                self.document.resolve(schemes[name], join(["components", "securitySchemes", name])) for name in way
            ]
            found.append(tuple(str(each.get("name", "Authorization")) for each, _ in resolved))
        return tuple(found)

    @property
    def security_place(self) -> Place:
        """Where the contract says how to authenticate."""
        own = self.document.at(f"{self.pointer}/security")
        return self.at(f"{self.pointer}/security" if own is not None else "/security")


def subjects(spec: Path | None = None) -> tuple[Subject, ...]:
    """Read the contract, by default the packaged one, and return its operations.

    Raises ContractError when it cannot be read or is wrong.
    """
    if spec is None:
        with resources.as_file(resources.files("metastudio_client") / "openapi.yaml") as packaged:
            return tuple(_subjects(packaged))
    return tuple(_subjects(spec))


def _subjects(path: Path) -> Iterator[Subject]:
    document = load(path)
    check(document)
    compiled = read(compile_contract(document)["operations"])
    for pointer, raw in operations(document):
        yield Subject(document, pointer, compiled[raw["operationId"]])
