"""Whether the contract allows a request, as it was sent: promised, forbidden, or open.

Open is what differs from a promised request only by something that we decided (lengths, characters, formats, bounds
upwards) or that servers lawfully read in more than one way (blanks around a number, a parameter sent twice, one that
the contract does not know). A server may do as it likes with those, but never fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from metastudio.tester.operation_under_test import Schemas, Subject
from metastudio.tester.relations.sample_values import PLAIN
from metastudio.tester.shapes.responses import LENIENT, source
from metastudio.tester.values import instant

_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")
_RFC3339_SHAPE = re.compile(r"\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE_SECONDS = re.compile(r"(19[7-9]\d|20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SURE_OFFSET, _LONG = 10_000, 2000
_UNIVERSAL = ("true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n")


class Reading(IntEnum):
    """What the contract says of a request; of several parameters the highest counts."""

    PROMISED = 0
    OPEN = 1
    FORBIDDEN = 2


@dataclass(frozen=True)
class Judged:
    """A reading, with the parameter and the place in the contract that decide it, and all parameters `given`."""

    reading: Reading
    parameter: str = ""
    pointer: str = ""
    given: tuple[str, ...] = ()


def judge(subject: Subject, pairs: Iterable[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Judged:
    """Judge the query of a request, decoded, and those of its headers that are parameters."""
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    found = [Judged(Reading.PROMISED)]
    for name, texts in given.items():
        at = subject.parameter_places.get(("query", name))
        if at is None or _unreadable(name) or any(_unreadable(text) for text in texts):
            found.append(Judged(Reading.OPEN, name))
            continue
        judged = Judged(_parameter(subject, at, name, texts), name, f"{at}/schema")
        found.append(Judged(Reading.OPEN, name) if _pointless(subject, name, given) else judged)
    everything = list(given)
    for (where, name), at in subject.parameter_places.items():
        value = (headers or {}).get(name)
        if where == "header" and value is not None:
            everything.append(name)
            reading = _scalar(subject.schemas, f"{at}/schema", value)
            found.append(
                Judged(Reading.PROMISED if reading is Reading.PROMISED else Reading.OPEN, name, f"{at}/schema")
            )
    if sum(len(text) for texts in given.values() for text in texts) > _LONG or _contradict(subject, given):
        found.append(Judged(Reading.OPEN))
    return replace(max(found, key=lambda each: each.reading), given=tuple(everything))


def _parameter(subject: Subject, at: str, name: str, texts: list[str]) -> Reading:
    schemas = subject.schemas
    schema, place = schemas.at(f"{at}/schema")
    if schema.get("type") == "array":
        joined = subject.operation.parameters[name].joined
        parts = texts[0].split(",") if joined and len(texts) == 1 else texts
        readings = [_scalar(schemas, f"{place}/items", part) for part in parts]
        lenient = source(schema, "items") != "page"
        worst = max(readings, default=Reading.OPEN)
        listed = subject.operation.parameters[name].values
        if lenient and listed and any(part not in listed for part in parts):
            return Reading.OPEN
        crowded = (joined and len(texts) > 1) or len(set(parts)) < len(parts) or len(parts) > 50
        if (worst is Reading.PROMISED and crowded) or (worst is Reading.FORBIDDEN and lenient):
            return Reading.OPEN
        return worst
    if len(texts) > 1:
        return Reading.OPEN
    rules = subject.operation.list_rules
    if rules and name in (rules.offset, rules.limit):
        return _paging(
            texts[0], 0 if name == rules.offset else 1, rules.max_limit if name == rules.limit else _SURE_OFFSET
        )
    return _scalar(schemas, place, texts[0])


def _paging(text: str, least: int, most: int | None) -> Reading:
    """Skipping less than nothing, or a page of less than one item, means nothing, whoever says so."""
    whole = _whole(text)
    if whole is None:
        return Reading.OPEN if _perhaps_whole(text) else Reading.FORBIDDEN
    if whole < least:
        return Reading.FORBIDDEN
    sure = _DIGITS.fullmatch(text) is not None and (most is None or whole <= most)
    return Reading.PROMISED if sure else Reading.OPEN


def _scalar(schemas: Schemas, pointer: str, text: str) -> Reading:
    schema, at = schemas.at(pointer)
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            ours = source(schema, kind) != "page"
            readings = [_scalar(schemas, f"{at}/{kind}/{n}", text) for n in range(len(schema[kind]))]
            best = min(readings)
            promised_first = readings[0] is Reading.PROMISED
            return Reading.OPEN if ours and best is Reading.PROMISED and not promised_first else best
    wanted = schema.get("type", "string")
    if wanted in ("integer", "number"):
        return _number(schema, wanted, text)
    if wanted == "boolean":
        return (
            Reading.PROMISED
            if text in ("true", "false")
            else (Reading.OPEN if text.strip().lower() in (*_UNIVERSAL, "") else Reading.FORBIDDEN)
        )
    if schema.get("format") == "date-time":
        return _time(text)
    if "enum" in schema:
        if text in schema["enum"]:
            return Reading.PROMISED
        alike = text.strip().casefold() in ("", *(str(each).casefold() for each in schema["enum"]))
        return Reading.OPEN if alike or source(schema, "enum") != "page" else Reading.FORBIDDEN
    return _text(schema, text)


def _text(schema: Mapping[str, Any], text: str) -> Reading:
    broken = [
        keyword
        for keyword, wrong in (
            ("minLength", len(text) < schema.get("minLength", 0)),
            ("maxLength", len(text) > schema.get("maxLength", len(text))),
            ("pattern", "pattern" in schema and not re.search(schema["pattern"], text)),
        )
        if wrong
    ]
    if any(source(schema, keyword) == "page" for keyword in broken) and text.strip():
        return Reading.FORBIDDEN
    return Reading.PROMISED if not broken and PLAIN.fullmatch(text) else Reading.OPEN


def _number(schema: Mapping[str, Any], wanted: str, text: str) -> Reading:
    whole = _whole(text)
    if whole is None:
        try:
            fine = wanted == "number" and float(text) == float(text)
        except ValueError:
            fine = False
        return Reading.OPEN if fine or _perhaps_whole(text) else Reading.FORBIDDEN
    out = [
        (k, w)
        for k, w in (
            ("minimum", whole < schema.get("minimum", whole)),
            ("maximum", whole > schema.get("maximum", whole)),
        )
        if w
    ]
    if any(source(schema, keyword) == "page" or keyword not in LENIENT for keyword, _ in out):
        return Reading.FORBIDDEN
    return Reading.OPEN if out or not _DIGITS.fullmatch(text) else Reading.PROMISED


def _time(text: str) -> Reading:
    """A time that RFC 3339 allows, in whole seconds and UTC, is sure. One without a digit, or impossible, is none."""
    if _WHOLE_SECONDS.fullmatch(text) and instant(text) is not None:
        return Reading.PROMISED
    shaped = _RFC3339_SHAPE.fullmatch(text)
    if shaped:
        month, day, hour, minute = (int(shaped[n]) for n in range(1, 5))
        possible = 1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute <= 59
        return Reading.OPEN if possible else Reading.FORBIDDEN
    readable = not text.strip() or any(character.isdigit() for character in text)
    return Reading.OPEN if readable else Reading.FORBIDDEN


def _whole(text: str) -> int | None:
    """Return the whole number that a text may be read as, strictly or laxly (` 1 `, `+1`, `1_0`), or None."""
    try:
        return int(text) if len(text) < 400 else None
    except ValueError:
        return None


def _perhaps_whole(text: str) -> bool:
    try:
        return not text.strip() or float(text).is_integer() or len(text) >= 400
    except (ValueError, OverflowError):
        return False


def _pointless(subject: Subject, name: str, given: Mapping[str, list[str]]) -> bool:
    """Whether a parameter means nothing for want of another: a direction without a key to order by."""
    order = subject.operation.list_rules.order if subject.operation.list_rules else None
    return order is not None and name == order.direction and order.parameter not in given


def _contradict(subject: Subject, given: Mapping[str, list[str]]) -> bool:
    """Whether bounds of one property exclude each other, which a server may refuse."""
    rules = subject.operation.list_rules
    bounds: dict[str, dict[str, list[int]]] = {}
    for name, rule in (rules.filters if rules else {}).items():
        moment = instant(given[name][0]) if name in given else None
        if moment is not None and rule.property and rule.op in ("ge", "gt", "le", "lt"):
            bounds.setdefault(rule.property, {}).setdefault(rule.op[0], []).append(moment)
    return any(max(each.get("g", [0])) > min(each.get("l", [0])) for each in bounds.values() if len(each) == 2)


def _unreadable(text: str) -> bool:
    """Whether a text holds what decoders, proxies and databases treat in their own ways."""
    return any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" or c == "\ufffd" for c in text)
