"""Spells names of the contract in Python as the generator does, so that interpreting code finds what it wrote."""

from __future__ import annotations

import builtins
import keyword
import re

_RESERVED = (set(dir(builtins)) | {"self", "true", "false", "datetime"} | set(keyword.kwlist)) - {"id"}


def python_name(name: str) -> str:
    """Return the attribute or keyword argument that openapi-python-client makes of a name.

    `X-App-UserId` gives `x_app_user_id`, `type` gives `type_`, `4K` gives `field_4k`.
    """
    name = re.sub(r"[^\w. _-]+", "", name)
    if any(character.isupper() for character in name):
        name = " ".join(re.split("([A-Z]?[a-z]+)", name))
    words = "_".join(re.findall(r"[^. _-]+", name)).lower()
    if words in _RESERVED:
        return words + "_"
    return words if words.isidentifier() and not name.startswith("_") else "field_" + words


def method_suffix(operation_id: str, tag: str) -> str:
    """Return the suffix of the methods `iterate`, `find` and `wait` that an operation has in the class of its tag.

    It is empty for `list_` and the tag; `list_batches` gives `iterate_batches`.
    """
    return "" if operation_id == f"list_{tag}" else f"_{operation_id.removeprefix('list_')}"
