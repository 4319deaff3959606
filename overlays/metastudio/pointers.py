"""JSON pointers (RFC 6901) into the generated model objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from metastudio_client.types import Unset


def pointer_getter(pointer: str) -> Callable[[Any], Any]:
    """Return a function that follows `pointer`, for example /data/job_id, from a model object.

    It gives None where something on the way is absent, null or unset. Arrays are not looked into.
    """
    tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])

    def get(value: Any) -> Any:
        for token in tokens:
            value = _step(value, token)
        return None if isinstance(value, Unset) else value

    return get


def _step(value: Any, token: str) -> Any:
    if value is None or isinstance(value, Unset):
        return None
    if isinstance(value, Mapping):
        return value.get(token)
    model: type = type(value)
    attribute = _attribute(model, token)
    if attribute is None:
        return getattr(value, "additional_properties", {}).get(token)
    return getattr(value, attribute)


@cache
def _attribute(model: type, token: str) -> str | None:
    """The attribute that the generator made of a property: jobId became job_id, type became type_."""
    names: list[str] = [field.name for field in getattr(model, "__attrs_attrs__", ())]
    if token in names:
        return token
    return next((name for name in names if _squashed(name) == _squashed(token)), None)


def _squashed(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
