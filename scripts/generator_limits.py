"""Finds what openapi-python-client 0.29 would drop, rename or get wrong, mostly without a word.

Each case was run; docs/spec-authoring.md says what came of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from metastudio.contract.compiler import (
    class_name,
    compile_contract,
    operations,
    parameters,
    plain,
    success_schema,
)
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join
from metastudio.contract.naming import COMMANDS, LIST_COMMANDS, command_words, method_name, method_suffix, python_name
from metastudio.contract.validation import check_servable
from metastudio.lists.options import IterateOptions
from openapi_python_client.strings import ClassName

# Names that the generated code uses itself. It would rename or overwrite an argument or attribute of the same name.
_IN_FUNCTIONS = frozenset({"client", "url", "headers", "params", "cookies", "body", "quote"})
_IN_MODELS = frozenset(
    {
        "additional_properties",
        "additional_keys",
        "to_dict",
        "to_record",
        "from_dict",
        "src_dict",
        "field_dict",
        "cls",
        "d",
    }
)
_RETRY = "retry"
"""The option of methods that send a request again if asked to; see `Operation.idempotent`."""
# The options of `iterate`, which takes the filters of a list beside them.
_ITERATE_OPTIONS = frozenset(each.name for each in dataclasses.fields(IterateOptions))


def check_generator(document: Document) -> None:
    """Raise ContractError for the first thing that the generator cannot make as it stands."""
    check_servable(document)
    _check_methods(document)
    for pointer, operation in operations(document):
        _check_parameters(document, pointer, operation)
        _check_response(document, pointer)
    _check_commands(document)
    _check_classes(document)
    named = [f"/components/schemas{join([name])}" for name in document.at("/components/schemas") or {}]
    for pointer in (*_inline(document.data), *named):
        _check_schema(document, pointer)


def _check_methods(document: Document) -> None:
    """Check that no two operations of a tag have a method of the same name."""
    places: dict[tuple[str, str], str] = {}
    for pointer, operation in operations(document):
        tag, name = operation["tags"][0], operation["operationId"]
        suffix = method_suffix(name, tag)
        derived = [f"iterate{suffix}", f"iterate{suffix}_pages", f"find{suffix}", f"wait{suffix}"]
        for method in (method_name(name, tag), *(derived if "x-list" in operation else ())):
            at = f"{pointer}/operationId"
            if (tag, method) in places:
                line, _ = document.position(places[tag, method])
                message = f"{name} would have the method {tag}.{method}, as the operation on line {line}; rename one"
                raise document.error(at, message)
            places[tag, method] = at


def _check_classes(document: Document) -> None:
    """Check that no two schemas become a class of the same name."""
    places: dict[str, str] = {}
    for name in document.at("/components/schemas") or {}:
        at, made = f"/components/schemas{join([name])}", str(ClassName(name, ""))
        if made in places:
            line, _ = document.position(places[made])
            raise document.error(at, f"{name} would become the class {made}, as the schema on line {line}; rename one")
        places[made] = at


def _check_commands(document: Document) -> None:
    """Check that no two operations have a command of the same name."""
    compiled = compile_contract(document).operations
    places: dict[tuple[str, ...], str] = {}
    for pointer, raw in operations(document):
        words = command_words(compiled[raw["operationId"]], compiled)
        at = f"{pointer}/{'x-cli' if 'x-cli' in raw else 'operationId'}"
        message = f"{raw['operationId']} would have the command {' '.join(words)}, as "
        if words[0] in COMMANDS or (words[-1] in LIST_COMMANDS and len(words) > 1):
            raise document.error(at, f"{message}metastudio itself has; choose another with x-cli")
        if words in places:
            line, _ = document.position(places[words])
            raise document.error(at, f"{message}the operation on line {line}; choose another with x-cli")
        places[words] = at


def _inline(node: Any, pointer: str = "") -> Iterator[str]:
    """The pointers of the schemas of parameters, headers, bodies and responses."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                yield f"{pointer}/schema"
            elif key not in ("example", "examples", "schemas"):
                yield from _inline(value, pointer + join([key]))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _inline(value, f"{pointer}/{index}")


def _check_parameters(document: Document, pointer: str, operation: dict[str, Any]) -> None:
    paging = operation.get("x-list", {}).get("page", {})
    options = _ITERATE_OPTIONS if paging else frozenset[str]()
    places: dict[str, tuple[str, str]] = {}
    for at, parameter in parameters(document, pointer):
        name, where = parameter["name"], parameter["in"]
        if "schema" not in parameter:
            raise document.error(
                at, f"the generator drops {name}: a parameter needs a schema, because it does not read content"
            )
        schema = plain(document, f"{at}/schema")
        if where == "header" and (schema.get("type") == "array" or schema.get("format") == "date-time"):
            message = f"the generator drops an operation whose header {name} is a time or a list; use text"
            raise document.error(f"{at}/schema", message)
        own = python_name(name)
        paged = name in (paging.get("offset"), paging.get("limit"))
        retried = own == _RETRY and pointer.endswith(("/put", "/delete"))
        if own in _IN_FUNCTIONS or retried or (own in options and where == "query" and not paged):
            raise document.error(f"{at}/name", f"{name} is a name that the generated code uses itself; choose another")
        if own in places:
            line, _ = document.position(places[own][1])
            message = f"{name} and {places[own][0]} (line {line}) would both become the argument {own}; rename one"
            raise document.error(f"{at}/name", message)
        places[own] = name, at


def _check_response(document: Document, pointer: str) -> None:
    """Check that the response of an operation has a class, whose name does not change with its place."""
    found = success_schema(document, pointer)
    if found is None or class_name(document, found[1]) is not None:
        return
    schema = plain(document, found[1])
    if schema.get("type") == "object" or {"properties", "allOf"} & schema.keys():
        message = "a response that is an object needs a name: move it to components/schemas and refer to it"
        raise document.error(found[1], message)


def _check_schema(document: Document, pointer: str) -> None:
    """Check a schema and those inside it. References are checked where they lead."""
    schema = document.at(pointer)
    if not isinstance(schema, dict) or "$ref" in schema:
        return
    if schema.get("type") == "array" and "items" not in schema:
        raise document.error(pointer, "an array needs items: state what it holds")
    kinds = {type(value) for value in schema.get("enum", []) if value is not None}
    if len(kinds) > 1:
        raise document.error(f"{pointer}/enum", "the values of an enum are all text or all numbers")
    for name in schema.get("properties", {}):
        at = f"{pointer}/properties{join([name])}"
        if python_name(name) in _IN_MODELS:
            raise document.error(at, f"{name} is a name that the generated classes use themselves; it cannot be read")
        _check_schema(document, at)
    for key in ("items", "not", "additionalProperties"):
        if key in schema:
            _check_schema(document, f"{pointer}/{key}")
    for key in ("anyOf", "allOf", "oneOf"):
        for index in range(len(schema.get(key, []))):
            _check_schema(document, f"{pointer}/{key}/{index}")
