"""Filter values to test with: values of items, near misses, boundary values and unused values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from metastudio.contract.operation import Filter, Parameter
from metastudio.tester.relations.list_client import ListItem, Snapshot, raw_values
from metastudio.tester.values import ValueKind, ValueType, query_text, value_type

MAX_SEEN = 6
MAX_LENGTH = 2000
"""Maximum length of a value in a query."""
UNUSED_VALUE = "no-such-value-ever-7f3a"
PLAIN_TEXT = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""Texts that are valid under any restriction on length or characters."""
_BITS = {"int32": 32, "int64": 64}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def values_of(rule: Filter, item: ListItem) -> list[Any]:
    """Return the values of an item that a filter could ask for."""
    return list(sendable(raw_values(item, rule.property or "")))


def seen_values(rule: Filter, snapshot: Snapshot) -> list[Any]:
    """Return values of items, the most useful ones first: frequent, substring of another, unusual characters, rare."""
    counted = Counter[Any](each for item in snapshot.items.values() for each in dict.fromkeys(values_of(rule, item)))
    by_count = [value for value, _ in counted.most_common()]
    texts = [value for value in by_count if isinstance(value, str)]
    inside = [text for text in texts if any(text != other and text in other for other in texts)]
    folded = Counter(map(str.casefold, texts))
    cases = [text for text in texts if folded[text.casefold()] > 1]
    odd = [text for text in texts if not PLAIN_TEXT.fullmatch(text)]
    chosen = [*by_count[:2], *inside[:1], *cases[:2], *odd[:1], *by_count[-1:], *by_count[2:]]
    return list(dict.fromkeys(chosen))[:MAX_SEEN]


def near_misses(value: str, others: Iterable[str]) -> Iterator[str]:
    """Yield texts that are similar to a value: parts, other case, extensions, wildcards.

    No text differs only by blanks at its ends, because a server may trim them.
    """
    middle = value[len(value) // 3 : -max(1, len(value) // 3)] if len(value) > 3 else ""
    for text in (value[:-1], value[1:], middle, value + "x", value.swapcase()):
        if text and text == text.strip() and text != value:
            yield text
    if len(value) > 1:
        yield from (f"{value[0]}%", f"{value[0]}*", "_" * len(value))
    yield from (f"{value},{other}" for other in list(others)[:1])
    yield "%"


def boundary_values(rule: Filter, type_: ValueType, snapshot: Snapshot) -> list[str]:
    """Return the smallest, middle and largest value of items, each with the next smaller and the next greater one."""
    pointer = rule.property or ""
    keys = sorted({value for item in snapshot.items.values() for value in item.values[pointer] if value is not None})
    marks = dict.fromkeys([keys[0], keys[len(keys) // 2], keys[-1]] if keys else [])
    return [text for mark in marks for text in type_.neighbours(mark)]


def query_value(parameter: Parameter, values: Iterable[Any], template: str = "") -> str | tuple[str, ...]:
    """Return values as a query parameter, written by the template, joined or repeated according to the contract."""
    texts, template = tuple(map(query_text, values)), template or "{}"
    if template.count("{}") > 1:
        return template.format(*texts)
    if parameter.is_array and not parameter.joined:
        return tuple(template.replace("{}", each) for each in texts)
    return template.replace("{}", ",".join(texts))


def must_accept(parameter: Parameter, values: Sequence[Any], template: str = "") -> bool:
    """Whether a server must accept values of items as a filter.

    It may refuse what the parameter schema forbids, such as too many values, and texts under a restriction that this
    contract chose.
    """
    from openapi_schema_validator import OAS30WriteValidator

    sent = [query_value(parameter, values, template)] if template and not parameter.is_array else values
    typed_values = [typed(each, parameter) for each in sent]
    value = typed_values if parameter.is_array else typed_values[0]
    if any(isinstance(each, int) and not is_storable(parameter.schema, each) for each in typed_values):
        return False
    if None in typed_values or not OAS30WriteValidator(parameter.schema).is_valid(value):
        return False
    return all(_is_plain(parameter, each) for each in (values if template else typed_values) if isinstance(each, str))


def is_storable(schema: Mapping[str, Any], number: int, bits: int = 64) -> bool:
    """Whether every conforming server can store an integer.

    The bounds or the format of the schema may say so. Without them, nobody knows how many bits a server has, so the
    first numbers beyond 32 bits are not certain either: they are the neighbours of the largest one that it has.

    Args:
        schema: the schema of a parameter.
        number: the integer.
        bits: the number of bits without a format.
    """
    schema = schema.get("items", schema)
    if schema.get("type") != "integer":
        return True
    bound = schema.get("maximum" if number >= 0 else "minimum")
    if bound is not None and abs(number) <= abs(bound):
        return True
    known = _BITS.get(str(schema.get("format", "")))
    if known is None and number in (1 << 31, -(1 << 31) - 1):
        return False
    half = 1 << (known or bits) - 1
    return -half <= number < half


def _is_plain(parameter: Parameter, text: str) -> bool:
    if parameter.is_time:
        return _WHOLE_SECONDS.fullmatch(text) is not None
    if parameter.values:
        return text in parameter.values
    return is_plain_text(parameter.schema.get("items", parameter.schema), text)


def is_plain_text(schema: Mapping[str, Any], text: str) -> bool:
    """Whether a text is valid under any restriction. Nobody knows what a format allows that is not compared."""
    type_ = value_type(schema)
    if type_.kind is not ValueKind.TEXT:
        return type_.comparable(text) is not None
    return "format" not in schema and PLAIN_TEXT.fullmatch(text) is not None


def typed(value: Any, parameter: Parameter) -> Any:
    """Return a filter value as the type of its parameter, None if it is not of that type."""
    wanted = parameter.schema.get("items", parameter.schema).get("type")
    if wanted == "boolean":
        return {"true": True, "false": False}.get(query_text(value))
    try:
        return int(value) if wanted == "integer" else float(value) if wanted == "number" else query_text(value)
    except (ValueError, TypeError, OverflowError):
        return None


def broken_bounds(schema: Mapping[str, Any], values: Sequence[Any]) -> list[str]:
    """Return the keywords of an array schema that forbid this number of values, or a repeated one."""
    broken = {
        "minItems": len(values) < schema.get("minItems", 0),
        "maxItems": len(values) > schema.get("maxItems", len(values)),
        "uniqueItems": schema.get("uniqueItems") and len(set(values)) < len(values),
    }
    return [keyword for keyword, is_broken in broken.items() if is_broken]


def sendable(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the values that fit into a URL: no objects, no lone surrogates, no long texts."""
    for each in values:
        if isinstance(each, str | int | float) and len(str(each)) <= MAX_LENGTH and not _SURROGATE.search(str(each)):
            yield each
