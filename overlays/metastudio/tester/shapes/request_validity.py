"""Whether a request, as sent, is valid, invalid or unspecified by the contract.

A request is unspecified if it differs from a valid one only by a restriction that this contract chose (lengths,
characters, formats, upper bounds), by a parameter whose effect the contract leaves open, or in a way that conforming
servers interpret differently (blanks around a number, a repeated parameter, an unknown parameter). A server may accept
or refuse it, but must not fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.filter_oracle import may_contradict
from metastudio.tester.relations.orders import requested
from metastudio.tester.relations.sample_values import broken_bounds, is_plain_text, is_storable
from metastudio.tester.schema_validator import SchemaResolver
from metastudio.tester.shapes.responses import is_blamed, source
from metastudio.tester.values import parse_instant

_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")
_RFC3339_SHAPE = re.compile(r"\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE_SECONDS = re.compile(r"(19[7-9]\d|20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_TELLING = ("enum", "minimum", "maximum", "minLength", "maxLength", "pattern")
"""Keywords that a value must keep to if the API reference states them. Servers read others, such as format, freely."""
_MAX_VALID_OFFSET, _MAX_QUERY_LENGTH = 10_000, 2000
_MAX_DIGITS = 300
"""Numbers with more digits than this are not compared. They may be above the largest float."""
_BOOLEAN_TEXTS = ("true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n")


class Validity(IntEnum):
    """Validity of a request. The highest value of its parameters counts."""

    VALID = 0
    UNSPECIFIED = 1
    INVALID = 2


@dataclass(frozen=True)
class Assessment:
    """The validity of a request.

    Args:
        validity: the validity.
        parameter: the parameter that determines it.
        pointer: JSON pointer of the schema that determines it.
        given: all parameters of the request.
    """

    validity: Validity
    parameter: str = ""
    pointer: str = ""
    given: tuple[str, ...] = ()


def assess(
    tested: OperationUnderTest,
    pairs: Iterable[tuple[str, str]],
    headers: Mapping[str, str] | None = None,
    longest: int | None = None,
) -> Assessment:
    """Assess a request.

    Args:
        tested: the operation.
        pairs: the decoded query.
        headers: headers and cookies that are parameters of the operation; None if the request has every required one.
        longest: the longest page that the server returns, if it is known.
    """
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    parameters = tested.operation.parameters.values()
    missing = [each for each in parameters if each.required and each.location == "query" and each.name not in given]
    found = [Assessment(Validity.UNSPECIFIED if missing else Validity.VALID)]
    for name, texts in given.items():
        at = tested.parameter_pointers.get(("query", name))
        is_open = name in tested.unstated or _has_no_effect(tested, name, given)
        if at is None or is_open or any(map(_is_ambiguous, (name, *texts))):
            found.append(Assessment(Validity.UNSPECIFIED, name))
        else:
            validity = _parameter(tested, at, name, texts, longest)
            may_be_accepted = validity is Validity.INVALID and not _must_refuse(tested, name)
            is_like = _is_unlisted_key(tested, name, texts) or not _is_in_template(tested, name, texts)
            may_be_refused = validity is Validity.VALID and is_like
            is_open = may_be_accepted or may_be_refused
            found.append(Assessment(Validity.UNSPECIFIED if is_open else validity, name, f"{at}/schema"))
    everything = list(given)
    for (where, name), at in tested.parameter_pointers.items():
        value = (headers or {}).get(name)
        is_missing = name not in given if where == "query" else value is None and where != "path"
        if is_missing and headers is not None and tested.operation.parameters[name].required:
            found.append(Assessment(Validity.UNSPECIFIED, name))
        if where in ("header", "cookie") and value is not None:
            everything.append(name)
            validity = min(_scalar(tested.resolver, f"{at}/schema", value), Validity.UNSPECIFIED)
            found.append(Assessment(validity, name, f"{at}/schema"))
    firsts = {name: texts[0] for name, texts in given.items()}
    is_too_long = sum(len(text) for texts in given.values() for text in texts) > _MAX_QUERY_LENGTH
    if is_too_long or (tested.is_list and may_contradict(tested, firsts)):
        found.append(Assessment(Validity.UNSPECIFIED))
    return replace(max(found, key=lambda each: each.validity), given=tuple(everything))


def _must_refuse(tested: OperationUnderTest, name: str) -> bool:
    """Whether a server must refuse invalid values of a parameter, as it must if the contract does not speak of them."""
    rules = tested.operation.list_rules
    return rules is None or rules.when_invalid(name) in ("", "refuse")


def _is_unlisted_key(tested: OperationUnderTest, name: str, texts: list[str]) -> bool:
    """Whether a text is no sort key of the contract, which a server may refuse."""
    order = tested.operation.list_rules.order if tested.operation.list_rules else None
    if order is None or name != order.parameter:
        return False
    return any(requested(order._replace(direction=None), {name: text}) is None for text in texts)


def _is_in_template(tested: OperationUnderTest, name: str, texts: list[str]) -> bool:
    """Whether texts are written as the template of a filter says. The contract says nothing of others."""
    rules = tested.operation.list_rules
    template = rules.filters[name].template if rules and name in rules.filters else ""
    pattern = ".+".join(map(re.escape, template.split("{}")))
    return not template or all(re.fullmatch(pattern, text, re.DOTALL) for text in texts)


def has_large_integer(tested: OperationUnderTest, pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether a query has an integer that a conforming server may be unable to store, and so may refuse."""
    known = tested.operation.parameters
    return any(
        not is_storable(known[name].schema, number, bits=32)
        for name, text in pairs
        if name in known
        for part in text.split(",")
        if (number := _integer(part)) is not None
    )


