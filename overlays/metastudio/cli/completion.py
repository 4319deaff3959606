"""Completions that come from this machine: regions, profiles, and IDs that were shown.

Nothing is requested for a completion. A list that a terminal shows leaves its IDs in the user's cache folder.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[Any]]]

REGIONS = ("cn-north-4", "cn-east-3", "ap-southeast-3")
"""Known regions; others are accepted too (docs/service-notes.md#endpoints-and-regions)."""
NO_ID_CACHE = "METASTUDIO_NO_ID_CACHE"
_MAX_IDS = 1000
_SAFE_ID = re.compile(r"\w[\w.:-]{0,127}", re.ASCII)  # IDs come from a server, and completions go into a command line


def completer(values: Callable[[], Iterable[str]]) -> Completer:
    """Return a completer of values that are not given yet. If they cannot be read, there is nothing to complete."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        given = context.params.get(parameter.name or "") or ()
        with suppress(Exception):
            return [CompletionItem(each) for each in values() if each.startswith(incomplete) and each not in given]
        return []

    return complete


def profile_names() -> Iterable[str]:
    """Return the sections of the credentials file."""
    from metastudio.auth import chain

    return chain.profiles(os.environ)


def remember_ids(list_id: str, identities: Iterable[str]) -> None:
    """Keep the IDs of a list that was shown. A folder that cannot be written is no error."""
    if os.environ.get(NO_ID_CACHE):
        return
    kept = islice((f"{each}\n" for each in identities if _SAFE_ID.fullmatch(each)), _MAX_IDS)
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home directory
        path = _id_file(list_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.writelines(kept)


def shown_ids(list_id: str) -> Iterable[str]:
    """Return the IDs of a list that were shown last."""
    return _id_file(list_id).read_text("ascii").split()


def _id_file(list_id: str) -> Path:
    folder = os.environ.get("XDG_CACHE_HOME")
    return (Path(folder) if folder else Path.home() / ".cache") / "metastudio" / f"{list_id}.ids"
