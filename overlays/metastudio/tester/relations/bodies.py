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
    known = {name: each for name, each in _writable(tested).items() if f"/{name}" != identity}
    for name in sorted(known.keys() & item.keys(), key=lambda name: (bool(known[name].values), name != "name")):
        if redaction.is_sensitive(name):  # a server may show it masked
            continue
        for value in _other_values(known[name], item[name]):
            changed = {**body, name: value}
            if _is_valid(tested, changed):
                return changed, name
    raise StoppedCheckError(f"the body of {tested.name} has no member whose change would show in an item")


def comparable(tested: OperationUnderTest, body: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """Return the members that a server must return as they were sent.

    These are no objects, no lists, nothing that it masks, and not the identity, which it may choose.
    """
    return {
        name: value
        for name, value in body.items()
        if isinstance(value, str | int | float) and not redaction.is_sensitive(name)
        and name in _writable(tested) and f"/{name}" != identity
    }  # fmt: skip


def wrong_bodies(tested: OperationUnderTest, body: Mapping[str, Any]) -> Iterator[WrongBody]:
    """Yield wrong bodies, made from a right one."""
    members = _writable(tested)
    yield WrongBody("half an object", b'{"')
    yield WrongBody("an array", b"[]")
    wrong = [(f"a body without {name}", _without(body, name)) for name, each in members.items() if each.required]
    wrong += [(f"{name} of another type", {**body, name: _of_another_type(each)}) for name, each in members.items()]
    for what, value in wrong[:MAX_WRONG_MEMBERS]:
        if not _is_valid(tested, value):
            yield WrongBody(what, json.dumps(value).encode())
    closed = next((part for part in _parts(tested) if part.get("additionalProperties") is False), None)
    if closed is not None:
        content = json.dumps({**body, UNKNOWN_MEMBER: 1}).encode()
        stated = source(closed, "additionalProperties") == "page"
        yield WrongBody("an unknown member in a closed object", content, stated)


def _writable(tested: OperationUnderTest) -> dict[str, Parameter]:
    """Return the members of the body without those of responses (`readOnly`), which a server ignores."""
    members = tested.operation.body.members if tested.operation.body else {}
    return {name: each for name, each in members.items() if not each.schema.get("readOnly")}


def _schema_pointer(tested: OperationUnderTest) -> str:
    body = f"{tested.pointer}/requestBody"
    return f"{tested.document.resolve(tested.document.at(body), body)[1]}/{JSON_SCHEMA}"


def _parts(tested: OperationUnderTest) -> Iterator[Mapping[str, Any]]:
    """Yield the schema of the body and the parts of its `allOf`, as written in the contract."""
    schema, at = tested.resolver.resolve(_schema_pointer(tested))
    yield schema
    yield from (tested.resolver.resolve(f"{at}/allOf/{index}")[0] for index in range(len(schema.get("allOf", []))))


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


def _without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in body.items() if each != name}


def _of_another_type(member: Parameter) -> Any:
    """Return a value that cannot be taken for one of the member's type, as a number can be for a text."""
    return "text" if member.schema.get("type") in ("array", "object") else {"contract": "test"}
