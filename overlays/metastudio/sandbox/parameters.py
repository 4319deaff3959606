"""Parsing of a request's parameters and their validation against the contract. Unknown parameters are ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any
from urllib.parse import parse_qsl

from openapi_schema_validator import OAS30Validator, oas30_format_checker

from metastudio.contract.instants import parse_instant
from metastudio.contract.operation import Parameter
from metastudio.sandbox.http import RefusedError

_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_FORMATS = copy(oas30_format_checker)
_FORMATS.checkers = {
    **oas30_format_checker.checkers,
    "date-time": (lambda value: not isinstance(value, str) or parse_instant(value) is not None, ()),
}


def split_query(query: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string, in order. A plus sign is a space. Raises RefusedError."""
    if _BROKEN_PERCENT.search(query):
        raise RefusedError("bad_request", reason="broken percent-encoding")
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RefusedError("bad_request", reason="the URL is not UTF-8") from None


def choose(parameter: Parameter, texts: Sequence[str]) -> str | list[str]:
    """Return the value of a parameter, a list for an array. Raises RefusedError if it is repeated."""
    if parameter.is_array and not parameter.joined:
        return list(texts)
    if len(texts) > 1:
        raise RefusedError("invalid_parameter", reason=f"{parameter.name} is given {len(texts)} times")
    return texts[0].split(",") if parameter.is_array else texts[0]


def convert(schema: Mapping[str, Any], text: str) -> Any:
    """Convert a text to the type of a schema. Returns the text itself if it does not fit the type."""
    types, values = set(_types(schema)) or {"string"}, list[Any]()
    if "boolean" in types and text in ("true", "false"):
        values.append(text == "true")
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        values.append(int(text))
    elif "number" in types and _NUMBER.fullmatch(text):
        values.append(float(text))
    if "string" in types:
        values.append(text)
    return next((value for value in values if not invalid_keyword(schema, value)), values[0] if values else text)


def invalid_keyword(schema: Mapping[str, Any], value: Any) -> str | None:
    """Return where a value is invalid under a schema and which keyword says so, or None if it is valid."""
    for failure in OAS30Validator(schema, format_checker=_FORMATS).iter_errors(value):
        return f"{'.'.join(map(str, failure.absolute_path))} ({failure.validator})".lstrip()
    return None


def check(parameter: Parameter, value: Any) -> None:
    """Raise RefusedError if a value is invalid under the parameter's schema."""
    if keyword := invalid_keyword(parameter.schema, value):
        raise RefusedError("invalid_parameter", reason=f"{parameter.name} {keyword}")


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") in ("boolean", "integer", "number", "string"):
        yield schema["type"]
    for keyword in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(keyword, []):
            yield from _types(branch)
