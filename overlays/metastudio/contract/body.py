"""Checks the body of a request against the contract before it is sent.

Like `metastudio.contract.arguments`, it rejects only certain mistakes: a missing required member, an unknown member of
a closed object, a wrong type. Bounds are left to the server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any

from metastudio.contract.arguments import check_time, check_unicode, epoch_time
from metastudio.contract.operation import EPOCHS

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a string", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("True or False", (bool,)),
    "array": ("a list", (list, tuple)),
    "object": ("an object", (Mapping,)),
}


def check_body(schema: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """Return the JSON of a body.

    Args:
        schema: Its schema, without references.
        value: A generated model or a mapping.

    Raises:
        TypeError: It is neither, or a member has the wrong type.
        ValueError: A member is missing, unknown, or none of the values that the contract allows.
    """
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if not isinstance(value, Mapping):
        raise TypeError(f"body must be a model or a dict, not {type(value).__name__}")
    result: dict[str, Any] = _json(schema, value, "body")
    return result


def _json(schema: Mapping[str, Any], value: Any, place: str) -> Any:
    """Return a value as JSON; `place` names it in errors."""
    if isinstance(value, Enum):
        value = value.value
    schema = _with_parts(schema)
    if value is None and (schema.get("nullable") or not schema.get("type")):
        return None
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            return _first_that_fits(schema[kind], value, place)
    if schema.get("format") in EPOCHS:
        value = epoch_time(place, value, EPOCHS[schema["format"]])
    if isinstance(value, datetime):
        return check_time(place, value).astimezone(UTC).isoformat().replace("+00:00", "Z")
    if "type" in schema:
        expected, types = _TYPES[schema["type"]]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"{place} must be {expected}, not {type(value).__name__}")  # the value may be personal
    if isinstance(value, str):
        check_unicode(place, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be a finite number, not {value}")
    if "enum" in schema and value not in schema["enum"]:
        raise ValueError(f"{place} must be one of {', '.join(map(repr, schema['enum']))}, not {value!r}")
    if isinstance(value, Mapping):
        return _object(schema, value, place)
    if isinstance(value, list | tuple):
        return [_json(schema.get("items", {}), item, f"{place}[{index}]") for index, item in enumerate(value)]
    if value is not None and not isinstance(value, str | int | float):
        raise TypeError(f"{place} cannot be sent as JSON: {type(value).__name__}")
    return value


def _object(schema: Mapping[str, Any], value: Mapping[Any, Any], place: str) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            raise ValueError(f"{place}.{name} is missing; the contract requires it")
    result: dict[str, Any] = {}
    for name, each in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{place} must have names as keys, not {name!r}")
        check_unicode(f"a name in {place}", name)
        if name not in properties and others is False:
            close = get_close_matches(name, properties, 1)
            remedy = f"did you mean {close[0]}?" if close else f"it has {', '.join(properties)}"
            raise ValueError(f"{place} has no member {name!r}; {remedy}")
        rule = properties.get(name, others)
        result[name] = _json(rule if isinstance(rule, Mapping) else {}, each, f"{place}.{name}")
    return result


def _with_parts(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with the parts of its `allOf` merged into it."""
    if "allOf" not in schema:
        return schema
    parts = [_with_parts(part) for part in schema["allOf"]]
    merged = {key: value for part in (*parts, schema) for key, value in part.items() if key != "allOf"}
    merged["properties"] = {
        name: each for part in (*parts, schema) for name, each in part.get("properties", {}).items()
    }
    merged["required"] = [name for part in (*parts, schema) for name in part.get("required", ())]
    return merged


def _first_that_fits(schemas: list[Mapping[str, Any]], value: Any, place: str) -> Any:
    problem: Exception | None = None
    for schema in schemas:
        try:
            return _json(schema, value, place)
        except (TypeError, ValueError) as error:
            problem = problem or error
    raise problem or ValueError(f"{place} fits none of the alternatives")
