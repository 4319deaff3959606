"""Checks keyword arguments against the contract before anything is sent.

Rejects only values that would break the request or change its meaning. Upper bounds are left to the server, because
this contract chose them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation, Parameter


BODY = "body"
"""The argument that holds the body of a request."""


def check_arguments(
    operation: Operation, arguments: Mapping[str, Any], optional: Collection[str] = ()
) -> dict[str, Any]:
    """Return the arguments for the generated function.

    Args:
        operation: The operation to call.
        arguments: Keyword arguments; one that is None counts as absent.
        optional: Required arguments that the caller fills in later.

    Raises:
        TypeError: An argument is unknown, missing, or of the wrong type.
        ValueError: A value cannot be sent as what it is meant to be.
    """
    known = operation.by_python_name
    checked: dict[str, Any] = {}
    if operation.body is not None:
        body = arguments.get(BODY)
        arguments = {name: value for name, value in arguments.items() if name != BODY}
        if body is not None:
            from metastudio.contract.body import check_body

            checked[BODY] = check_body(operation.body.schema, body)
        elif operation.body.required:
            raise TypeError(f"{operation.id} needs the argument body: {operation.body.description}")
    for name in arguments:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, 1)
            remedy = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
            raise TypeError(f"{operation.id} takes no argument {name!r}; {remedy}")
    for name, parameter in known.items():
        value = arguments.get(name)
        if value is not None:
            checked[name] = _checked(parameter, name, value)
        elif parameter.required and name not in optional:
            raise TypeError(f"{operation.id} needs the argument {name}: {parameter.description}")
    return checked


def check_time(name: str, value: Any) -> datetime:
    """Return `value` if it is a time with a zone.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It has no time zone, or is out of range in UTC.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime with a time zone, not {type(value).__name__} {value!r}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{name} is {value.isoformat()} without a time zone, which is ambiguous: "
            "use .replace(tzinfo=timezone.utc) for UTC or .astimezone() for this machine's zone"
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} is {value.isoformat()}, which is out of range in UTC") from None
    return value


def check_unicode(name: str, value: str) -> None:
    """Raise ValueError for half of a surrogate pair, which no encoding has. The rest of the value is not quoted."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        characters = value[error.start : error.end]
        raise ValueError(f"{name} holds characters that cannot be sent, {characters!a}") from None


def epoch_time(name: str, value: Any, unit: int) -> Any:
    """Return a datetime as the number of units since 1970, and another value as it is.

    Raises:
        ValueError: It has no time zone.
    """
    if not isinstance(value, datetime):
        return value
    return (check_time(name, value) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1 / unit)


def likely_mistake(operation: Operation, arguments: Mapping[str, Any]) -> str | None:
    """Return which argument the contract does not allow, as advice for a request that the server refused, or None.

    Upper bounds and lists of known values are not checked before, because a newer server may allow more.
    """
    for name, parameter in operation.by_python_name.items():
        value = arguments.get(name)
        if value is None:
            continue
        schema: Mapping[str, Any] = parameter.schema.get("items", {}) if parameter.is_array else parameter.schema
        for each in value if parameter.is_array else [value]:
            maximum = schema.get("maximum")
            if maximum is not None and each > maximum:
                return f"Probably {name}={each!r}: the contract allows at most {maximum}."
            if isinstance(each, str) and parameter.values and each not in parameter.values:
                from difflib import get_close_matches

                close = get_close_matches(each.upper(), [known.upper() for known in parameter.values], 1)
                known = [value for value in parameter.values if value.upper() in close] or parameter.values
                return f"Probably {name}={each!r}: the contract knows {', '.join(known)}."
            longest = schema.get("maxLength")
            if isinstance(each, str) and longest is not None and len(each) > longest:
                return f"Probably {name}: the contract allows at most {longest} characters, and it has {len(each)}."
    return None


def _checked(parameter: Parameter, name: str, value: Any) -> Any:
    if parameter.is_array:
        return _array(parameter, name, value)
    if parameter.is_time:
        return check_time(name, value)
    if parameter.epoch is not None:
        value = epoch_time(name, value, parameter.epoch)
    _check_listed(parameter, parameter.schema, f"{name} must be one of", value)
    match parameter.schema.get("type", "string"):
        case "integer":
            return _number(parameter.schema, name, value, int)
        case "number":
            return _number(parameter.schema, name, value, (int, float))
        case "boolean":
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
            return value
        case _:
            return _text(parameter, name, value)


def _array(parameter: Parameter, name: str, value: Any) -> list[Any]:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be a list, not one {type(value).__name__}: write {name}=[{value!r}]")
    schema = parameter.schema.get("items", {})
    inner = schema.get("type", "string")
    items = sorted(value) if isinstance(value, set | frozenset) else list(value)
    if not items:
        raise ValueError(f"{name} must not be empty; omit it to match everything")
    for item in items:
        if inner in ("integer", "number"):
            _number(schema, f"each of {name}", item, int if inner == "integer" else (int, float))
        elif not isinstance(item, str) or not item:
            raise TypeError(f"{name} must hold non-empty strings, not {item!r}")
        else:
            check_unicode(name, item)
        _check_listed(parameter, schema, f"{name} may hold", item)
        if parameter.joined and "," in str(item):
            raise ValueError(f"{name} is sent comma-joined, so {item!r} would become several values; split it")
    return items


def _check_listed(parameter: Parameter, schema: Mapping[str, Any], problem: str, value: Any) -> None:
    if parameter.closed and str(value) not in parameter.values:
        quoted = map(repr, parameter.values) if schema.get("type", "string") == "string" else parameter.values
        raise ValueError(f"{problem} {', '.join(quoted)}, not {value!r}")


def _number(schema: Mapping[str, Any], name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {value!r}")
    minimum = schema.get("minimum")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be {minimum} or more, not {value}")
    return value


def _text(parameter: Parameter, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__} {value!r}")
    if not value.strip():
        raise ValueError(f"{name} must not be empty" + ("" if parameter.required else "; omit it to match everything"))
    check_unicode(name, value)
    if parameter.location == "header" and not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError(
            f"{name} is sent as the header {parameter.name}, so it must be printable ASCII "
            f"without line breaks or blanks at its ends, not {value!a}"
        )
    if parameter.location == "path":
        pattern = parameter.schema.get("pattern", r"^[^/?#\x00-\x20\x7f]+$")
        if value in (".", "..") or value.endswith("\n") or not re.search(pattern, value):
            raise ValueError(f"{name} must match {pattern} to fit into a URL, not {value!a}")
    return value
