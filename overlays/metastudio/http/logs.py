"""The logger `metastudio`: one line a call at INFO, attempts and what was signed at DEBUG.

`METASTUDIO_LOG=debug` or `info` shows it on stderr without a line of code. httpx's own loggers are left alone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from metastudio.errors import ConfigurationError

logger = logging.getLogger("metastudio")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
_lock = threading.Lock()


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at that moment, for it may be replaced and closed meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a call must not fail because its log line cannot be written
            self.handleError(record)


def follow_environment() -> None:
    """Do what `METASTUDIO_LOG` says; called for each new client, acts once.

    The handler is left out where the application has set up logging itself.

    Raises:
        ConfigurationError: the value is not known.
    """
    wanted = os.environ.get("METASTUDIO_LOG", "").strip().lower()
    if not wanted:
        return
    if wanted not in _LEVELS:
        raise ConfigurationError(f"METASTUDIO_LOG is {wanted!r}: write debug or info, or leave it out")
    with _lock:
        logger.setLevel(_LEVELS[wanted])
        if not logger.hasHandlers():
            handler = _Stderr()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logger.addHandler(handler)
