"""Spells names of the contract in Python as the generator does, so that interpreting code finds what it wrote."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation

COMMANDS = frozenset({"watch", "whoami", "curl", "sandbox", "contract-test", "completion"})
"""Commands that do not come from the contract. A list's own are `LIST_COMMANDS`."""
LIST_COMMANDS = frozenset({"summary", "watch"})

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


def method_name(operation_id: str, tag: str) -> str:
    """Return the method of an operation in the class of its tag: the ID without the words of the tag.

    Words match in singular and plural: `run_training_job_command` of `training_jobs` gives `run_command`.
    """
    words, own = operation_id.split("_"), [_singular(word) for word in tag.split("_")]
    for start in range(1, len(words)):
        if [_singular(word) for word in words[start : start + len(own)]] == own:
            return "_".join(words[:start] + words[start + len(own) :])
    return operation_id


def method_suffix(operation_id: str, tag: str) -> str:
    """Return the suffix of the methods `iterate`, `find` and `wait` of a list.

    It is empty for `list_` and the tag; `list_batches` gives `iterate_batches`.
    """
    name = method_name(operation_id, tag)
    return "" if name == "list" else f"_{name.removeprefix('list_')}"


def command_words(operation: Operation, operations: Mapping[str, Operation]) -> tuple[str, ...]:
    """Return the words that call an operation on the command line, such as `jobs` or `jobs`, `show`.

    A list has one word: its `x-cli`, or the last word of its ID. An operation on its items comes after that word, any
    other operation after its tag; its own word is its `x-cli`, or its method. So no word depends on other operations.
    """
    if operation.kind == "list":
        return (operation.cli_name or operation.id.rpartition("_")[2],)
    listed = operations.get(operation.list_id or "")
    group = operation.tag.replace("_", "-") if listed is None else command_words(listed, operations)[0]
    return group, operation.cli_name or method_name(operation.id, operation.tag).replace("_", "-")


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
