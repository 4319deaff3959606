"""Compare two schemas property by property, graded by the direction in which their values travel."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from metastudio.contract.compiler import class_name, plain
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join

from contract_diff import extensions, values
from contract_diff.grades import Differences, Grade

_PARTS = ("properties", "required", "items", "allOf")  # compared one by one, each with a place of its own


class Direction(Enum):
    """Where a value travels. The value of a member: the side broken by fewer allowed values, and by more."""

    REQUEST = (Grade.CLIENTS, Grade.SERVERS)
    RESPONSE = (Grade.SERVERS, Grade.CLIENTS)

    def grade(self, narrowed: bool, widened: bool) -> Grade:
        """Grade a change of the set of allowed values."""
        return (self.value[0] if narrowed else Grade.NONE) | (self.value[1] if widened else Grade.NONE)


def documentation(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """Return the descriptions and examples of a node, references followed."""
    found = {key: node[key] for key in extensions.DOCUMENTATION if key in node}
    if isinstance(found.get("examples"), dict):
        found["examples"] = {name: document.resolve(each, "")[0] for name, each in found["examples"].items()}
    return found


class SchemaComparison:
    """Compares schemas of two documents."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new

    def compare(
        self, place: str, old: str, new: str, direction: Direction, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> Differences:
        """Compare two schemas and everything in them.

        Args:
            place: Name of the place for the report, such as "response 200 /jobs".
            old: JSON pointer of the schema in the old document.
            new: JSON pointer of the schema in the new document.
            direction: Where the values travel.
            seen: Pairs of pointers being compared, which ends the recursion in recursive schemas.
        """
        first, old = self._old.resolve(self._old.at(old), old)
        second, new = self._new.resolve(self._new.at(new), new)
        if (old, new) in seen:
            return
        seen |= {(old, new)}
        yield from self._annotations(place, old, new)
        before, after = plain(self._old, old), plain(self._new, new)
        if before.get("type") == after.get("type") and "oneOf" not in before | after and "anyOf" not in before | after:
            if _is_object(self._old, old) or _is_object(self._new, new):
                yield from self._properties(place, old, new, direction, seen)
                before, after = ({k: v for k, v in each.items() if k not in _PARTS} for each in (before, after))
            elif "items" in first and "items" in second:
                yield from self.compare(_below(place, "*"), f"{old}/items", f"{new}/items", direction, seen)
                before, after = ({k: v for k, v in each.items() if k not in _PARTS} for each in (before, after))
        yield from _values(place, before, after, direction)

    def _properties(
        self, place: str, old: str, new: str, direction: Direction, seen: frozenset[tuple[str, str]]
    ) -> Differences:
        before, required_before = _properties(self._old, old)
        after, required_after = _properties(self._new, new)
        for name in dict.fromkeys([*after, *before]):
            at, required = _below(place, name), name in required_after
            presence = "required" if required else "optional"
            if name not in after:
                yield at, Grade.CLIENTS, "removed"
            elif name not in before:
                yield at, direction.grade(narrowed=required, widened=False) or Grade.ADDITIVE, f"new, {presence}"
            else:
                if required != (name in required_before):
                    yield at, direction.grade(required, not required), f"now {presence}"
                yield from self.compare(at, before[name], after[name], direction, seen)

    def _annotations(self, place: str, old: str, new: str) -> Differences:
        """Compare what does not decide the allowed values: class names, defaults, sources, documentation."""
        first, second = list(_nodes(self._old, old)), list(_nodes(self._new, new))
        yield from extensions.states(_states(first), _states(second))
        if len(first) != len(second):  # the alternatives differ, which shows in the values
            first, second = first[:1], second[:1]
        if [documentation(self._old, each) for each, _ in first] != [
            documentation(self._new, each) for each, _ in second
        ]:
            yield place, Grade.COSMETIC, "documentation changed"
        for (was, at_old), (now, at_new) in zip(first, second, strict=True):
            names = class_name(self._old, at_old), class_name(self._new, at_new)
            if names[0] != names[1] and ("enum" in now or "properties" in now):
                yield place, Grade.CLIENTS, f"class in code: {names[0] or 'unnamed'} -> {names[1] or 'unnamed'}"
            for key in dict.fromkeys([*was, *now]):
                grade = _ANNOTATIONS.get(key, Grade.COSMETIC if key.startswith("x-") else Grade.NONE)
                if was.get(key) != now.get(key) and grade:
                    yield place, grade, f"{key}: {was.get(key, 'none')} -> {now.get(key, 'none')}"
            yield from extensions.sources(place, was, now)


# Keywords that do not decide the allowed values. The generator names the members of an enum by x-enum-varnames;
# x-source and x-states have rules of their own.
_ANNOTATIONS = {
    "default": Grade.BOTH,
    "deprecated": Grade.ADDITIVE,
    "x-enum-varnames": Grade.CLIENTS,
    "x-source": Grade.NONE,
    "x-states": Grade.NONE,
}


def _values(place: str, old: dict[str, Any], new: dict[str, Any], direction: Direction) -> Differences:
    if old == new:
        return
    grade = direction.grade(*values.narrowed_and_widened(old, new))
    added, removed = values.listed(old, new)
    if removed or values.types(old) != values.types(new):
        grade |= Grade.CLIENTS  # a member of an enum or a type in the client's code changes
    if added:
        grade |= Grade.ADDITIVE
    yield place, grade or Grade.COSMETIC, "; ".join(values.describe(old, new)) or "same values, written differently"


def _states(nodes: list[tuple[dict[str, Any], str]]) -> dict[str, Any]:
    return next((node["x-states"] for node, _ in nodes if "x-states" in node), {})


def _below(place: str, token: str) -> str:
    """Append a token to a place: "response 200", then "response 200 /jobs", then "response 200 /jobs/*"."""
    return place + ("" if " /" in place else " ") + join([token])


def _is_object(document: Document, pointer: str) -> bool:
    return bool(_properties(document, pointer)[0])


def _properties(document: Document, pointer: str) -> tuple[dict[str, str], set[str]]:
    """Return the pointers of a schema's properties by name, `allOf` included, and the names of the required ones."""
    schema, at = document.resolve(document.at(pointer), pointer)
    found = {name: f"{at}/properties{join([name])}" for name in schema.get("properties", {})}
    required = set(schema.get("required", []))
    for index in range(len(schema.get("allOf", []))):
        more, also_required = _properties(document, f"{at}/allOf/{index}")
        found, required = more | found, required | also_required
    return found, required


def _nodes(
    document: Document, pointer: str, above: frozenset[str] = frozenset()
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield a schema and its alternatives, each with its pointer."""
    schema, at = document.resolve(document.at(pointer), pointer)
    if at in above:
        return
    yield schema, at
    for kind in ("anyOf", "oneOf", "allOf"):
        for index in range(len(schema.get(kind, []))):
            yield from _nodes(document, f"{at}/{kind}/{index}", above | {at})
