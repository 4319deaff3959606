"""Whether a JSON value has the objects, arrays and required members that the contract promises.

Only the structure is checked: that is what the generated models need to parse an answer without crashing, and
without taking `[]` or `{"jobs": {}}` for an empty list. Values are left to them, for a server may grow.

A shape is nested plain data: `{"type": "object", "required": [...], "properties": {name: shape}}` or
`{"type": "array", "items": shape}`, with `"nullable": True` where null is allowed. Anything else is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

Shape: TypeAlias = Mapping[str, Any]


class Mismatch(NamedTuple):
    """Where a value differs from its shape: a JSON pointer, and what is wrong there. Quotes no values."""

    place: str
    problem: str

    def below(self, name: str) -> Mismatch:
        """The same, seen from the value that holds this one under `name`."""
        return Mismatch(f"/{name.replace('~', '~0').replace('/', '~1')}{self.place}", self.problem)


Check: TypeAlias = Callable[[Any], Mismatch | None]


def mismatch(value: Any, shape: Shape) -> Mismatch | None:
    """The first place where `value` is not of `shape`, or None when it is."""
    known = _checks.get(id(shape))
    if known is None:
        known = _checks[id(shape)] = shape, _check(shape)
    return known[1](value)


# The shapes of a contract are constants. Each is made a function once, which halves the cost of a page of a hundred;
# keeping the shape beside it means that no other can get its id.
_checks: dict[int, tuple[Shape, Check]] = {}


def _check(shape: Shape) -> Check:
    return _array_check(shape) if shape["type"] == "array" else _object_check(shape)


def _object_check(shape: Shape) -> Check:
    required: frozenset[str] = frozenset(shape.get("required", ()))
    inner = [(name, _check(each)) for name, each in shape.get("properties", {}).items()]

    def check(value: Any) -> Mismatch | None:
        if not isinstance(value, dict):
            return _wrong_kind(value, shape, "an object")
        if not required <= value.keys():
            missing = next(name for name in shape["required"] if name not in value)
            return Mismatch("", f"the member {missing!r} is missing")
        for name, check_member in inner:
            if name in value and (found := check_member(value[name])):
                return found.below(name)
        return None

    return check


def _array_check(shape: Shape) -> Check:
    check_item = _check(shape["items"]) if "items" in shape else None

    def check(value: Any) -> Mismatch | None:
        if not isinstance(value, list):
            return _wrong_kind(value, shape, "an array")
        if check_item is not None:
            for index, item in enumerate(value):
                if found := check_item(item):
                    return found.below(str(index))
        return None

    return check


def _wrong_kind(value: Any, shape: Shape, promised: str) -> Mismatch | None:
    if value is None and shape.get("nullable"):
        return None
    return Mismatch("", f"there is {_KINDS[type(value)]} where {promised} is promised")


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
