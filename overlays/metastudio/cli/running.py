"""From a command line to an exit code: an error becomes a line, a signal ends the command as it ends any other."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, cast

import click

from metastudio.cli.connection import Connection
from metastudio.cli.exits import say
from metastudio.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

COMPLETION = "_METASTUDIO_COMPLETE"
"""The shell sets it to ask what could come next (click's protocol)."""


class _Terminated(BaseException):
    """SIGTERM, as an exception, so that half a file is taken away."""


def run(root: click.Command, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Ctrl-C, SIGTERM and a reader that has gone end the process."""
    if asked := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, "metastudio", COMPLETION, asked)
    # Half of the time that importing httpx takes goes into its own command, which this process has no use for.
    sys.modules.setdefault("httpx._main", cast("ModuleType", None))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what the terminal's encoding has not
    connection = Connection()
    try:
        with root.make_context("metastudio", [*arguments], obj=connection, terminal_width=_help_width()) as context:
            root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        _end_by(signal.SIGINT)
    except _Terminated:
        _end_by(signal.SIGTERM)
    except BrokenPipeError:
        _end_by(signal.SIGPIPE)
    except Exception as error:  # noqa: BLE001 - whatever it is, people get one line
        return _report(error, connection)
    return 0


def _report(error: Exception, connection: Connection) -> int:
    if connection.debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    message, hint, code = say(error)
    terminal = Terminal(sys.stderr)
    terminal.write(f"{terminal.style('Error:', 'red', bold=True)} {message}\n")
    if hint:
        terminal.write(f"{terminal.style('Hint:', 'cyan', bold=True)} {hint}\n")
    return code


def _help_width() -> int:
    return min(shutil.get_terminal_size().columns, 100) - 1


def _terminate(_number: int, _frame: object) -> None:
    raise _Terminated


def _end_by(number: signal.Signals) -> NoReturn:
    """End as if the signal had not been caught: shells then show 128 + its number, and stop a loop on Ctrl-C."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)
