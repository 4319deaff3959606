"""JSON pointers (RFC 6901): split, joined, and followed into parsed JSON and into generated model objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from metastudio.contract.naming import python_name


def split(pointer: str) -> list[str]:
    """Return the unescaped tokens of a JSON pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def join(tokens: Iterable[str | int]) -> str:
    """Return the JSON pointer of a path of member names and indexes."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def values_at(value: Any, pointer: str) -> list[Any]:
    """Return the values at a JSON pointer into parsed JSON. `*` stands for every element of an array."""
    found = [value]
    for token in _tokens(pointer):
        if token == "*":  # noqa: S105 - a token of a JSON pointer, not a secret
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[token] for each in found if isinstance(each, dict) and token in each]
    return found


_tokens = lru_cache(maxsize=256)(split)  # cached because it is called for every item


def set_at(target: dict[str, Any], pointer: str, value: Any) -> None:
    """Set the value at a JSON pointer into parsed JSON, creating missing objects."""
    *parents, last = split(pointer)
    for token in parents:
        target = target.setdefault(token, {})
    target[last] = value


def pointer_getter(pointer: str) -> Callable[[Any], Any]:
    """Return a function that follows `pointer`, for example /data/job_id, from a model object.

    It returns None where something on the way is absent, null or unset. It does not look into arrays.
    """
    from metastudio_client.types import Unset  # not there yet while the client is generated for the first time

    tokens = split(pointer)

    def get(value: Any) -> Any:
        for token in tokens:
            value = _step(value, token)
        return None if isinstance(value, Unset) else value

    return get


def _step(value: Any, token: str) -> Any:
    attribute = _attribute(value.__class__, token)
    if attribute is not None:
        return getattr(value, attribute)
    if isinstance(value, Mapping):
        return value.get(token)
    return getattr(value, "additional_properties", {}).get(token)


@cache
def _attribute(model: type, token: str) -> str | None:
    """The field of a model class that holds the member `token`; None for other members and other classes."""
    name = python_name(token)
    return name if any(field.name == name for field in getattr(model, "__attrs_attrs__", ())) else None
