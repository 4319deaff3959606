"""The output of a command: standard output, or a file that is written completely or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from metastudio.cli.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def destination(path: Path | None, *, force: bool) -> Generator[TextIO]:
    """Open the output. A file gets its name only after everything is written.

    Args:
        path: File to write; None or `-` is standard output.
        force: Replace an existing file.

    Raises:
        CommandError: The file exists and `force` is False, or it cannot be written.
    """
    if path is None or str(path) == "-":
        yield sys.stdout
    elif path.is_dir():
        raise CommandError(f"{path} is a directory", code=ExitCode.USAGE)
    elif path.exists() and not path.is_file():  # such as /dev/null or a named pipe
        with _open(path, path) as stream:
            yield stream
    else:
        if path.exists() and not force:
            raise CommandError(f"{path} already exists", "add --force to replace it", ExitCode.USAGE)
        target = path.resolve()
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with _open(part, path) as stream:
                yield stream
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _open(path: Path, shown: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(f"cannot write {shown}: {error.strerror}", code=ExitCode.USAGE) from None
