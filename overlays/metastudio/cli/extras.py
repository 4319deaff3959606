"""The error for a command whose extra is not installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from metastudio.cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def requires_extra(extra: str) -> Generator[None]:
    """Turn the import error of a library that an extra installs into a CommandError.

    A missing module of this project is a bug and raises ModuleNotFoundError as usual.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "metastudio").startswith("metastudio"):
            raise
        hint = f"install metastudio-client[{extra}] from the wheel or the clone that you have"
        raise CommandError(f"this command needs {error.name}, which is not installed", hint) from None
