"""Compares a response with the contract. The validator of its schemas is `OAS30Validator`.

Restrictions that this contract chose itself (length, pattern, bound, format, null: `x-source: decision`) are observed
but never a breach. Types and required properties always count, because the API reference and its examples show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, cast

from jsonschema.exceptions import ValidationError

from metastudio.tester.http_client import HttpResponse
from metastudio.tester.operation_under_test import OperationUnderTest, media_types
from metastudio.tester.schema_validator import SchemaResolver

LENIENT = (
    "minLength", "maxLength", "pattern", "format", "enum", "minimum", "maximum", "multipleOf", "minItems", "maxItems",
    "uniqueItems", "additionalProperties", "nullable",
)  # fmt: skip
"""Keywords that are only observed if this contract chose them."""
MAX_SHOWN_RULE = 100
"""Characters of a rule in a message."""
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|File \\?\"[^\"]+\\?\", line \d+|^\s*at [\w.$<>]+\([\w.]+:\d+\)|"
    r"\bat [\w$]+(?:\.[\w$<>]+)+\([\w]+\.(?:java|kt|scala|cs):\d+\)|goroutine \d+ \[|panic: |SQLSTATE|"
    r"\b(?:java|javax|org\.springframework)\.[\w.]+Exception|node_modules/|ORA-\d{5}|sqlite3\.\w*Error|\.py\", line",
    re.MULTILINE,
)


@dataclass(frozen=True)
class ResponseFault:
    """A difference between a response and the contract.

    Args:
        what: the difference in words.
        pointer: JSON pointer of the broken rule.
        blamed: whether it is a breach; false for rules that this contract chose.
        kind: ID of the property that it breaks.
    """

    what: str
    pointer: str
    blamed: bool
    kind: str


def faults(tested: OperationUnderTest, response: HttpResponse) -> Iterator[ResponseFault]:
    """Yield the faults of a response: status, content type, headers, body and leaked internals."""
    statuses, status = f"{tested.pointer}/responses", response.status
    if status >= 400 and any(_TRACE.search(text) for text in _texts(response)):
        yield ResponseFault("a stack trace or exception name", statuses, True, "leak")
    if status >= 500:
        yield ResponseFault(f"status {status}", statuses, True, "failure")
    declared = tested.response(status)
    if declared is None:
        if status < 500:
            yield ResponseFault(f"status {status}, which the contract does not declare", statuses, True, "status")
        return
    pointer, declaration = declared
    is_choice = declaration.get("x-source") in ("decision", "unstated")
    for name in declaration.get("headers", {}):
        yield from _header(tested.resolver, f"{pointer}/headers/{name}", name, response, is_choice)
    content = declaration.get("content", {})
    if not content or response.method == "HEAD":
        return
    kind, declared_types = _bare(response.headers.get("content-type", "")), media_types(declaration)
    if not any(fnmatchcase(kind, _bare(each)) for each in declared_types):
        what = f"content type {kind or 'missing'}, not {', '.join(declared_types)}"
        yield ResponseFault(what, f"{pointer}/content", not is_choice, "content")
    body = f"{pointer}/content/application~1json/schema"
    if tested.document.at(body) is None:
        return
    if not response.is_json:
        yield ResponseFault("a body that is not JSON", body, not is_choice, "content")
        return
    key = body, sha256(response.body).digest()  # most bodies of a run are equal to another one
    if key not in tested.resolver.judged:
        tested.resolver.judged[key] = tuple(violations(tested.resolver, body, response.json))
    for fault in tested.resolver.judged[key]:
        yield replace(fault, blamed=fault.blamed and not is_choice)


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _texts(response: HttpResponse) -> Iterator[str]:
    """The raw body, and each decoded JSON string in it."""
    yield response.body.decode("utf-8", "replace")
    pending = [response.json] if response.is_json else []
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value


def _header(
    resolver: SchemaResolver, pointer: str, name: str, response: HttpResponse, is_choice: bool
) -> Iterator[ResponseFault]:
    header, at = resolver.resolve(pointer)
    value = response.headers.get(name)
    lenient = is_choice or header.get("x-source") in ("decision", "unstated")
    if value is None:
        if header.get("required"):
            yield ResponseFault(f"header {name} is missing", at, not lenient, "header")
    elif "schema" in header:
        is_number = resolver.resolve(f"{at}/schema")[0].get("type") in ("integer", "number")
        read: Any = _number(value) if is_number else value
        for fault in violations(resolver, f"{at}/schema", read, f"header {name}"):
            yield replace(fault, blamed=fault.blamed and not lenient, kind="header")


def _number(text: str) -> Any:
    """Return the number that a header holds, or the text if it holds none."""
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def violations(resolver: SchemaResolver, pointer: str, value: Any, where: str = "body") -> Iterator[ResponseFault]:
    """Yield the violations of the schema at a pointer.

    Args:
        resolver: resolves the schemas.
        pointer: JSON pointer of the schema.
        value: the value.
        where: name of the value in messages.
    """
    found = (_leaf(error) for error in resolver.validator(pointer).iter_errors(value))
    yield from dict.fromkeys(_fault(resolver, pointer, error, where) for errors in found for error in errors)


def _leaf(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the best matching branch of an `anyOf` or `oneOf`, the last one on a tie, or the error."""
    branches: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        branches.setdefault(each.schema_path[0], []).extend(_leaf(each))
    return min(reversed(branches.values()), key=lambda found: (sum(map(is_blamed, found)), len(found)), default=[error])


def is_blamed(error: ValidationError) -> bool:
    """Return whether an error counts as a breach: not if the contract itself chose the rule."""
    keyword, schema = str(error.validator), cast("Mapping[str, Any]", error.schema)
    return keyword not in LENIENT or source(schema, keyword) == "page"


def _fault(resolver: SchemaResolver, pointer: str, error: ValidationError, where: str) -> ResponseFault:
    at = "".join([where, *(f"/{part}" for part in error.absolute_path)])
    match error.validator:
        case "type":
            what = f"{at} is {_kind(error.instance)}, not {error.validator_value}"
        case "required":
            required, value = cast("list[str]", error.validator_value), cast("dict[str, Any]", error.instance)
            missing = [name for name in required if name not in value]
            what = f"{at} has no {', '.join(missing)}"
        case "enum":
            what = f"{at} is not a listed value"
        case "format":
            what = f"{at} is not a {error.validator_value}"
        case keyword:  # no value of the server: it may be secret
            what = f"{at} breaks {keyword}: {str(error.validator_value)[:MAX_SHOWN_RULE]}"
    return ResponseFault(what, resolver.pointer_of(pointer, error.absolute_schema_path), is_blamed(error), "body")


def source(schema: Mapping[str, Any], keyword: str) -> str:
    """Return the source of a keyword of a schema: `page` (the API reference), `decision` or `unstated`."""
    said = schema.get("x-source", "page")
    return str(said.get(keyword, "page")) if isinstance(said, dict) else str(said)


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
