"""Reads a contract file as plain data that knows the line and column of every value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from metastudio.contract.json_pointer import join, split


class ContractError(Exception):
    """A mistake in the contract. The message gives the place (`file:line:column`), the mistake and a remedy.

    Attributes:
        pointer: JSON pointer to the place, "" where the file could not be read at all.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class _Loader(yaml.SafeLoader):
    """Reads YAML as JSON would: a time stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """An OpenAPI document: the parsed file, its source text, and the path that it was read from."""

    path: Path
    text: str
    data: dict[str, Any]
    _marks: dict[str, tuple[int, int]]

    def error(self, pointer: str, message: str) -> ContractError:
        """Return the error for a place, or for its nearest existing parent."""
        line, column = self.position(pointer)
        return ContractError(f"{self.path.name}:{line}:{column}: {message}\n  at {pointer or '/'}", pointer)

    def position(self, pointer: str) -> tuple[int, int]:
        """Return line and column, counted from 1, of a place or of its nearest existing parent."""
        while pointer not in self._marks:
            pointer = pointer.rpartition("/")[0]
        return self._marks[pointer]

    def resolve(self, node: Any, pointer: str) -> tuple[Any, str]:
        """Follow `$ref` to its end. Return what is there, and its own pointer.

        Raises:
            ContractError: a reference leads nowhere, out of the file, or in a circle.
        """
        seen: set[str] = set()
        while isinstance(node, dict) and "$ref" in node:
            reference = node["$ref"]
            at = f"{pointer}/$ref"
            if not isinstance(reference, str) or not reference.startswith("#/"):
                raise self.error(at, f"only references within this file are supported, not {reference!r}")
            if reference in seen:
                raise self.error(at, f"{reference} refers to itself")
            seen.add(reference)
            found = self.at(reference[1:])
            if found is None:
                raise self.error(at, f"{reference} does not exist; define it, or correct the reference")
            node, pointer = found, reference[1:]
        return node, pointer

    def at(self, pointer: str) -> Any:
        """Return the value at a JSON pointer, or None."""
        node: Any = self.data
        for token in split(pointer):
            if isinstance(node, dict) and token in node:
                node = node[token]
            elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
                node = node[int(token)]
            else:
                return None
        return node


def load(path: str | Path) -> Document:
    """Read a contract file (YAML or JSON).

    Raises:
        ContractError: it cannot be read, is not YAML, has a key twice, or is no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            marks = dict(_marks(root, "", path.name)) if root is not None else {}
            data = loader.construct_document(root) if root is not None else None
        finally:
            loader.dispose()
    except OSError as error:
        raise ContractError(f"{path.name} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ContractError(f"{path.name} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path.name}:{mark.line + 1}:{mark.column + 1}" if mark else path.name
        raise ContractError(f"{place}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ContractError(f"{path.name} is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise ContractError(f"{path.name}:1:1: an OpenAPI document is a mapping that starts with `openapi: 3.0.3`")
    return Document(path, text, _text_keys(data), marks)


def _marks(node: yaml.Node, pointer: str, name: str) -> Iterator[tuple[str, tuple[int, int]]]:
    yield pointer, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:bool":
                raise ContractError(f"{name}:{line}:{column}: a key must be text; put it in quotes")
            if key.value in seen:
                raise ContractError(f"{name}:{line}:{column}: the key {key.value!r} is there twice; remove one")
            seen.add(key.value)
            below = pointer + join([key.value])
            yield from _marks(value, below, name)
            yield below, (line, column)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _marks(item, f"{pointer}/{index}", name)


def _text_keys(node: Any) -> Any:
    """Make keys text: a status without quotes is a number to YAML, but text to OpenAPI."""
    if isinstance(node, dict):
        return {str(key): _text_keys(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_text_keys(item) for item in node]
    return node
