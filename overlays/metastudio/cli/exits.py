"""Exit codes and error messages."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Self

import click

from metastudio import errors
from metastudio.redaction import mask, printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """Exit codes of the command. A command ended by a signal exits with 128 plus the signal's number."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Create a member from its number and its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "success"
    FAILED = 1, "the server, the network or a file failed"
    USAGE = 2, "the command line or a setting is invalid"
    NOT_FOUND = 3, "no item has this ID"
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

    def __init__(self, message: str, hint: str | None = None, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class ErrorText(NamedTuple):
    """The message, hint and exit code of an error."""

    message: str
    hint: str | None
    code: int


def describe_error(error: Exception) -> ErrorText:
    """Return the message, hint and exit code of an error. None of them contains a secret."""
    match error:
        case CommandError():
            return _text(error.message, error.code, error.hint)
        case click.NoSuchOption() | click.exceptions.NoSuchCommand() if error.possibilities:
            return _text(f"{error.message} Did you mean {error.possibilities[0]}?", ExitCode.USAGE, _help_hint(error))
        case click.UsageError():
            return _text(error.format_message(), ExitCode.USAGE, _help_hint(error))
        case click.ClickException():
            return _text(error.format_message(), error.exit_code)
        case errors.ApiError():
            denied = isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)
            message = str(error).removesuffix(f". {printable(error.hint or '')}")
            return _text(message, ExitCode.DENIED if denied else ExitCode.FAILED, error.hint)
        case errors.CredentialsError():
            return _text(str(error), ExitCode.DENIED, _credentials_hint())
        case errors.MetaStudioError():
            return _text(str(error), _CODES.get(type(error), ExitCode.FAILED))
        case OSError():
            return _text(f"{error.filename or 'a stream'}: {error.strerror or error}", ExitCode.FAILED)
        case _:
            message = f"unexpected {type(error).__name__}: {mask(str(error))}"
            return _text(message, ExitCode.FAILED, "this looks like a bug; metastudio --debug shows the traceback")


_CODES: Mapping[type[errors.MetaStudioError], ExitCode] = {
    errors.ConfigurationError: ExitCode.USAGE,
    errors.JobNotFoundError: ExitCode.NOT_FOUND,
    errors.WaitTimeoutError: ExitCode.TIMEOUT,
}


def _help_hint(error: click.UsageError) -> str:
    return f"{error.ctx.command_path if error.ctx else 'metastudio'} --help lists the commands and options"


def _credentials_hint() -> str:
    from metastudio.auth.chain import ACCESS_KEY, SECRET_KEY
    from metastudio.config import TOKEN

    return f"set {ACCESS_KEY} and {SECRET_KEY}, or {TOKEN}; metastudio whoami shows which credentials are found"


def _text(message: str, code: int, hint: str | None = None) -> ErrorText:
    return ErrorText(printable_lines(message), hint and printable_lines(hint), int(code))


def printable_lines(text: str) -> str:
    """Make each line of a text safe for a terminal."""
    return "\n".join(map(printable, text.split("\n")))
