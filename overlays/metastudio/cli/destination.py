"""The output of a command: standard output, or a file that is written completely or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from metastudio.cli.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Generator


# A server may send lone surrogates, which UTF-8 cannot encode.
_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}


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
        with _writing(path):
            stream = path.open("w", **_TEXT)
        with stream:
            yield stream
    else:
        if path.exists() and not force:
            raise CommandError(f"{path} already exists", "add --force to replace it", ExitCode.USAGE)
        target = path.resolve()
        # Others may write to the folder, so the name is unpredictable and the file must not exist: no link is followed.
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        with _writing(path):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with open(descriptor, "w", **_TEXT) as stream:
                if target.exists():
                    os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
                yield stream
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", code=ExitCode.USAGE) from None
