"""Runs the command: errors become a message and an exit code, signals end the process."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from metastudio.cli.connection import ConnectionOptions
from metastudio.cli.exits import describe_error, printable_lines
from metastudio.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLETION = "_METASTUDIO_COMPLETE"
"""Environment variable by which a shell requests completions from click."""


class _SigtermError(BaseException):
    """SIGTERM as an exception, so that unfinished files are removed."""


def run(root: click.Command, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. SIGINT, SIGTERM and a closed pipe end the process by signal."""
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, "metastudio", COMPLETION, instruction)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may contain characters the encoding lacks
    connection = ConnectionOptions()
    try:
        with root.make_context("metastudio", [*arguments], obj=connection, terminal_width=_help_width()) as context:
            root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        _exit_by_signal(signal.SIGINT)
    except _SigtermError:
        _exit_by_signal(signal.SIGTERM)
    except BrokenPipeError:
        _exit_by_signal(signal.SIGPIPE)
    except Exception as error:  # noqa: BLE001 - the last handler: every error becomes a message
        return _report(error, connection)
    return 0


def _report(error: Exception, connection: ConnectionOptions) -> int:
    if connection.debug:
        import traceback

        print(printable_lines("".join(traceback.format_exception(error)).rstrip("\n")), file=sys.stderr)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    message, hint, code = describe_error(error)
    terminal = Terminal(sys.stderr)
    terminal.write(f"{terminal.style('Error:', 'red', bold=True)} {message}\n")
    if hint:
        terminal.write(f"{terminal.style('Hint:', 'cyan', bold=True)} {hint}\n")
    return code


def _help_width() -> int:
    return min(shutil.get_terminal_size().columns, 100) - 1


def _raise_sigterm(_number: int, _frame: object) -> None:
    raise _SigtermError


def _exit_by_signal(number: signal.Signals) -> NoReturn:
    """End the process by a signal, so that a shell shows 128 plus its number and Ctrl-C also ends a loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)