def fits(tested: OperationUnderTest, name: str, text: str) -> bool:
    """Whether a value of a query parameter is valid, apart from what the parameter does."""
    return _parameter(tested, tested.parameter_pointers["query", name], name, [text]) is Validity.VALID


def _parameter(
    tested: OperationUnderTest, at: str, name: str, texts: list[str], longest: int | None = None
) -> Validity:
    resolver = tested.resolver
    schema, location = resolver.resolve(f"{at}/schema")
    if schema.get("type") == "array":
        joined = tested.operation.parameters[name].joined
        parts = texts[0].split(",") if joined and len(texts) == 1 else texts
        broken = broken_bounds(schema, parts)
        if broken:
            is_promised = any(source(schema, keyword) == "page" for keyword in broken)
            return Validity.INVALID if is_promised else Validity.UNSPECIFIED
        validities = [_scalar(resolver, f"{location}/items", part) for part in parts]
        lenient = source(schema, "items") != "page"
        worst = max(validities, default=Validity.UNSPECIFIED)
        listed = tested.operation.parameters[name].values
        if lenient and listed and any(part not in listed for part in parts):
            return Validity.UNSPECIFIED
        crowded = (joined and len(texts) > 1) or len(set(parts)) < len(parts) or len(parts) > 50
        if (worst is Validity.VALID and crowded) or (worst is Validity.INVALID and lenient):
            return Validity.UNSPECIFIED
        return worst
    if len(texts) > 1:
        return Validity.UNSPECIFIED
    rules = tested.operation.list_rules
    if rules and name in (rules.offset, rules.limit):
        if name == rules.offset and rules.paging.style == "cursor":
            return Validity.UNSPECIFIED
        if name == rules.offset and rules.paging.style == "page":
            return max(_paging(texts[0], rules.paging.first, rules.paging.first), _scalar(resolver, location, texts[0]))
        if name == rules.offset:
            return _paging(texts[0], 0, _MAX_VALID_OFFSET if rules.paging.end == "empty" else 0)
        return _paging(texts[0], tested.shortest_page, rules.max_limit if longest is None else longest)
    return _scalar(resolver, location, texts[0])


def _paging(text: str, least: int, most: int | None) -> Validity:
    """A negative offset and a limit below 1 are invalid even if the API reference states no minimum."""
    number = _integer(text)
    if number is None:
        return Validity.UNSPECIFIED if _may_be_integer(text) else Validity.INVALID
    if number < least:
        return Validity.INVALID
    sure = _DIGITS.fullmatch(text) is not None and (most is None or number <= most)
    return Validity.VALID if sure else Validity.UNSPECIFIED


