"""Where output goes: standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from metastudio.cli.exits import Exit, Refusal

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def destination(path: Path | None, *, force: bool) -> Generator[TextIO]:
    """Give the stream to write to. A file appears under its name at the end, if nothing has failed; - is no file.

    Raises:
        Refusal: the file is there and `force` is not given, or it cannot be written.
    """
    if path is None or str(path) == "-":
        yield sys.stdout
    elif path.is_dir():
        raise Refusal(f"{path} is a folder", code=Exit.USAGE)
    elif path.exists() and not path.is_file():  # such as /dev/null or a named pipe
        with _opened(path, path) as stream:
            yield stream
    else:
        if path.exists() and not force:
            raise Refusal(f"{path} is there already", "--force replaces it", Exit.USAGE)
        target = path.resolve()
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with _opened(part, path) as stream:
                yield stream
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def _opened(path: Path, shown: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise Refusal(f"cannot write {shown}: {error.strerror}", code=Exit.USAGE) from None
