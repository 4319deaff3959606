"""Reads a contract file as plain data that knows the line and column of every value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


MAX_DEPTH, MAX_VALUES = 100, 200_000
"""How deeply values may be nested, and how many values a contract may have after its aliases are expanded."""
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))
"""Tags of values that JSON has too."""
_MERGE, _TEXT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("merge", "str", "bool"))

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

if TYPE_CHECKING:
    _FastLoader = yaml.SafeLoader
else:
    _FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with libyaml


class _PythonLoader(yaml.SafeLoader):
    """Reads YAML as JSON would: a time stays text."""


class _CLoader(_FastLoader):
    """The same, several times faster. It refuses surrogates, as which JSON may write an emoji."""


_PythonLoader.yaml_implicit_resolvers = _CLoader.yaml_implicit_resolvers = {
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
        ContractError: it cannot be read, is not YAML, is not plain JSON data, has a key twice, is nested too deeply, is
            too large, or is no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        loader_type = _PythonLoader if _SURROGATE.search(text) else _CLoader
        _check_syntax(text, path.name, loader_type)
        loader = loader_type(text)
        try:
            root = loader.get_single_node()
            marks: dict[str, tuple[int, int]] = {}
            for pointer, position in _marks(root, "", path.name) if root is not None else ():
                marks[pointer] = position
                if len(marks) > MAX_VALUES:
                    raise ContractError(f"{path.name} has more than {MAX_VALUES:,} values; do aliases multiply them?")
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
    except (ValueError, LookupError) as error:  # such as `!!int text`
        raise ContractError(f"{path.name} has a value that does not match its tag: {error}") from None
    if not isinstance(data, dict):
        raise ContractError(f"{path.name}:1:1: an OpenAPI document is a mapping that starts with `openapi: 3.0.3`")
    document = Document(path, text, data, marks)
    return Document(path, text, _plain(document, data, ""), marks)


def _check_syntax(text: str, name: str, loader_type: type[yaml.SafeLoader]) -> None:
    """Raise for a syntax error, and for nesting on which the recursive parts of a YAML library would fail."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=loader_type):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH and event.start_mark:
                raise _too_deep(name, event.start_mark.line + 1, event.start_mark.column + 1)
    except yaml.MarkedYAMLError:
        for _ in yaml.parse(text, Loader=_PythonLoader):  # its messages are clearer than those of the parser in C
            pass
        raise


def _too_deep(name: str, line: int, column: int) -> ContractError:
    where = f"{name}:{line}:{column}"
    return ContractError(f"{where}: nested more than {MAX_DEPTH} levels deep; does an alias refer to itself?")


def _marks(node: yaml.Node, pointer: str, name: str, depth: int = 0) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield pointer, line and column of every value, and make every key text.

    A status without quotes is a number to YAML, but text to OpenAPI.
    """
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    yield pointer, (line, column)
    if node.tag not in _TAGS:
        kind = node.tag.rpartition(":")[2]
        raise ContractError(f"{name}:{line}:{column}: {kind} is no type that JSON has; put the value in quotes")
    if depth > MAX_DEPTH:
        raise _too_deep(name, line, column)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag == _BOOL:
                raise ContractError(f"{name}:{line}:{column}: a key must be text; put it in quotes")
            if key.value in seen:
                raise ContractError(f"{name}:{line}:{column}: the key {key.value!r} is there twice; remove one")
            seen.add(key.value)
            if key.tag != _MERGE:
                key.tag = _TEXT
            below = pointer + join([key.value])
            yield from _marks(value, below, name, depth + 1)
            yield below, (line, column)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _marks(item, f"{pointer}/{index}", name, depth + 1)


def _plain(document: Document, value: Any, pointer: str) -> Any:
    """Return a copy that shares nothing. JSON writes an emoji as two surrogates, which become one character."""
    if isinstance(value, dict):
        return {
            _plain(document, key, pointer): _plain(document, each, pointer + join([key])) for key, each in value.items()
        }
    if isinstance(value, list):
        return [_plain(document, item, f"{pointer}/{index}") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise document.error(pointer, f"{value} is no number that JSON has")
    if isinstance(value, str) and not value.isascii():
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise document.error(pointer, "half of a surrogate pair, which is no character; remove it") from None
    return value
