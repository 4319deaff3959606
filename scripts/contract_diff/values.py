"""How two schemas differ in the values that they allow, and in words.

What contains what is decided by jsonschema-rs, which brings schemas to a canonical form; here are the translation from
OpenAPI 3.0 to JSON Schema, and the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema_rs.canonical import Containment
from metastudio.contract.compiler import known_values

_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


def narrowed_and_widened(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether values were allowed and may be no more, and whether values are allowed that may not have been.

    The schemas are those of `compile.plain`. What cannot be decided (two patterns, say) counts as both.
    """
    if old == new:
        return False, False
    before, after = (
        jsonschema_rs.canonicalize(_json_schema(each), draft=jsonschema_rs.Draft202012, validate_formats=True)
        for each in (old, new)
    )
    return after.covers(before) != Containment.YES, before.covers(after) != Containment.YES


def listed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the values that only the new schema lists, and those that only the old one did."""
    before, after = known_values(old)[0], known_values(new)[0]
    return [value for value in after if value not in before], [value for value in before if value not in after]


def kinds(schema: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    """Return the types and formats that a schema allows: what a generated type is made of."""
    return {(each.get("type"), each.get("format")) for each in _branches(schema)}


def words(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Say how two schemas differ."""
    added, removed = listed(old, new)
    if added:
        yield f"lists {', '.join(map(str, added))} too"
    if removed:
        yield f"lists {', '.join(map(str, removed))} no more"
    before, after = known_values(old), known_values(new)
    if _allows_null(old) != _allows_null(new):
        yield "may be null now" if _allows_null(new) else "may not be null any more"
    if before[0] and after[0] and before[1] != after[1]:
        yield "no other value is allowed now" if after[1] else "other values are allowed now"
        return
    first, second = _constraints(old), _constraints(new)
    for key in dict.fromkeys([*first, *second]):
        if first.get(key) != second.get(key):
            yield f"{key} {_shown(first.get(key))} -> {_shown(second.get(key))}"


def _branches(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = [branch for kind in _ALTERNATIVES for each in schema.get(kind, []) for branch in _branches(each)]
    yield from found or [schema]


def _allows_null(schema: Mapping[str, Any]) -> bool:
    return any(each.get("nullable", False) for each in (schema, *_branches(schema)))


def _constraints(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a schema and of its one branch that is no list of values; of several, by number."""
    own = {key: value for key, value in schema.items() if key not in ("enum", "nullable", *_ALTERNATIVES)}
    others = [_constraints(each) for kind in _ALTERNATIVES for each in schema.get(kind, []) if "enum" not in each]
    for number, each in enumerate(others, start=1):
        own |= each if len(others) == 1 else {f"alternative {number}, {key}": value for key, value in each.items()}
    return own


def _shown(value: Any) -> str:
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
    if schema.get("nullable") and "type" in schema:  # without a type beside it, it says nothing
        result["type"] = [schema["type"], "null"]
    return result
