"""The command `metastudio`: the commands of the contract and its own, each imported when it is used."""

from __future__ import annotations

import platform
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class
from metastudio_client.contract import OPERATIONS, TITLE

from metastudio.cli.completion import NO_ID_CACHE
from metastudio.cli.options import Command, Group, connection_options, in_path, title
from metastudio.cli.running import COMPLETION, ExitCode
from metastudio.contract.naming import command_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metastudio.contract.operation import Operation


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


def _built_in() -> list[LazyCommand]:
    credentials = partial(partial, _load, "credentials")
    return [
        LazyCommand("whoami", "Show and check credentials, server and project.", credentials("whoami_command")),
        LazyCommand("curl", "Sign a GET request; send, print or explain it.", credentials("curl_command")),
        LazyCommand("sandbox", "Run a local server for testing.", partial(_load, "sandbox", "sandbox_command")),
        LazyCommand(
            "contract-test",
            "Test a server against the contract.",
            partial(_load, "contract_test", "contract_test_command"),
        ),
        LazyCommand("completion", "Print a shell completion script.", _completion_command),
    ]


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
            watch = partial(_load, "states", "watch_command", operations[""])
            found.append(LazyCommand("watch", f"Watch {name} until they finish or need input.", watch))
            break
    return {str(each.name): each for each in (*found, *_built_in())}


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
        group.add_command(_load("states", "summary_command", name, listed))
        if _watchable(listed, contract):
            group.add_command(_load("states", "watch_command", listed))
    return group


def _watchable(operation: Operation, contract: Mapping[str, Operation]) -> bool:
    """Return whether the client can wait for an item of a list: states, and one ID that finds it."""
    rules = operation.list_rules
    if not operation.states or rules is None or rules.identity is None or in_path(operation):
        return False
    shows = [each for each in contract.values() if each.kind == "show" and each.list_id == operation.id]
    found_by_filter = any(each.property == rules.identity and each.op == "eq" for each in rules.filters.values())
    return found_by_filter or any(len(in_path(each)) == 1 for each in shows)


class RootGroup(Group):
    """A group whose subcommands are shown in their own order, those of the contract first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(self.commands)


def _completion_command() -> click.Command:
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


def _examples() -> str:
    lists = [operation for operation in OPERATIONS.values() if operation.kind == "list"]
    lines = [f"metastudio {command_words(each, OPERATIONS)[0]} --limit 10" for each in lists[:1]]
    lines += [f"metastudio {command_words(each, OPERATIONS)[0]} summary" for each in lists[:1] if each.states]
    return "\n".join([*lines, "metastudio --region ap-southeast-3 whoami", "metastudio sandbox"])


root = RootGroup(
    "metastudio",
    commands=commands(OPERATIONS),
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        *connection_options(),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        ),
    ],
    help=f"Work with {TITLE} on Huawei Cloud. Credentials come from the environment, ~/.huaweicloud/credentials or the "
    "metadata of a cloud server; metastudio whoami shows which are used.",
    notes={
        "Examples": _examples(),
        "Exit codes": "\n".join(
            [*(f"{code:<5d}{code.all_meanings}" for code in ExitCode), "130  ended by Ctrl-C; 128 + n for signal n"]
        ),
    },
)
