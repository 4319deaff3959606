"""Checks that JSON has the objects, arrays and required members that the contract declares.

Only the structure is checked. That is what the generated models need to parse a response without crashing, and
without taking `[]` or `{"jobs": {}}` for an empty list. Values are not checked, because servers add values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from metastudio.contract import json_pointer


class Mismatch(NamedTuple):
    """Where JSON differs from the structure: a JSON pointer and what is wrong there. Quotes no values."""

    place: str
    problem: str

    def below(self, name: str | int) -> Mismatch:
        """Return the same mismatch, seen from the value that holds this one under `name`."""
        return Mismatch(json_pointer.join([name]) + self.place, self.problem)


class JsonObject(NamedTuple):
    """An object. Properties that hold neither objects nor arrays are left out."""

    required: tuple[str, ...] = ()
    properties: Mapping[str, Structure] = {}
    nullable: bool = False

    def mismatch(self, value: Any) -> Mismatch | None:
        """Return the first place where `value` does not have this structure, or None."""
        if not isinstance(value, dict):
            return _wrong_type(value, "an object", nullable=self.nullable)
        for name in self.required:
            if name not in value:
                return Mismatch("", f"the member {name!r} is missing")
        for name, structure in self.properties.items():
            if name in value and (found := structure.mismatch(value[name])):
                return found.below(name)
        return None


class JsonArray(NamedTuple):
    """An array. `items` is the structure of each element, None where elements are not checked."""

    items: Structure | None = None
    nullable: bool = False

    def mismatch(self, value: Any) -> Mismatch | None:
        """Return the first place where `value` does not have this structure, or None."""
        if not isinstance(value, list):
            return _wrong_type(value, "an array", nullable=self.nullable)
        if self.items is not None:
            check = self.items.mismatch
            for index, item in enumerate(value):
                if found := check(item):
                    return found.below(index)
        return None


Structure: TypeAlias = JsonObject | JsonArray


def _wrong_type(value: Any, expected: str, *, nullable: bool) -> Mismatch | None:
    if value is None and nullable:
        return None
    return Mismatch("", f"expected {expected}, got {_JSON_TYPES[type(value)]}")


_JSON_TYPES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