def _scalar(resolver: SchemaResolver, pointer: str, text: str) -> Validity:
    """A text is valid only if no keyword of its schema forbids the value, also none that is not looked at here."""
    schema, at = resolver.resolve(pointer)
    if "allOf" in schema:
        return max(_scalar(resolver, f"{at}/allOf/{n}", text) for n in range(len(schema["allOf"])))
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            validities = [_scalar(resolver, f"{at}/{kind}/{n}", text) for n in range(len(schema[kind]))]
            best = min(validities)
            is_choice = source(schema, kind) != "page" and best is Validity.VALID
            return Validity.UNSPECIFIED if is_choice and validities[0] is not Validity.VALID else best
    value, read_as = _read(schema, text)
    if value is None:
        return read_as
    errors = {str(each.validator): is_blamed(each) for each in resolver.validator(at).iter_errors(value)}
    if any(errors.get(keyword) for keyword in _TELLING):
        is_like = text.strip().casefold() in ("", *(str(each).casefold() for each in schema.get("enum", ())))
        return Validity.UNSPECIFIED if isinstance(value, str) and is_like else Validity.INVALID
    return Validity.UNSPECIFIED if errors else read_as


def _read(schema: Mapping[str, Any], text: str) -> tuple[Any, Validity]:
    """Return the value that a text stands for, and whether every server must read it so; None if it stands for none."""
    match schema.get("type", "string"):
        case "integer" | "number" as wanted:
            if (number := _integer(text)) is not None:
                return number, Validity.VALID if _DIGITS.fullmatch(text) else Validity.UNSPECIFIED
            try:
                is_number = wanted == "number" and float(text) == float(text)
            except ValueError:
                is_number = False
            return None, Validity.UNSPECIFIED if is_number or _may_be_integer(text) else Validity.INVALID
        case "boolean":
            if text in ("true", "false"):
                return text == "true", Validity.VALID
            is_like = text.strip().lower() in (*_BOOLEAN_TEXTS, "")
            return None, Validity.UNSPECIFIED if is_like else Validity.INVALID
        case _ if schema.get("format") == "date-time":
            validity = _time(text)
            return (text if validity is Validity.VALID else None), validity
        case _:
            is_plain = "enum" in schema or is_plain_text(schema, text)
            return text, Validity.VALID if is_plain else Validity.UNSPECIFIED


def _time(text: str) -> Validity:
    """RFC 3339 in whole seconds and UTC is valid. A text without digits or with impossible fields is invalid."""
    if _WHOLE_SECONDS.fullmatch(text) and parse_instant(text) is not None:
        return Validity.VALID
    shaped = _RFC3339_SHAPE.fullmatch(text)
    if shaped:
        month, day, hour, minute = (int(shaped[n]) for n in range(1, 5))
        possible = 1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute <= 59
        return Validity.UNSPECIFIED if possible else Validity.INVALID
    readable = not text.strip() or any(character.isdigit() for character in text)
    return Validity.UNSPECIFIED if readable else Validity.INVALID


def _integer(text: str) -> int | None:
    """Return a text as an integer, parsed strictly or leniently (` 1 `, `+1`, `1_0`); None if it is not one."""
    try:
        return int(text) if len(text) < _MAX_DIGITS else None
    except ValueError:
        return None


def _may_be_integer(text: str) -> bool:
    try:
        return not text.strip() or float(text).is_integer() or len(text) >= _MAX_DIGITS
    except (ValueError, OverflowError):
        return False


def _has_no_effect(tested: OperationUnderTest, name: str, given: Mapping[str, list[str]]) -> bool:
    """Whether a parameter has no effect without another one: a sort direction without a sort key."""
    order = tested.operation.list_rules.order if tested.operation.list_rules else None
    return order is not None and name == order.direction and order.parameter not in given


def _is_ambiguous(text: str) -> bool:
    """Whether a text contains characters that decoders, proxies and databases handle differently."""
    return any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" or c == "\ufffd" for c in text)
