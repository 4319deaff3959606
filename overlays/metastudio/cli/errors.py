"""Exit codes, and errors as a message with a hint."""

from __future__ import annotations

import os
import re
from enum import IntEnum
from typing import Any

import click

from metastudio import errors
from metastudio.redaction import mask, printable


class ExitCode(IntEnum):
    """Exit codes of the command. A command ended by a signal exits with 128 plus the signal's number."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    ITEM_FAILED = 5
    NEEDS_INPUT = 6
    TIMEOUT = 124


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "the server, the network or a file failed",
    ExitCode.USAGE: "the command line or a setting is invalid",
    ExitCode.NOT_FOUND: "no item has this ID",
    ExitCode.DENIED: "no credentials were found, or they were refused",
    ExitCode.ITEM_FAILED: "watch: an item failed",
    ExitCode.NEEDS_INPUT: "watch: an item needs input",
    ExitCode.TIMEOUT: "watch: timed out",
}
"""Meaning of each exit code for every command but contract-test."""
TEST_MEANINGS = {
    ExitCode.OK: "no breach",
    ExitCode.FAILED: "the server breaks the contract",
    ExitCode.USAGE: "the run was not possible",
    ExitCode.NOT_FOUND: "the list has no items",
}
"""Meaning of each exit code for contract-test, where only a breach is 1."""


_OF_CLIENT = {
    "pass allow_http=True": "add --allow-http",
    "; httpx.Timeout(None) waits without limit": "",
    "; leave it out to use the environment": "; leave it out",
}
"""Parts of errors of the client that mean nothing on a command line, and what is said instead."""


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


def describe_error(error: Exception, extra: str = "cli") -> CommandError:
    """Return the error with the message, hint and exit code to show. None of them contains a secret.

    Args:
        error: The error.
        extra: What installs the libraries that the command needs.
    """
    code, hint = ExitCode.FAILED, None
    match error:
        case CommandError():
            return _printable(error.message, error.hint, error.code)
        case click.UsageError():
            message, code = error.format_message(), ExitCode.USAGE
            if isinstance(error, click.NoSuchOption | click.exceptions.NoSuchCommand) and error.possibilities:
                message = f"{error.message} Did you mean {error.possibilities[0]}?"
            hint = f"{error.ctx.command_path if error.ctx else 'metastudio'} --help lists the commands and options"
        case click.ClickException():
            return _printable(error.format_message(), None, error.exit_code)
        case ModuleNotFoundError(name=str(name)) if not name.startswith("metastudio"):
            message = f"this needs {name.partition('.')[0]}, which is not installed"
            hint = f"install metastudio-client[{extra}] from the wheel or the clone that you have"
        case errors.ApiError():
            denied = isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError)
            message, hint = str(error).removesuffix(f". {printable(error.hint or '')}"), error.hint
            code = ExitCode.DENIED if denied else ExitCode.FAILED
        case errors.CredentialsError():
            from metastudio.auth.chain import ACCESS_KEY, SECRET_KEY
            from metastudio.config import TOKEN

            message, hint, code = str(error), f"set {ACCESS_KEY} and {SECRET_KEY}, or {TOKEN}", ExitCode.DENIED
        case errors.ConfigurationError():  # names arguments of the client; the options that set them are meant
            message = re.sub(
                r"(?<=\()argument (\w+)(?=\))|^(\w+)(?= must )",
                lambda found: f"--{(found[1] or found[2]).replace('_', '-')}",
                str(error),
            )
            for of_client, of_command in _OF_CLIENT.items():
                message = message.replace(of_client, of_command)
            code = ExitCode.USAGE
        case errors.JobNotFoundError():
            message, code = str(error), ExitCode.NOT_FOUND
        case errors.WaitTimeoutError():
            message, code = str(error), ExitCode.TIMEOUT
        case errors.MetaStudioError():
            message = str(error)
        case OSError():
            message = f"{error.filename or 'standard input or output'}: {error.strerror or error}"
        case _:
            message = f"unexpected {type(error).__name__}: {mask(str(error))}"
            hint = "this looks like a bug; metastudio --debug shows the traceback"
    return _printable(message, hint, code)


def _printable(message: str, hint: str | None, code: int) -> CommandError:
    return CommandError(printable_lines(message), hint and printable_lines(hint), code)


def printable_lines(text: str) -> str:
    """Make each line of a text safe for a terminal."""
    return "\n".join(map(printable, text.split("\n")))


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
