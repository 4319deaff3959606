"""Compares a response with the contract.

Restrictions that this contract chose itself (length, pattern, bound, format, null: `x-source: decision`) are observed
but never a breach. Types and required properties always count, because the API reference and its examples show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from metastudio.contract.json_pointer import join
from metastudio.tester.http_client import HttpResponse
from metastudio.tester.operation_under_test import OperationUnderTest, SchemaResolver
from metastudio.tester.values import parse_instant

LENIENT = (
    "minLength", "maxLength", "pattern", "format", "enum", "minimum", "maximum", "minItems", "maxItems", "nullable",
)  # fmt: skip
"""Keywords that are only observed if this contract chose them."""
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip
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
    if response.status >= 400 and any(_TRACE.search(text) for text in _texts(response)):
        yield ResponseFault("a stack trace or exception name", f"{tested.pointer}/responses", True, "leak")
    if response.status >= 500:
        yield ResponseFault(f"status {response.status}", f"{tested.pointer}/responses", True, "failure")
    declared = tested.response(response.status)
    if declared is None:
        if response.status < 500:
            what = f"status {response.status}, which the contract does not declare"
            yield ResponseFault(what, f"{tested.pointer}/responses", True, "status")
        return
    pointer, declaration = declared
    is_choice = declaration.get("x-source") in ("decision", "unstated")
    for name in declaration.get("headers", {}):
        yield from _header(tested.resolver, f"{pointer}/headers/{name}", name, response, is_choice)
    content = declaration.get("content", {})
    if not content or response.method == "HEAD":
        return
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in content:
        what = f"content type {kind or 'missing'}, not {', '.join(content)}"
        yield ResponseFault(what, f"{pointer}/content", not is_choice, "content")
    body = f"{pointer}/content/application~1json/schema"
    if tested.document.at(body) is None:
        return
    if not response.is_json:
        yield ResponseFault("a body that is not JSON", body, not is_choice, "content")
        return
    for fault in violations(tested.resolver, body, response.json):
        yield ResponseFault(fault.what, fault.pointer, fault.blamed and not is_choice, "body")


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
        for fault in violations(resolver, f"{at}/schema", value, f"header {name}"):
            yield ResponseFault(fault.what, fault.pointer, fault.blamed and not lenient, "header")


def violations(resolver: SchemaResolver, pointer: str, value: Any, where: str = "body") -> Iterator[ResponseFault]:
    """Yield the violations of the schema at a pointer.

    Args:
        resolver: resolves the schemas.
        pointer: JSON pointer of the schema.
        value: the value.
        where: name of the value in messages.
    """
    schema, at = resolver.resolve(pointer)
    if value is None and schema.get("nullable"):
        return
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            yield from _of_any(resolver, at, kind, schema, value, where)
    for index in range(len(schema.get("allOf", []))):
        yield from violations(resolver, f"{at}/allOf/{index}", value, where)
    wanted = schema.get("type")
    if wanted and not _is(wanted, value):
        yield _fault(schema, at, "type", f"{where} is {_kind(value)}, not {wanted}")
        return
    yield from _scalar(schema, at, value, where)
    if isinstance(value, list):
        for keyword, wrong in (
            ("minItems", len(value) < schema.get("minItems", 0)),
            ("maxItems", len(value) > schema.get("maxItems", len(value))),
        ):
            if wrong:
                yield _fault(schema, at, keyword, f"{where} has {len(value)} elements")
        for index, element in enumerate(value if "items" in schema else []):
            yield from violations(resolver, f"{at}/items", element, f"{where}/{index}")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield _fault(schema, at, "required", f"{where} has no {name}")
        for name in schema.get("properties", {}):
            if name in value:
                yield from violations(resolver, at + join(["properties", name]), value[name], f"{where}/{name}")


def _of_any(
    resolver: SchemaResolver, at: str, kind: str, schema: Mapping[str, Any], value: Any, where: str
) -> Iterator[ResponseFault]:
    """The faults of the best matching branch, the last one on a tie."""
    branches = [list(violations(resolver, f"{at}/{kind}/{n}", value, where)) for n in range(len(schema[kind]))]
    yield from min(reversed(branches), key=lambda found: (sum(each.blamed for each in found), len(found)), default=[])


def _scalar(schema: Mapping[str, Any], at: str, value: Any, where: str) -> Iterator[ResponseFault]:
    if "enum" in schema and value not in schema["enum"]:
        yield _fault(schema, at, "enum", f"{where} is not a listed value")
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield _fault(schema, at, "minLength", f"{where} is shorter than {schema['minLength']} characters")
        if len(value) > schema.get("maxLength", len(value)):
            yield _fault(schema, at, "maxLength", f"{where} is longer than {schema['maxLength']} characters")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield _fault(schema, at, "pattern", f"{where} does not match {schema['pattern']}")
        if schema.get("format") == "date-time" and parse_instant(value) is None:
            yield _fault(schema, at, "format", f"{where} is not an RFC 3339 time")
        if schema.get("format") == "uri" and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", value):
            yield _fault(schema, at, "format", f"{where} is not a URI")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield _fault(schema, at, "minimum", f"{where} is below {schema['minimum']}")
        if value > schema.get("maximum", value):
            yield _fault(schema, at, "maximum", f"{where} is above {schema['maximum']}")


def source(schema: Mapping[str, Any], keyword: str) -> str:
    """Return the source of a keyword of a schema: `page` (the API reference), `decision` or `unstated`."""
    said = schema.get("x-source", "page")
    return str(said.get(keyword, "page")) if isinstance(said, dict) else str(said)


def _fault(schema: Mapping[str, Any], at: str, keyword: str, what: str) -> ResponseFault:
    blamed = keyword not in LENIENT or source(schema, keyword) == "page"
    return ResponseFault(what, f"{at}/{keyword}", blamed, "body")


def _is(wanted: str, value: Any) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, object))


def _kind(value: Any) -> str:
    return (
        "null"
        if value is None
        else next((n for n in ("boolean", "integer", "number", "string", "array", "object") if _is(n, value)), "?")
    )
