"""Reads the parameters of a request and checks them against the contract.

What the contract allows is accepted, what it forbids is refused; what it does not mention is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from jsonschema import FormatChecker
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from metastudio.contract.operation import Parameter
from metastudio.sandbox.http import RefusedError
from metastudio.sandbox.instants import instant

_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_SCALARS = ("boolean", "integer", "number", "string")

_FORMATS = FormatChecker(())
_FORMATS.checkers = {
    **oas30_format_checker.checkers,
    "date-time": (lambda value: not isinstance(value, str) or instant(value) is not None, ()),
}


def decode(text: bytes) -> str:
    """Undo percent-encoding. Raises RefusedError where it is broken or does not give UTF-8."""
    if _BROKEN_PERCENT.search(text):
        raise RefusedError("bad_request", reason="broken percent-encoding")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise RefusedError("bad_request", reason="the URL is not UTF-8") from None


def split_query(query: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string in their order; a plus sign is a blank. Raises RefusedError."""
    parts = [part.partition(b"=") for part in query.replace(b"+", b" ").split(b"&") if part]
    return [(decode(name), decode(value)) for name, _, value in parts]


def choose(parameter: Parameter, texts: Sequence[str]) -> str | list[str]:
    """Return the one value of a parameter, the list of them for an array. Raises RefusedError for one given twice."""
    if parameter.is_array and not parameter.joined:
        return list(texts)
    if len(texts) > 1:
        raise RefusedError("invalid_parameter", reason=f"{parameter.name} is given {len(texts)} times")
    return texts[0].split(",") if parameter.is_array else texts[0]


def convert(schema: Mapping[str, Any], text: str) -> Any:
    """Return the value that a text stands for under a schema, the text itself where it stands for none."""
    candidates = list(_candidates(schema, text))
    return next((value for value in candidates if accepts(schema, value)), candidates[0] if candidates else text)


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """Return whether a schema of the contract accepts a value."""
    return bool(OAS30Validator(schema, format_checker=_FORMATS).is_valid(value))


def check(parameter: Parameter, value: Any) -> None:
    """Raise RefusedError when the contract does not allow the value."""
    for failure in OAS30Validator(parameter.schema, format_checker=_FORMATS).iter_errors(value):
        raise RefusedError("invalid_parameter", reason=f"{parameter.name} ({failure.validator})")


def _candidates(schema: Mapping[str, Any], text: str) -> Iterator[Any]:
    kinds = set(_kinds(schema)) or {"string"}
    if "boolean" in kinds and text in ("true", "false"):
        yield text == "true"
    if kinds & {"integer", "number"} and _INTEGER.fullmatch(text):
        yield int(text)
    elif "number" in kinds and _NUMBER.fullmatch(text):
        yield float(text)
    if "string" in kinds:
        yield text


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") in _SCALARS:
        yield schema["type"]
    for kind in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(kind, []):
            yield from _kinds(branch)
