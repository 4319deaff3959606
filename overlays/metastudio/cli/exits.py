"""Exit codes, and the one line that stands for an error."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Self

import click

from metastudio import errors

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exit(IntEnum):
    """What an exit code says. A command that a signal ends has 128 and the signal's number, as in any shell."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member from its number and what it means."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done"
    FAILED = 1, "the server, the network or a file failed"
    USAGE = 2, "the command line or a setting is wrong"
    NOT_FOUND = 3, "there is no item with this ID"
    DENIED = 4, "no credentials were found, or they were refused"
    ENDED_BADLY = 5, "watch: an item failed"
    NEEDS_SOMEBODY = 6, "watch: an item waits for somebody to act"
    TIMEOUT = 124, "watch: the time is over"


class Refusal(click.ClickException):
    """An error of the command itself, with its hint and exit code."""

    def __init__(self, message: str, hint: str | None = None, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class Said(NamedTuple):
    """An error as people see it."""

    message: str
    hint: str | None
    code: int


def say(error: Exception) -> Said:
    """Put an error into a line for people, a hint and an exit code. No secret gets in (`metastudio.errors`)."""
    match error:
        case Refusal():
            return _said(error.message, error.code, error.hint)
        case click.NoSuchOption() | click.exceptions.NoSuchCommand() if error.possibilities:
            return _said(f"{error.message} Did you mean {error.possibilities[0]}?", Exit.USAGE, _to_help(error))
        case click.UsageError():
            return _said(error.format_message(), Exit.USAGE, _to_help(error))
        case click.ClickException():
            return _said(error.format_message(), error.exit_code)
        case errors.ApiError():
            denied = isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)
            return _said(str(error).removesuffix(f". {error.hint}"), Exit.DENIED if denied else Exit.FAILED, error.hint)
        case errors.CredentialsError():
            return _said(str(error), Exit.DENIED, _to_be_set())
        case errors.MetaStudioError():
            return _said(str(error), _CODES.get(type(error), Exit.FAILED))
        case OSError():
            return _said(f"{error.filename or 'a stream'}: {error.strerror or error}", Exit.FAILED)
        case _:
            from metastudio.redaction import mask

            said = f"unexpected {type(error).__name__}: {mask(str(error))}"
            return _said(said, Exit.FAILED, "this looks like a bug; --debug behind metastudio shows where it happened")


_CODES: Mapping[type[errors.MetaStudioError], Exit] = {
    errors.ConfigurationError: Exit.USAGE,
    errors.JobNotFoundError: Exit.NOT_FOUND,
    errors.WaitTimeoutError: Exit.TIMEOUT,
}


def _to_help(error: click.UsageError) -> str:
    return f"{error.ctx.command_path if error.ctx else 'metastudio'} --help shows what there is"


def _to_be_set() -> str:
    from metastudio.auth.chain import ACCESS_KEY, SECRET_KEY
    from metastudio.config import TOKEN

    return f"set {ACCESS_KEY} and {SECRET_KEY}, or {TOKEN}; metastudio whoami shows what is found where"


def _said(message: str, code: int, hint: str | None = None) -> Said:
    return Said(re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]+", " ", message).strip(), hint, int(code))
