"""What to say when a command needs libraries that are not installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from metastudio.cli.exits import Refusal

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def needs(extra: str) -> Generator[None]:
    """Around what needs an extra: a library that is missing there is a Refusal, a module of ours that is, a bug."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "metastudio").startswith("metastudio"):
            raise
        hint = f"pip install 'metastudio-client[{extra}]'"
        raise Refusal(f"this command needs {error.name}, which is not installed", hint) from None
