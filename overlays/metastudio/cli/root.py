"""The command `metastudio`: its subcommands, each imported when it is used, and the run to an exit code."""

from __future__ import annotations

import io
import logging
import os
import platform
import shutil
import signal
import sys
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import get_completion_class, shell_complete
from metastudio_client.contract import OPERATIONS, TITLE

from metastudio.cli.errors import MEANINGS, TEST_MEANINGS, CommandError, ExitCode, printable_lines, report_error, styled
from metastudio.cli.options import (
    NO_ID_CACHE,
    Command,
    ConnectionOptions,
    Group,
    Option,
    connection_options,
    in_path,
    title,
)
from metastudio.contract.naming import command_words
from metastudio.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from metastudio.contract.operation import Operation

COMPLETION = "_METASTUDIO_COMPLETE"
"""Environment variable by which a shell requests completions from click."""
_BUILT_IN = {
    "whoami": ("credentials", "Show and check credentials, server and project."),
    "curl": ("credentials", "Sign a GET request; send, print or explain it."),
    "sandbox": ("testing", "Run a local server for testing."),
    "contract-test": ("testing", "Test a server against the contract."),
    "completion": ("root", "Print a shell completion script."),
}
"""Module and summary of each command that is not from the contract."""


class LazyCommand(click.Command):
    """A subcommand with its line in the help of the root command. It is imported when it is used.

    Args:
        name: Its name.
        summary: Its line in the help.
        load: Imports the command.
    """

    def __init__(self, name: str, summary: str, load: Callable[[], click.Command]) -> None:
        super().__init__(name, short_help=summary)
        self._load = load

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """Return a context of the imported command."""
        return self._load().make_context(*arguments, **settings)


def _load(module: str, factory: str, *arguments: Any) -> click.Command:
    command: click.Command = getattr(import_module(f"metastudio.cli.{module}"), factory)(*arguments)
    return command


def commands(contract: Mapping[str, Operation]) -> dict[str, click.Command]:
    """Return all subcommands by name. `watch` belongs to the first list whose items can be watched."""
    groups: dict[str, dict[str, Operation]] = {}
    for operation in contract.values():
        name, *below = command_words(operation, contract)
        groups.setdefault(name, {})[" ".join(below)] = operation
    found: list[LazyCommand] = []
    for name, operations in groups.items():
        titles = [title(each) for each in ([operations[""]] if "" in operations else operations.values())]
        found.append(LazyCommand(name, " ".join(titles), partial(_contract_command, name, operations, contract)))
    for name, operations in groups.items():
        if "" in operations and _watchable(operations[""], contract):
            watch = partial(_load, "watch", "watch_command", operations[""])
            found.append(LazyCommand("watch", f"Watch {name} until they finish or need input.", watch))
            break
    for name, (module, summary) in _BUILT_IN.items():
        found.append(LazyCommand(name, summary, partial(_load, module, f"{name.replace('-', '_')}_command")))
    return {str(each.name): each for each in found}


def _contract_command(
    name: str, operations: Mapping[str, Operation], contract: Mapping[str, Operation]
) -> click.Command:
    """Return the command of a list, or of a tag without one, with a subcommand for each of its other operations."""
    below = dict(operations)
    listed = below.pop("", None)
    if listed is None:
        group = Group(name, help=" ".join(map(title, below.values())))
    else:
        from metastudio.cli.lists import list_command

        group = list_command(name, listed)
    for word, operation in below.items():
        group.add_command(_load("items", "item_command", word, operation))
    if listed and listed.states:
        group.add_command(_load("lists", "summary_command", name, listed))
        if _watchable(listed, contract):
            group.add_command(_load("watch", "watch_command", listed))
    return group


def _watchable(operation: Operation, contract: Mapping[str, Operation]) -> bool:
    """Return whether the client can wait for an item of a list: states, and one ID that finds it."""
    rules = operation.list_rules
    if not operation.states or rules is None or rules.identity is None or in_path(operation):
        return False
    shows = [each for each in contract.values() if each.kind == "show" and each.list_id == operation.id]
    found_by_filter = any(each.property == rules.identity and each.op == "eq" for each in rules.filters.values())
    return found_by_filter or any(len(in_path(each)) == 1 for each in shows)


