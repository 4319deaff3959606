"""Reads JSON that no contract describes: that of IAM, of the metadata service, and in error bodies.

`is_too_deep` also applies to what a contract describes, because any object may have members that it does not name.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT = 64 * 1024
"""Longest text that is parsed, in characters or bytes."""
MAX_DEPTH = 64
"""Deepest nesting of objects and arrays, so that code that walks them does not exceed the recursion limit."""

_CONTAINERS = frozenset((dict, list))


def parse(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is longer than `LIMIT`, nested deeper than `MAX_DEPTH`, or not JSON.
    """
    if len(text) > LIMIT:
        raise ValueError("the JSON is longer than 64 KB")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
    if is_too_deep(value):
        raise ValueError("the JSON is nested too deep")
    return value


def is_too_deep(value: Any) -> bool:
    """Return whether parsed JSON is nested deeper than `MAX_DEPTH`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        # Most values of a page are strings, so they are excluded first: this line runs for each of them.
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) is not str and type(child) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def member(value: Any, name: str, kind: type[T]) -> T | None:
    """Return a member of an object, or None if it is absent or null.

    Raises:
        ValueError: `value` is not an object, or the member has another type than `kind`.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} is looked up in something other than an object")
    found = value.get(name)
    if found is not None and not isinstance(found, kind):
        raise ValueError(f"{name} has another type than {kind.__name__}")
    return found
