"""Reads any OpenAPI 3.0 or 3.1 contract for testing, which asks less of it than generating a client.

The tester leaves out what it cannot send or understand, operation by operation, and reports it. Our own vocabulary
(`x-list`, `x-item`) is checked as strictly as for generating: a mistake in it is an error with line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from metastudio.contract import ContractError, Document, load
from metastudio.contract.compiler import compile_operation, operations, parameters, plain
from metastudio.contract.operation import Operation
from metastudio.contract.validation import check_vocabulary

ALIAS = "x-metastudio-alias"
"""Marks the entry `application/json` that stands for another JSON media type."""
_NAMED = ("properties", "patternProperties", "schemas", "parameters", "headers", "responses")
"""Keywords whose values are mappings from names."""
_DATA = ("example", "examples", "default", "enum", "const")
"""Keywords whose values are not schemas."""
_DROPPED = ("$id", "$schema", "$anchor", "$dynamicAnchor", "$comment", "prefixItems", "const")
_NULL = {"enum": [None], "nullable": True}
_IGNORED_HEADERS = ("accept", "content-type", "authorization")
"""Headers that OpenAPI does not allow as parameters."""
Compiled = list[tuple[str, Operation]]


class UnsendableError(ValueError):
    """An operation needs a parameter that cannot be sent."""


def read(path: Path, notes: list[str]) -> tuple[Document, Compiled]:
    """Return a contract in the form of OpenAPI 3.0, and its operations by JSON pointer.

    Args:
        path: the contract.
        notes: receives what is left out.

    Raises:
        ContractError: the contract is unreadable, or its `x-list` or `x-item` is wrong.
    """
    written = load(path)
    version = str(written.data.get("openapi", ""))
    if not re.match(r"3\.[01]\.", version):
        raise written.error("/openapi", f"the contract tester reads OpenAPI 3.0 and 3.1, not {version or 'nothing'!r}")
    if not isinstance(written.data.get("paths"), dict):
        raise written.error("/paths", "the contract has no mapping `paths`")
    document = replace(written, data=_in_version_30(written.data))
    ids: set[str] = set()
    for pointer, raw in operations(document):
        if not isinstance(raw, dict):
            raise document.error(pointer, "an operation is a mapping")
        words = re.findall(r"\w+", pointer.split("/")[2].replace("~1", "/"))
        name = str(raw.get("operationId") or "_".join([pointer.rpartition("/")[2], *words]))
        raw["operationId"] = name if name not in ids else f"{name}_{len(ids)}"
        raw["tags"] = [*(raw.get("tags") or []), "default"]
        ids.add(raw["operationId"])
    found: Compiled = []
    for pointer, raw in operations(document):
        try:
            notes += (f"{raw['operationId']}: {each}" for each in _drop_parameters(document, pointer))
            reason = _reason(raw, pointer)
        except (ContractError, AttributeError, KeyError, TypeError, ValueError) as error:
            reason = _describe(error)
        if not reason:
            try:
                check_vocabulary(document, pointer, raw)
            except (AttributeError, KeyError, TypeError):
                message = "the parameters or the response of this operation are malformed"
                raise document.error(f"{pointer}/x-list", message) from None
            try:
                found.append((pointer, compile_operation(document, pointer, raw)))
            except (ContractError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
                reason = _describe(error)
        if reason:
            notes.append(f"{raw['operationId']} cannot be tested: {reason}")
    return document, found


def _describe(error: Exception) -> str:
    if isinstance(error, ContractError):
        return str(error).partition("\n")[0]
    return str(error) if isinstance(error, UnsendableError) else f"its declaration is malformed: {error}"


def _reason(raw: dict[str, Any], pointer: str) -> str:
    """Return why an operation cannot be tested, "" if it can."""
    statuses = [status for status in raw["responses"] if status.startswith("2")]
    if not statuses or not all(status.isdigit() for status in statuses):
        return "it declares no success by its number, such as 200"
    body = raw.get("requestBody")
    if pointer.endswith("/get") or body is None or "$ref" in body or "application/json" in body.get("content", {}):
        return ""
    return "its request body is not JSON"


def _drop_parameters(document: Document, pointer: str) -> Iterator[str]:
    """Remove the parameters that cannot be sent, and yield each reason. Raise UnsendableError for a required one."""
    for owner in (pointer.rpartition("/")[0], pointer):
        node = document.at(owner)
        kept: list[Any] = []
        for index, raw in enumerate(node.get("parameters") or []):
            parameter, at = document.resolve(raw, f"{owner}/parameters/{index}")
            if parameter["in"] == "header" and parameter["name"].lower() in _IGNORED_HEADERS:
                continue
            reason = _unsendable(document, parameter, at)
            if not reason:
                kept.append(raw)
            elif parameter.get("required"):
                raise UnsendableError(f"its parameter {parameter['name']} is required, but {reason}")
            else:
                yield f"the parameter {parameter['name']} is never sent, because {reason}"
        if "parameters" in node:
            node["parameters"] = kept
    for _, parameter in parameters(document, pointer):
        schema = parameter["schema"]
        if len(schema.get("allOf", [])) == 1:  # as FastAPI writes an enum
            own = {key: value for key, value in schema.items() if key != "allOf"}
            parameter["schema"] = {**document.resolve(schema["allOf"][0], "")[0], **own}


def _unsendable(document: Document, parameter: dict[str, Any], at: str) -> str:
    if parameter["in"] not in ("path", "query", "header", "cookie") or not isinstance(parameter["name"], str):
        return f"its place is {parameter['in']}"
    if not isinstance(parameter.get("schema"), dict):
        return "it has no schema"
    if parameter.get("style", "form") not in ("form", "simple"):
        return f"style {parameter['style']} is not supported"
    schema = plain(document, f"{at}/schema")
    items = schema.get("items", {})
    if schema.get("type") == "object" or "properties" in schema or items.get("type") in ("array", "object"):
        return "it is an object or holds some"
    return ""


def _in_version_30(node: Any) -> Any:
    """Return a copy of a part of a document, with its schemas in the form of OpenAPI 3.0."""
    if isinstance(node, list):
        return [_in_version_30(each) for each in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED and isinstance(value, dict):
            found[key] = {name: _in_version_30(each) for name, each in value.items()}
        else:
            found[key] = value if key in _DATA or key.startswith("x-") else _in_version_30(value)
    if isinstance(found.get("content"), dict):
        _add_alias(found["content"])
    return _schema(found)


def _add_alias(content: dict[str, Any]) -> None:
    """Let `application/json` stand for a JSON media type of another name."""
    other = [name for name in content if re.fullmatch(r"application/(json|.*\+json)\s*(;.*)?", name.lower())]
    if other and "application/json" not in content and isinstance(content[other[0]], dict):
        content["application/json"] = {**content[other[0]], ALIAS: other[0]}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Rewrite what OpenAPI 3.1 says differently: null as a type, `const`, and exclusive bounds that are numbers."""
    if isinstance(kinds := schema.get("type"), list):
        rest = [each for each in kinds if each != "null"]
        schema.pop("type")
        schema |= {"nullable": True} if len(rest) < len(kinds) else {}
        if len(rest) == 1:
            schema["type"] = rest[0]
        else:
            schema |= {"anyOf": [{"type": each} for each in rest]} if rest else _NULL
    elif kinds == "null":
        return dict(_NULL)
    if "const" in schema and not isinstance(schema["const"], dict):
        schema["enum"] = [schema["const"]]
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if isinstance(value := schema.get(exclusive), int | float) and not isinstance(value, bool):
            schema |= {bound: value, exclusive: True}
    for kind in ("anyOf", "oneOf"):
        branches = schema.get(kind)
        if isinstance(branches, list) and _NULL in branches:
            rest = [each for each in branches if each != _NULL]
            schema |= {kind: rest, "nullable": True}
            if len(rest) == 1 and isinstance(rest[0], dict):
                schema.pop(kind)
                schema |= {"allOf": rest} if "$ref" in rest[0] else {**rest[0], **schema}
    return schema if schema.keys().isdisjoint(_DROPPED) else {k: v for k, v in schema.items() if k not in _DROPPED}