def completion_command() -> click.Command:
    """Return the command that prints a completion script."""
    return Command(
        "completion",
        callback=_print_completion,
        params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
        help="Print a shell completion script for bash (4.4 or later), zsh or fish. It completes commands, options, "
        "known values, and the IDs of the last list that a terminal showed. They are kept in the user's cache folder; "
        f"{NO_ID_CACHE}=1 keeps none.",
        notes={
            "Installation": """
                ~/.bashrc                     eval "$(metastudio completion bash)"
                ~/.zshrc                      eval "$(metastudio completion zsh)"
                ~/.config/fish/config.fish    metastudio completion fish | source
            """
        },
    )


def _print_completion(shell: str) -> None:
    completion = get_completion_class(shell)
    assert completion is not None, "click supports all three"
    click.echo(completion(root, {}, "metastudio", COMPLETION).source())


def _version(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"metastudio-client {version('metastudio-client')} (Python {platform.python_version()})")
        context.exit()


def _root() -> Group:
    version = Option("Options", "--version", "Show the version.", is_flag=True, is_eager=True, expose_value=False,
                     callback=_version)  # fmt: skip
    lists = [(command_words(each, OPERATIONS)[0], each) for each in OPERATIONS.values() if each.kind == "list"][:1]
    examples = [f"metastudio {name} --limit 10" for name, _ in lists]
    examples += [f"metastudio {name} summary" for name, operation in lists if operation.states]
    examples += ["metastudio --region ap-southeast-3 whoami", "metastudio sandbox"]
    codes = [
        f"{code:<5d}{meaning}" + (f"; contract-test: {TEST_MEANINGS[code]}" if code in TEST_MEANINGS else "")
        for code, meaning in MEANINGS.items()
    ]
    return Group(
        "metastudio",
        commands=commands(OPERATIONS),
        context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
        params=[*connection_options(), version],
        help=f"Work with {TITLE} on Huawei Cloud. Credentials come from the environment, ~/.huaweicloud/credentials or "
        "the metadata of a cloud server; metastudio whoami shows which are used.",
        notes={
            "Examples": "\n".join(examples),
            "Exit codes": "\n".join([*codes, "130  ended by Ctrl-C; 128 + n for signal n"]),
        },
    )


root = _root()


class _SigtermError(BaseException):
    """SIGTERM as an exception, so that unfinished files are removed."""


def run(root: click.Command, arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. SIGINT, SIGTERM and a closed pipe end the process by signal."""
    if instruction := os.environ.get(COMPLETION):
        logging.getLogger("metastudio").addHandler(logging.NullHandler())  # a warning would stand in the prompt
        with suppress(KeyError, ValueError):  # COMP_WORDS or COMP_CWORD
            if shell_complete(root, {}, "metastudio", COMPLETION, instruction) == 0:
                return ExitCode.OK
        problem = f"{COMPLETION} is for completion scripts; unset it, and see metastudio completion --help"
        return report_error(CommandError(problem, code=ExitCode.USAGE))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may contain characters the encoding lacks
    connection, width = ConnectionOptions(), min(shutil.get_terminal_size().columns, 100) - 1
    try:
        context = root.make_context("metastudio", [*arguments], obj=connection, terminal_width=width)
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
        if connection.debug:
            import traceback

            print(printable_lines("".join(traceback.format_exception(error)).rstrip("\n")), file=sys.stderr)
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            print(error.format_message(), file=sys.stderr)
            return error.exit_code
        return report_error(error)
    return 0


@contextmanager
def _warnings() -> Generator[None]:
    """Show each warning of the client once, in the form of an error."""
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


def _raise_sigterm(_number: int, _frame: object) -> None:
    raise _SigtermError


def _exit_by_signal(number: signal.Signals) -> NoReturn:
    """End the process by a signal, so that a shell shows 128 plus its number and Ctrl-C also ends a loop."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)
