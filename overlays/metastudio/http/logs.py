"""The logger `metastudio`: one line per call at INFO, attempts and signed texts at DEBUG.

`METASTUDIO_LOG=debug` or `info` shows it on stderr without a line of code. The loggers of httpx keep their levels and
handlers; one filter keeps what a server writes out of them.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import cast

import httpx

from metastudio.errors import ConfigurationError
from metastudio.redaction import printable

logger = logging.getLogger("metastudio")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
_lock = threading.Lock()


class StderrHandler(logging.Handler):
    """Writes to the current `sys.stderr`, which a program or a test may replace."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record without terminal sequences."""
        try:
            sys.stderr.write("\n".join(map(printable, self.format(record).split("\n"))) + "\n")
        except Exception:  # noqa: BLE001 - a call must not fail because its log line cannot be written
            self.handleError(record)


def follow_environment() -> None:
    """Set the log level and a handler as `METASTUDIO_LOG` says. Each new client calls this; it acts once.

    No handler is added if the application has configured logging itself.

    Raises:
        ConfigurationError: The value is unknown.
    """
    level = os.environ.get("METASTUDIO_LOG", "").strip().lower()
    if not level:
        return
    if level not in _LEVELS:
        raise ConfigurationError(f"METASTUDIO_LOG is {level!r}: set it to debug or info, or unset it")
    with _lock:
        logger.setLevel(_LEVELS[level])
        if not logger.hasHandlers():
            handler = StderrHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logger.addHandler(handler)


def keep_reason_phrases_out() -> None:
    """Make httpx log the standard reason phrase of each status. The server's own may be anything, such as a token."""
    logging.getLogger("httpx").addFilter(_with_standard_phrase)  # adds it once


def _with_standard_phrase(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple) and record.msg.startswith("HTTP Request"):
        *before, status, _ = record.args
        record.args = (*before, status, httpx.codes.get_reason_phrase(cast("int", status)))
    return True
