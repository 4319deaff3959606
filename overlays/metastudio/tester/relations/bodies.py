"""Bodies of requests: one that the contract allows, one that changes an item, and wrong ones that must be refused."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metastudio import redaction
from metastudio.contract.compiler import JSON_SCHEMA
from metastudio.contract.operation import Parameter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import StoppedCheckError
from metastudio.tester.shapes.responses import source

UNKNOWN_MEMBER = "contract_test_unknown"
MAX_WRONG_MEMBERS = 10
_TEXTS = (
    "contracttest", "Contract1", "1", "a", "2030-01-01T00:00:00Z", "2030-01-01", "contract-test@example.com",
    "https://example.com/contract-test", "00000000-0000-4000-8000-000000000000", "0" * 32,
)  # fmt: skip
"""Texts that fit common formats and patterns."""
_BY_FORMAT = {"date-time": _TEXTS[4], "date": _TEXTS[5], "email": _TEXTS[6], "uri": _TEXTS[7], "uuid": _TEXTS[8]}


class WrongBody(NamedTuple):
    """A body that the contract does not allow. `stated` is false for a restriction that this contract chose."""

    what: str
    content: bytes
    stated: bool = True


def right_body(tested: OperationUnderTest) -> dict[str, Any]:
    """Return a body that the contract allows: its example, or the required members.

    Raises:
        StoppedCheckError: no body could be made.
    """
    pointer = _schema_pointer(tested)
    above, schema = pointer.removesuffix("/schema"), tested.resolver.resolve(pointer)[0]
    media = tested.document.at(above)
    examples = [tested.resolver.resolve(f"{above}/examples/{name}")[0] for name in media.get("examples", {})]
    written = [media.get("example"), *(each.get("value") for each in examples), schema.get("example")]
    assert tested.operation.body is not None
    for found in (*written, _value(tested.operation.body.schema)):
        if isinstance(found, dict) and _is_valid(tested, found):
            return found
    raise StoppedCheckError(f"no body of {tested.name} could be made; give the contract an example of one")


def changing_body(tested: OperationUnderTest, item: Mapping[str, Any], identity: str) -> tuple[dict[str, Any], str]:
    """Return a body that gives a member of an item another value, and the member.

    Raises:
        StoppedCheckError: no body could be made, or it has no member that an item has too.
    """
    body = right_body(tested) if tested.operation.body else {}
    known = _shown(tested, identity)
    for name in sorted(known.keys() & item.keys(), key=lambda name: (bool(known[name].values), name != "name")):
        for value in _other_values(known[name], item[name]):
            changed = {**body, name: value}
            if _is_valid(tested, changed):
                return changed, name
    raise StoppedCheckError(f"the body of {tested.name} has no member whose change would show in an item")


def comparable(tested: OperationUnderTest, body: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """Return the members that a server must return as they were sent, without objects and lists."""
    known = _shown(tested, identity)
    return {name: value for name, value in body.items() if isinstance(value, str | int | float) and name in known}


def wrong_bodies(tested: OperationUnderTest, body: Mapping[str, Any]) -> Iterator[WrongBody]:
    """Yield wrong bodies, made from a right one."""
    members = _writable(tested)
    yield WrongBody("half an object", b'{"')
    yield WrongBody("an array", b"[]")
    required = [name for name, each in members.items() if each.required]
    wrong = [(f"a body without {name}", {n: v for n, v in body.items() if n != name}) for name in required]
    for name, each in members.items():
        is_container = each.schema.get("type") in ("array", "object")
        other = "text" if is_container else {"contract": "test"}  # a number could be taken for a text
        wrong.append((f"{name} of another type", {**body, name: other}))
    for what, value in wrong[:MAX_WRONG_MEMBERS]:
        if not _is_valid(tested, value):
            yield WrongBody(what, json.dumps(value).encode())
    schema, at = tested.resolver.resolve(_schema_pointer(tested))  # as written in the contract
    parts = [schema, *(tested.resolver.resolve(f"{at}/allOf/{n}")[0] for n in range(len(schema.get("allOf", []))))]
    for closed in [part for part in parts if part.get("additionalProperties") is False][:1]:
        content = json.dumps({**body, UNKNOWN_MEMBER: 1}).encode()
        stated = source(closed, "additionalProperties") == "page"
        yield WrongBody("an unknown member in a closed object", content, stated)


def _writable(tested: OperationUnderTest) -> dict[str, Parameter]:
    """Return the members of the body without those of responses (`readOnly`), which a server ignores."""
    members = tested.operation.body.members if tested.operation.body else {}
    return {name: each for name, each in members.items() if not each.schema.get("readOnly")}


def _shown(tested: OperationUnderTest, identity: str) -> dict[str, Parameter]:
    """Return the members without those that a server may mask, and without the identity, which it may choose."""
    members = _writable(tested).items()
    return {name: each for name, each in members if not redaction.is_sensitive(name) and f"/{name}" != identity}


def _schema_pointer(tested: OperationUnderTest) -> str:
    body = f"{tested.pointer}/requestBody"
    return f"{tested.document.resolve(tested.document.at(body), body)[1]}/{JSON_SCHEMA}"


def _is_valid(tested: OperationUnderTest, body: Mapping[str, Any]) -> bool:
    return bool(tested.resolver.validator(_schema_pointer(tested)).is_valid(body))


def _value(schema: Mapping[str, Any]) -> Any:
    """Return a value of a schema without references, with required members only."""
    if schema.get("enum"):
        return schema["enum"][0]
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            return _value(schema[kind][0])
    kind = schema.get("type", "object" if "properties" in schema or "allOf" in schema else "string")
    if kind == "object":
        parts = [each for each in map(_value, schema.get("allOf", [])) if isinstance(each, dict)]
        properties = schema.get("properties", {})
        needed = [name for name in schema.get("required", ()) if not properties.get(name, {}).get("readOnly")]
        own = {name: _value(properties.get(name, {})) for name in needed}
        return {name: value for part in (*parts, own) for name, value in part.items()}
    if kind == "array":
        return [_value(schema.get("items", {}))] * schema.get("minItems", 0)
    if kind == "boolean":
        return True
    return _text(schema) if kind == "string" else max(1, schema.get("minimum", 1))


def _text(schema: Mapping[str, Any]) -> str:
    """Return a text that no other item has, unless format or pattern forbid that."""
    unique = f"contract-test-{uuid.uuid4().hex[:8]}"
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    candidates = [text.ljust(least, "x")[:most] for text in (unique, *_TEXTS)]
    candidates = [_BY_FORMAT[schema["format"]]] if schema.get("format") in _BY_FORMAT else candidates
    return next((text for text in candidates if re.search(schema.get("pattern", ""), text)), unique)


def _other_values(member: Parameter, value: Any) -> Iterator[Any]:
    schema = member.schema
    if isinstance(value, bool):
        yield not value
    elif schema.get("enum"):
        yield from (each for each in schema["enum"] if each != value and each is not None)
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, str) and schema.get("type") == "string":
        yield _text(schema)
