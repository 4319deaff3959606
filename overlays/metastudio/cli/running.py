"""From the command line to an exit code: errors become a message, signals end the process."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import signal
import sys
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn, Self

import click

from metastudio import errors
from metastudio.cli.options import ConnectionOptions
from metastudio.redaction import mask, printable

if TYPE_CHECKING:
    import logging
    from collections.abc import Generator, Mapping, Sequence

COMPLETION = "_METASTUDIO_COMPLETE"
"""Environment variable by which a shell requests completions from click."""


class ExitCode(IntEnum):
    """Exit codes of the command. A command ended by a signal exits with 128 plus the signal's number.

    Attributes:
        meaning: The meaning of the code for every command but contract-test.
        contract_test: Its meaning for contract-test, where only a breach is 1. Empty if contract-test does not use it.
    """

    meaning: str
    contract_test: str

    def __new__(cls, code: int, meaning: str, contract_test: str = "") -> Self:
        """Create a member from its number and its meanings."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.contract_test = meaning, contract_test
        return member

    @property
    def all_meanings(self) -> str:
        """Both meanings in one line."""
        return f"{self.meaning}; contract-test: {self.contract_test}" if self.contract_test else self.meaning

    OK = 0, "success", "no breach"
    FAILED = 1, "the server, the network or a file failed", "the server breaks the contract"
    USAGE = 2, "the command line or a setting is invalid", "the run was not possible"
    NOT_FOUND = 3, "no item has this ID", "the list has no items"
    DENIED = 4, "no credentials were found, or they were refused"
    ITEM_FAILED = 5, "watch: an item failed"
    NEEDS_INPUT = 6, "watch: an item needs input"
    TIMEOUT = 124, "watch: timed out"


class CommandError(click.ClickException):
    """An error raised by a command itself.

    Args:
        message: What went wrong.
        hint: What to do about it.
        code: Exit code of the command.
    """

    def __init__(self, message: str, hint: str | None = None, code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def describe_error(error: Exception) -> CommandError:
    """Return the error with the message, hint and exit code to show. None of them contains a secret."""
    match error:
        case CommandError():
            return _text(error.message, error.code, error.hint)
        case click.NoSuchOption() | click.exceptions.NoSuchCommand() if error.possibilities:
            return _text(f"{error.message} Did you mean {error.possibilities[0]}?", ExitCode.USAGE, _help_hint(error))
        case click.UsageError():
            return _text(error.format_message(), ExitCode.USAGE, _help_hint(error))
        case click.ClickException():
            return _text(error.format_message(), error.exit_code)
        case ModuleNotFoundError(name=str(name)) if (missing := name.partition(".")[0]) in ("rich", "yaml"):
            return _text(f"this needs {missing}, which is not installed", ExitCode.FAILED, _extra_hint("cli"))
        case errors.ApiError():
            denied = isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)
            message = str(error).removesuffix(f". {printable(error.hint or '')}")
            return _text(message, ExitCode.DENIED if denied else ExitCode.FAILED, error.hint)
        case errors.CredentialsError():
            return _text(str(error), ExitCode.DENIED, _credentials_hint())
        case errors.ConfigurationError():
            return _text(_named_as_options(str(error)), ExitCode.USAGE)
        case errors.MetaStudioError():
            return _text(str(error), _CODES.get(type(error), ExitCode.FAILED))
        case OSError():
            return _text(f"{error.filename or 'a stream'}: {error.strerror or error}", ExitCode.FAILED)
        case _:
            message = f"unexpected {type(error).__name__}: {mask(str(error))}"
            return _text(message, ExitCode.FAILED, "this looks like a bug; metastudio --debug shows the traceback")


_CODES: Mapping[type[errors.MetaStudioError], ExitCode] = {
    errors.JobNotFoundError: ExitCode.NOT_FOUND,
    errors.WaitTimeoutError: ExitCode.TIMEOUT,
}


def _named_as_options(text: str) -> str:
    """Name arguments of the client as the options that set them."""
    text = re.sub(r"\(argument (\w+)\)", lambda found: f"(--{found[1].replace('_', '-')})", text)
    return text.replace("pass allow_http=True", "add --allow-http")


def _help_hint(error: click.UsageError) -> str:
    return f"{error.ctx.command_path if error.ctx else 'metastudio'} --help lists the commands and options"


def _credentials_hint() -> str:
    from metastudio.auth.chain import ACCESS_KEY, SECRET_KEY
    from metastudio.config import TOKEN

    return f"set {ACCESS_KEY} and {SECRET_KEY}, or {TOKEN}"


def _text(message: str, code: int, hint: str | None = None) -> CommandError:
    return CommandError(printable_lines(message), hint and printable_lines(hint), code)


def printable_lines(text: str) -> str:
    """Make each line of a text safe for a terminal."""
    return "\n".join(map(printable, text.split("\n")))


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
        raise CommandError(f"this needs {error.name}, which is not installed", _extra_hint(extra)) from None


def _extra_hint(extra: str) -> str:
    return f"install metastudio-client[{extra}] from the wheel or the clone that you have"


class _SigtermError(BaseException):
    """SIGTERM as an exception, so that unfinished files are removed."""


def run(root: click.Command, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. SIGINT, SIGTERM and a closed pipe end the process by signal."""
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        logging.getLogger("metastudio").addHandler(logging.NullHandler())  # a warning would stand in the prompt
        return shell_complete(root, {}, "metastudio", COMPLETION, instruction)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may contain characters the encoding lacks
    connection = ConnectionOptions()
    try:
        context = root.make_context("metastudio", [*arguments], obj=connection, terminal_width=_help_width())
        with context, _warnings():
            root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):  # Ctrl-C, also at a prompt
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
    return report_error(error)


def report_error(error: Exception, subject: str = "") -> int:
    """Print the message and the hint of an error, and return its exit code.

    Args:
        error: The error.
        subject: What the error is about, such as the ID of one item of several.
    """
    shown = describe_error(error)
    title = f"{printable(subject)}: " if subject else ""
    click.echo(f"{styled('Error:', fg='red', bold=True)} {title}{shown.message}", err=True)
    if shown.hint:
        click.echo(f"{styled('Hint:', fg='cyan', bold=True)} {shown.hint}", err=True)
    return shown.code


def styled(text: str, **style: Any) -> str:
    """Return a text with colours, which click leaves out where the stream is no terminal."""
    return text if without_colours() else click.style(text, **style)


def without_colours() -> bool:
    """Return whether the environment asks for no colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


@contextmanager
def _warnings() -> Generator[None]:
    """Show each warning of the client once, in the form of an error."""
    import logging

    logger, shown = logging.getLogger("metastudio"), set[str]()

    def show(record: logging.LogRecord) -> bool:
        text = printable(record.getMessage())
        if record.levelno >= logging.WARNING and text not in shown:
            click.echo(f"{styled('Warning:', fg='yellow', bold=True)} {text}", err=True)
        shown.add(text)
        return False

    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.addFilter(show)
    try:
        yield
    finally:
        logger.removeFilter(show)
        logger.removeHandler(handler)


def _help_width() -> int:
    return min(shutil.get_terminal_size().columns, 100) - 1


def _raise_sigterm(_number: int, _frame: object) -> None:
    raise _SigtermError


def _exit_by_signal(number: signal.Signals) -> NoReturn:
    """End the process by a signal, so that a shell shows 128 plus its number and Ctrl-C also ends a loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)
