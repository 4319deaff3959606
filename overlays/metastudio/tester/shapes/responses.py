"""Whether an answer is what the contract declares, and whose rule it breaks if not: the page's or our own.

A decided restriction (length, pattern, bound, format, null) is never held against a server. What a decision says of
types and of required properties stands on the page's table and on all of its examples, and is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from metastudio.contract.json_pointer import join
from metastudio.tester.http_client import Answer
from metastudio.tester.operation_under_test import Schemas, Subject
from metastudio.tester.values import instant

LENIENT = (
    "minLength", "maxLength", "pattern", "format", "enum", "minimum", "maximum", "minItems", "maxItems", "nullable",
)  # fmt: skip
"""Keywords that are not held against a server where they were decided."""
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
class Fault:
    """Where an answer differs from the contract. `blamed` is false for what we decided on our own."""

    what: str
    pointer: str
    blamed: bool
    kind: str


def faults(subject: Subject, answer: Answer) -> Iterator[Fault]:
    """Yield everything that is wrong with an answer: status, type of body, headers, body, leaks."""
    if answer.status >= 400 and any(_TRACE.search(text) for text in _texts(answer)):
        yield Fault("a stack trace, or the name of what failed inside", f"{subject.pointer}/responses", True, "leak")
    if answer.status >= 500:
        yield Fault(f"status {answer.status}", f"{subject.pointer}/responses", True, "failure")
    declared = subject.response(answer.status)
    if declared is None:
        if answer.status < 500:
            what = f"status {answer.status}, which the contract does not know"
            yield Fault(what, f"{subject.pointer}/responses", True, "status")
        return
    pointer, response = declared
    ours = response.get("x-source") in ("decision", "unstated")
    for name in response.get("headers", {}):
        yield from _header(subject.schemas, f"{pointer}/headers/{name}", name, answer, ours)
    content = response.get("content", {})
    if not content or answer.method == "HEAD":
        return
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in content:
        what = f"content type {kind or 'missing'}, not {', '.join(content)}"
        yield Fault(what, f"{pointer}/content", not ours, "content")
    body = f"{pointer}/content/application~1json/schema"
    if subject.document.at(body) is None:
        return
    if not answer.is_json:
        yield Fault("a body that is not JSON", body, not ours, "content")
        return
    for fault in violations(subject.schemas, body, answer.json):
        yield Fault(fault.what, fault.pointer, fault.blamed and not ours, "body")


def _texts(answer: Answer) -> Iterator[str]:
    """The body as it came, and each text in it without the escapes of JSON."""
    yield answer.body.decode("utf-8", "replace")
    waiting = [answer.json] if answer.is_json else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value


def _header(schemas: Schemas, pointer: str, name: str, answer: Answer, ours: bool) -> Iterator[Fault]:
    header, at = schemas.at(pointer)
    value = answer.headers.get(name)
    lenient = ours or header.get("x-source") in ("decision", "unstated")
    if value is None:
        if header.get("required"):
            yield Fault(f"no header {name}", at, not lenient, "header")
    elif "schema" in header:
        for fault in violations(schemas, f"{at}/schema", value, f"header {name}"):
            yield Fault(fault.what, fault.pointer, fault.blamed and not lenient, "header")


def violations(schemas: Schemas, pointer: str, value: Any, where: str = "body") -> Iterator[Fault]:
    """Yield where a value breaks the schema at a pointer."""
    schema, at = schemas.at(pointer)
    if value is None and schema.get("nullable"):
        return
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            yield from _of_any(schemas, at, kind, schema, value, where)
    for index in range(len(schema.get("allOf", []))):
        yield from violations(schemas, f"{at}/allOf/{index}", value, where)
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
            yield from violations(schemas, f"{at}/items", element, f"{where}/{index}")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield _fault(schema, at, "required", f"{where} has no {name}")
        for name in schema.get("properties", {}):
            if name in value:
                yield from violations(schemas, at + join(["properties", name]), value[name], f"{where}/{name}")


def _of_any(schemas: Schemas, at: str, kind: str, schema: Mapping[str, Any], value: Any, where: str) -> Iterator[Fault]:
    """The branch that fits best: none of its faults, or else only lenient ones, or else those of the last."""
    branches = [list(violations(schemas, f"{at}/{kind}/{n}", value, where)) for n in range(len(schema[kind]))]
    yield from min(reversed(branches), key=lambda found: (sum(each.blamed for each in found), len(found)), default=[])


def _scalar(schema: Mapping[str, Any], at: str, value: Any, where: str) -> Iterator[Fault]:
    if "enum" in schema and value not in schema["enum"]:
        yield _fault(schema, at, "enum", f"{where} is none of the values listed")
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield _fault(schema, at, "minLength", f"{where} is shorter than {schema['minLength']}")
        if len(value) > schema.get("maxLength", len(value)):
            yield _fault(schema, at, "maxLength", f"{where} is longer than {schema['maxLength']}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield _fault(schema, at, "pattern", f"{where} does not match {schema['pattern']}")
        if schema.get("format") == "date-time" and instant(value) is None:
            yield _fault(schema, at, "format", f"{where} is no time as RFC 3339 writes it")
        if schema.get("format") == "uri" and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", value):
            yield _fault(schema, at, "format", f"{where} is no URI")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield _fault(schema, at, "minimum", f"{where} is below {schema['minimum']}")
        if value > schema.get("maximum", value):
            yield _fault(schema, at, "maximum", f"{where} is above {schema['maximum']}")


def source(schema: Mapping[str, Any], keyword: str) -> str:
    """Return who says a keyword of a schema: page, decision or unstated."""
    said = schema.get("x-source", "page")
    return str(said.get(keyword, "page")) if isinstance(said, dict) else str(said)


def _fault(schema: Mapping[str, Any], at: str, keyword: str, what: str) -> Fault:
    blamed = keyword not in LENIENT or source(schema, keyword) == "page"
    return Fault(what, f"{at}/{keyword}", blamed, "body")


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
