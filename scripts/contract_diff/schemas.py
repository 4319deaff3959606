"""Changes of a schema, property by property, graded by the way its values travel."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from metastudio.contract.compiler import class_name, plain
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join

from contract_diff import meaning, values
from contract_diff.grades import Grade

Found = Iterator[tuple[str, Grade, str]]  # place, grade, words

_PARTS = ("properties", "required", "items", "allOf")  # walked into, so that each has a place of its own


class Way(Enum):
    """Where a value travels: with whom fewer allowed values break, and with whom more."""

    REQUEST = (Grade.CLIENTS, Grade.SERVERS)
    ANSWER = (Grade.SERVERS, Grade.CLIENTS)

    def grade(self, narrowed: bool, widened: bool) -> Grade:
        """Grade a change of the values that are allowed."""
        return (self.value[0] if narrowed else Grade.NONE) | (self.value[1] if widened else Grade.NONE)


def prose(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """Return what a node says to people: words and examples."""
    found = {key: node[key] for key in meaning.PROSE if key in node}
    if isinstance(found.get("examples"), dict):
        found["examples"] = {name: document.resolve(each, "")[0] for name, each in found["examples"].items()}
    return found


class Schemas:
    """Compares schemas of two documents."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new

    def compare(
        self, place: str, old: str, new: str, way: Way, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> Found:
        """Compare two schemas, given by their pointers, and everything in them."""
        first, old = self._old.resolve(self._old.at(old), old)
        second, new = self._new.resolve(self._new.at(new), new)
        if (old, new) in seen:
            return
        seen |= {(old, new)}
        yield from self._notes(place, old, new)
        before, after = plain(self._old, old), plain(self._new, new)
        if before.get("type") == after.get("type") and "oneOf" not in before | after and "anyOf" not in before | after:
            if _is_object(self._old, old) or _is_object(self._new, new):
                yield from self._properties(place, old, new, way, seen)
                before, after = ({k: v for k, v in each.items() if k not in _PARTS} for each in (before, after))
            elif "items" in first and "items" in second:
                yield from self.compare(_below(place, "*"), f"{old}/items", f"{new}/items", way, seen)
                before, after = ({k: v for k, v in each.items() if k not in _PARTS} for each in (before, after))
        yield from _values(place, before, after, way)

    def _properties(self, place: str, old: str, new: str, way: Way, seen: frozenset[tuple[str, str]]) -> Found:
        before, needed_before = _properties(self._old, old)
        after, needed_after = _properties(self._new, new)
        for name in dict.fromkeys([*after, *before]):
            at, needed = _below(place, name), name in needed_after
            if name not in after:
                yield at, Grade.CLIENTS, "is gone"
            elif name not in before:
                grade = way.grade(narrowed=needed, widened=False) or Grade.ADDITIVE
                yield at, grade, f"new, {'required' if needed else 'optional'}"
            else:
                if needed != (name in needed_before):
                    yield at, way.grade(needed, not needed), "is required now" if needed else "may be absent now"
                yield from self.compare(at, before[name], after[name], way, seen)

    def _notes(self, place: str, old: str, new: str) -> Found:
        """What stands beside the values: names in code, defaults, sources, words."""
        first, second = list(_nodes(self._old, old)), list(_nodes(self._new, new))
        if len(first) != len(second):  # other alternatives, of which the values tell
            first, second = first[:1], second[:1]
        if [prose(self._old, each) for each, _ in first] != [prose(self._new, each) for each, _ in second]:
            yield place, Grade.COSMETIC, "described in other words"
        for (was, at_old), (now, at_new) in zip(first, second, strict=True):
            names = class_name(self._old, at_old), class_name(self._new, at_new)
            if names[0] != names[1] and ("enum" in now or "properties" in now):
                yield place, Grade.CLIENTS, f"its class in code: {names[0] or 'unnamed'} -> {names[1] or 'unnamed'}"
            for key in dict.fromkeys([*was, *now]):
                grade = _BESIDE.get(key, Grade.COSMETIC if key.startswith("x-") else Grade.NONE)
                if was.get(key) != now.get(key) and grade:
                    yield place, grade, f"{key}: {was.get(key, 'none')} -> {now.get(key, 'none')}"
            for grade, text in meaning.sources(was, now):
                yield place, grade, text


# Keywords that say nothing of the values allowed. The generator names the members of an enum by x-enum-varnames;
# x-source and x-states have rules of their own.
_BESIDE = {
    "default": Grade.BOTH,
    "deprecated": Grade.ADDITIVE,
    "x-enum-varnames": Grade.CLIENTS,
    "x-source": Grade.NONE,
    "x-states": Grade.NONE,
}


def _values(place: str, old: dict[str, Any], new: dict[str, Any], way: Way) -> Found:
    if old == new:
        return
    grade = way.grade(*values.narrowed_and_widened(old, new))
    added, removed = values.listed(old, new)
    if removed or values.kinds(old) != values.kinds(new):
        grade |= Grade.CLIENTS  # a member of an enum, or a type, is another in their code
    if added:
        grade |= Grade.ADDITIVE
    yield place, grade or Grade.COSMETIC, "; ".join(values.words(old, new)) or "the same values, said otherwise"


def _below(place: str, token: str) -> str:
    """Name what is in a place: "answer 200" has "answer 200 /jobs", that has "answer 200 /jobs/*"."""
    return place + ("" if " /" in place else " ") + join([token])


def _is_object(document: Document, pointer: str) -> bool:
    return bool(_properties(document, pointer)[0])


def _properties(document: Document, pointer: str) -> tuple[dict[str, str], set[str]]:
    """Return the properties of a schema with their pointers, those of its `allOf` too, and which are required."""
    schema, at = document.resolve(document.at(pointer), pointer)
    found = {name: f"{at}/properties{join([name])}" for name in schema.get("properties", {})}
    required = set(schema.get("required", []))
    for index in range(len(schema.get("allOf", []))):
        more, needed = _properties(document, f"{at}/allOf/{index}")
        found, required = more | found, required | needed
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
