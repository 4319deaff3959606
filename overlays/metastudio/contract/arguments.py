"""Keyword arguments of a call, checked against the contract before anything is sent.

Only what would break the request, or mean something else than it says, is refused here. Whether a value is too long or
too large is for the server to say: those bounds are decisions of the contract, not promises of the service.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from enum import Enum

    from metastudio.contract.operation import Operation, Parameter


def prepare(
    operation: Operation,
    arguments: Mapping[str, Any],
    closed: Mapping[str, type[Enum]] | None = None,
    later: Collection[str] = (),
) -> dict[str, Any]:
    """Check keyword arguments and turn them into what the generated function takes.

    `closed` gives the enum class of each argument whose set of values is closed. An argument that is None counts as
    absent; required ones that are to be filled in `later` may be.

    Raises:
        TypeError: an argument is unknown, missing, or of the wrong type.
        ValueError: a value cannot be sent as what it is meant to be.
    """
    known = operation.by_python_name
    for name in arguments:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; it takes {', '.join(known)}"
            raise TypeError(f"{operation.id} takes no argument {name!r}{hint}")
    prepared: dict[str, Any] = {}
    for name, parameter in known.items():
        value = arguments.get(name)
        if value is None:
            if parameter.required and name not in later:
                raise TypeError(f"{operation.id} needs the argument {name}: {parameter.description}")
            continue
        enum = (closed or {}).get(name)
        prepared[name] = _member(name, value, enum) if enum else _checked(parameter, name, value)
    return prepared


def _checked(parameter: Parameter, name: str, value: Any) -> Any:
    if parameter.is_array:
        return _array(parameter, name, value)
    if parameter.is_time:
        return check_time(name, value)
    kind = parameter.schema.get("type", "string")
    if kind in ("integer", "number"):
        return _number(parameter, name, value, int if kind == "integer" else (int, float))
    if kind == "boolean":
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}")
        return value
    return _text(parameter, name, value)


def _array(parameter: Parameter, name: str, value: Any) -> list[Any]:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} takes a list, not one {type(value).__name__}: write {name}=[{value!r}]")
    items = sorted(value) if isinstance(value, set | frozenset) else list(value)
    if not items:
        raise ValueError(f"{name} is empty: leave it out for all, or name at least one")
    for item in items:
        if not isinstance(item, str) or not item:
            raise TypeError(f"{name} takes texts that are not empty, not {item!r}")
        if parameter.joined and "," in item:
            raise ValueError(f"{name} is joined with commas, so that {item!r} would become several; split it")
    return items


def check_time(name: str, value: Any) -> datetime:
    """Return the time if it says when it is. Raises TypeError or ValueError otherwise."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} takes a datetime with a time zone, not {type(value).__name__} {value!r}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{name} is {value.isoformat()} without a time zone, which may mean different times: "
            "write .replace(tzinfo=timezone.utc) for UTC or .astimezone() for this machine's zone"
        )
    return value


def _number(parameter: Parameter, name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} takes a number, not {value!r}")
    lowest = parameter.schema.get("minimum")
    if lowest is not None and value < lowest:
        raise ValueError(f"{name} is {value}; it starts at {lowest}")
    return value


def _text(parameter: Parameter, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} takes text, not {type(value).__name__} {value!r}")
    if not value.strip():
        raise ValueError(f"{name} is empty; leave it out, or say what to look for")
    if parameter.location == "header" and not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError(
            f"{name} is sent as the header {parameter.name}: visible ASCII characters only, "
            f"no line breaks, no blanks at its ends, not {value!a}"
        )
    if parameter.location == "path" and not _is_segment(parameter, value):
        raise ValueError(f"{name} {value!a} does not fit into a URL; it looks like {parameter.schema.get('pattern')}")
    return value


def _is_segment(parameter: Parameter, value: str) -> bool:
    pattern = parameter.schema.get("pattern", r"^[^/?#\x00-\x20\x7f]+$")
    return value not in (".", "..") and re.search(pattern, value) is not None and not value.endswith("\n")


def _member(name: str, value: Any, enum: type[Enum]) -> Enum:
    try:
        return enum(value)
    except ValueError:
        allowed = ", ".join(repr(each.value) for each in enum)
        raise ValueError(f"{name} is one of {allowed}, not {value!r}") from None
