"""The command `metastudio` and its subcommands, each imported when it is used."""

from __future__ import annotations

import platform
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem
from metastudio_client.contract import OPERATIONS

from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import ExitCode
from metastudio.cli.extras import requires_extra
from metastudio.cli.rules import identity_parameter
from metastudio.cli.sections import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from metastudio.contract.operation import Operation


class CommandEntry(NamedTuple):
    """A subcommand: its line in `--help`, and a function that imports it."""

    summary: str
    load: Callable[[], click.Command]


def _load(module: str, factory: str, *arguments: Any) -> click.Command:
    command: click.Command = getattr(import_module(f"metastudio.cli.{module}"), factory)(*arguments)
    return command


@requires_extra("contract")
def _contract_test() -> click.Command:
    from metastudio.tester.command import contract_test

    return contract_test


BUILT_IN = {
    "whoami": CommandEntry(
        "Show and check credentials, server and project.", partial(_load, "whoami", "whoami_command")
    ),
    "curl": CommandEntry("Sign a GET request; send, print or explain it.", partial(_load, "curl", "curl_command")),
    "sandbox": CommandEntry("Run a local server for testing.", partial(_load, "sandbox", "sandbox_command")),
    "contract-test": CommandEntry("Test a server against the contract.", _contract_test),
    "completion": CommandEntry("Print a shell completion script.", partial(_load, "completion", "completion_command")),
}


def command_entries(contract: Mapping[str, Operation]) -> dict[str, CommandEntry]:
    """Return all subcommands. `watch` belongs to the first list whose items have states."""
    entries: dict[str, CommandEntry] = {}
    lists = command_names(contract, {*BUILT_IN, "watch"})
    for name, operation in lists.items():
        entries[name] = CommandEntry(f"{operation.summary}.", partial(_load, "lists", "list_command", name, operation))
    for name, operation in lists.items():
        if operation.states and identity_parameter(operation):
            watch = partial(_load, "watch", "watch_command", operation)
            entries["watch"] = CommandEntry(f"Watch {name} until they finish or need input.", watch)
            break
    return {**entries, **BUILT_IN}


def command_names(contract: Mapping[str, Operation], reserved: Collection[str]) -> dict[str, Operation]:
    """Return the list operations by the names of their commands.

    The name is the last word of the operation ID (`list_training_jobs`: jobs). If that name is reserved or ambiguous,
    it is the operation ID without `list_`, or else the whole operation ID.

    Args:
        contract: The operations, by ID.
        reserved: Names that are not available.
    """
    lists = {name.replace("_", "-"): operation for name, operation in contract.items() if operation.list_rules}
    whole = {name: name.removeprefix("list-") for name in lists}
    last = {name: words.rpartition("-")[2] for name, words in whole.items()}

    def chosen(name: str) -> str:
        for names in (last, whole):
            if names[name] not in reserved and [*names.values()].count(names[name]) == 1:
                return names[name]
        return name

    return {chosen(name): operation for name, operation in lists.items()}


class RootGroup(Group):
    """A group that imports only the subcommand it runs."""

    @cached_property
    def entries(self) -> dict[str, CommandEntry]:
        """The subcommands of the installed contract."""
        return command_entries(OPERATIONS)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        return self.entries[cmd_name].load() if cmd_name in self.entries else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand, or suggest a similar one."""
        if args[0] not in self.entries and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.entries, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand. Connection options before its name are defaults of contract-test's own."""
        ctx.default_map = {"contract-test": current().given}
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete subcommands without importing them."""
        items = [CompletionItem(name, help=entry.summary) for name, entry in self.entries.items()]
        return [
            *(item for item in items if item.value.startswith(incomplete)),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def _version(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"metastudio-client {version('metastudio-client')} (Python {platform.python_version()})")
        context.exit()


root = RootGroup(
    "metastudio",
    params=[
        *connection_options(),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        ),
    ],
    help="Work with training tasks of Huawei Cloud MetaStudio. Credentials come from the environment, "
    "~/.huaweicloud/credentials or the metadata of a cloud server; metastudio whoami shows which are used.",
    notes={
        "Examples": """
            metastudio jobs --limit 10
            metastudio jobs summary
            metastudio --region ap-southeast-3 whoami
            metastudio sandbox
        """,
        "Exit codes (contract-test has its own)": "\n".join(
            [*(f"{code:<5d}{code.meaning}" for code in ExitCode), "130  ended by Ctrl-C; 128 + n for signal n"]
        ),
    },
)
