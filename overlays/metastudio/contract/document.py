"""A contract file as plain data, with the line and column of every value in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ContractError(Exception):
    """The contract is wrong. The message says where (`file:line:column`), what, and what to do.

    `pointer` is the JSON pointer of the place, "" where the file could not be read at all.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class _Loader(yaml.SafeLoader):
    """YAML as JSON sees it: a time stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """An OpenAPI document: `data` is the parsed file, `text` its source, `path` where it was read."""

    path: Path
    text: str
    data: dict[str, Any]
    _marks: dict[str, tuple[int, int]]

    def error(self, pointer: str, message: str) -> ContractError:
        """Make the error for the place that the JSON pointer names, or for its nearest existing parent."""
        line, column = self.position(pointer)
        return ContractError(f"{self.path.name}:{line}:{column}: {message}\n  at {pointer or '/'}", pointer)

    def position(self, pointer: str) -> tuple[int, int]:
        """Line and column, counted from 1, of a place or of its nearest existing parent."""
        while pointer not in self._marks:
            pointer = pointer.rpartition("/")[0]
        return self._marks[pointer]

    def resolve(self, node: Any, pointer: str) -> tuple[Any, str]:
        """Follow `$ref` until something else is found. Return it and its own pointer.

        Raises ContractError for a reference that leads nowhere, out of the file, or in a circle.
        """
        seen: set[str] = set()
        while isinstance(node, dict) and "$ref" in node:
            reference = node["$ref"]
            at = f"{pointer}/$ref"
            if not isinstance(reference, str) or not reference.startswith("#/"):
                raise self.error(at, f"only references within this file are read, not {reference!r}")
            if reference in seen:
                raise self.error(at, f"{reference} refers to itself")
            seen.add(reference)
            found = self.at(reference[1:])
            if found is None:
                raise self.error(at, f"{reference} does not exist; define it, or correct the reference")
            node, pointer = found, reference[1:]
        return node, pointer

    def at(self, pointer: str) -> Any:
        """Return what a JSON pointer names, or None."""
        node: Any = self.data
        for token in tokens(pointer):
            if isinstance(node, dict) and token in node:
                node = node[token]
            elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
                node = node[int(token)]
            else:
                return None
        return node


def tokens(pointer: str) -> list[str]:
    """Split a JSON pointer (RFC 6901) into its unescaped tokens."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def join(parts: Sequence[str | int]) -> str:
    """Make the JSON pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def load(path: str | Path) -> Document:
    """Read a contract file (YAML or JSON).

    Raises ContractError when it cannot be read, is not YAML, has a key twice, or is not a mapping.
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
                raise ContractError(f"{name}:{line}:{column}: the key {key.value!r} stands here twice; remove one")
            seen.add(key.value)
            below = pointer + join([key.value])
            yield from _marks(value, below, name)
            yield below, (line, column)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _marks(item, f"{pointer}/{index}", name)


def _text_keys(node: Any) -> Any:
    """Response codes written without quotes are numbers to YAML, text to OpenAPI."""
    if isinstance(node, dict):
        return {str(key): _text_keys(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_text_keys(item) for item in node]
    return node
