"""Compare the sets of values that two schemas allow.

jsonschema-rs decides whether one set contains the other, by canonical forms. This module translates OpenAPI 3.0 schemas
to JSON Schema and describes the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema_rs.canonical import Containment
from metastudio.contract.compiler import known_values

_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


def narrowed_and_widened(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether values may have been removed from the allowed set, and whether values may have been added.

    Args:
        old: A schema as returned by `metastudio.contract.compiler.plain`.
        new: Another one.

    Returns:
        Narrowed, widened. Both are true if it cannot be decided, for example with two patterns.
    """
    if old == new:
        return False, False
    before, after = (
        jsonschema_rs.canonicalize(_json_schema(each), draft=jsonschema_rs.Draft202012, validate_formats=True)
        for each in (old, new)
    )
    return after.covers(before) != Containment.YES, before.covers(after) != Containment.YES


def listed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the enum values that only the new schema lists, and those that only the old one lists."""
    before, after = known_values(old)[0], known_values(new)[0]
    return [value for value in after if value not in before], [value for value in before if value not in after]


def types(schema: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    """Return the pairs of type and format that a schema allows, which decide the generated type."""
    return {(each.get("type"), each.get("format")) for each in _branches(schema)}


def describe(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Describe how two schemas differ."""
    added, removed = listed(old, new)
    if added:
        yield f"new values: {', '.join(map(str, added))}"
    if removed:
        yield f"removed values: {', '.join(map(str, removed))}"
    before, after = known_values(old), known_values(new)
    if _allows_null(old) != _allows_null(new):
        yield "now nullable" if _allows_null(new) else "no longer nullable"
    if before[0] and after[0] and before[1] != after[1]:
        yield "unlisted values no longer allowed" if after[1] else "unlisted values now allowed"
        return
    first, second = _constraints(old), _constraints(new)
    for key in dict.fromkeys([*first, *second]):
        if first.get(key) != second.get(key):
            yield f"{key} {_or_none(first.get(key))} -> {_or_none(second.get(key))}"


def _branches(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = [branch for kind in _ALTERNATIVES for each in schema.get(kind, []) for branch in _branches(each)]
    yield from found or [schema]


def _allows_null(schema: Mapping[str, Any]) -> bool:
    return any(each.get("nullable", False) for each in (schema, *_branches(schema)))


def _constraints(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a schema and of its alternatives other than enums, numbered if there are several."""
    own = {key: value for key, value in schema.items() if key not in ("enum", "nullable", *_ALTERNATIVES)}
    others = [_constraints(each) for kind in _ALTERNATIVES for each in schema.get(kind, []) if "enum" not in each]
    for number, each in enumerate(others, start=1):
        own |= each if len(others) == 1 else {f"alternative {number}, {key}": value for key, value in each.items()}
    return own


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("items", "not", "additionalProperties") and isinstance(value, dict):
            result[key] = _json_schema(value)
        elif key in _ALTERNATIVES:
            result[key] = [_json_schema(each) for each in value]
        elif key == "properties":
            result[key] = {name: _json_schema(each) for name, each in value.items()}
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            if value:  # true in OpenAPI 3.0, the bound itself in JSON Schema
                result[key] = schema[key.replace("exclusiveM", "m")]
        elif key not in ("nullable", "discriminator", "xml", "readOnly", "writeOnly", "deprecated", "externalDocs"):
            result[key] = value
    if schema.get("nullable") and "type" in schema:  # without a type, nullable has no effect
        result["type"] = [schema["type"], "null"]
    return result
