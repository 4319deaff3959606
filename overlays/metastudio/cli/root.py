"""The command itself: what there is below it, each loaded when it is asked for."""

from __future__ import annotations

import platform
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import Exit
from metastudio.cli.extras import needs
from metastudio.cli.rules import identity_parameter
from metastudio.cli.sections import Group
from metastudio.contract.operation import operations

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from metastudio.contract.operation import Operation


class Entry(NamedTuple):
    """A command: what `--help` says of it, and how to load it."""

    summary: str
    load: Callable[[], click.Command]


def _load(module: str, make: str, *arguments: Any) -> click.Command:
    made: click.Command = getattr(import_module(f"metastudio.cli.{module}"), make)(*arguments)
    return made


@needs("contract")
def _contract_test() -> click.Command:
    from metastudio.tester.command import contract_test

    return contract_test


OWN = {
    "whoami": Entry("Show which credentials, server and project are used.", partial(_load, "whoami", "whoami_command")),
    "curl": Entry("Sign a GET; send, print or explain it.", partial(_load, "curl", "curl_command")),
    "sandbox": Entry("Run a server for trying things out.", partial(_load, "sandbox", "sandbox_command")),
    "contract-test": Entry("Prove a server against the contract.", _contract_test),
    "completion": Entry("Make a shell complete all this.", partial(_load, "completion", "completion_command")),
}


def entries(contract: Mapping[str, Operation]) -> dict[str, Entry]:
    """Return all commands. `watch` is that of the first list whose items have states."""
    found: dict[str, Entry] = {}
    lists = command_names(contract, {*OWN, "watch"})
    for name, operation in lists.items():
        found[name] = Entry(f"{operation.summary}.", partial(_load, "lists", "list_command", name, operation))
    for operation in lists.values():
        if operation.states and identity_parameter(operation):
            found["watch"] = Entry(
                "Follow some until they are at rest.", partial(_load, "watch", "watch_command", operation)
            )
            break
    return {**found, **OWN}


def command_names(contract: Mapping[str, Operation], reserved: Collection[str]) -> dict[str, Operation]:
    """Return the list operations by the names of their commands, none of which is in `reserved`.

    The name is the last word of what is listed (`list_training_jobs`: jobs); all of them where that is taken, or the
    whole ID of the operation.
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


class Root(Group):
    """A group that knows of its commands what it must, and loads the one that is meant."""

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The commands of the contract that is installed."""
        return entries(operations())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of the contract first."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        return self.entries[cmd_name].load() if cmd_name in self.entries else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; of an unknown one, suggest what it looks like."""
        if args[0] not in self.entries and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.entries, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is meant. What was said of the connection holds for contract-test, too."""
        ctx.default_map = {"contract-test": current().given}
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete commands without loading them."""
        found = [CompletionItem(name, help=entry.summary) for name, entry in self.entries.items()]
        return [
            *(item for item in found if item.value.startswith(incomplete)),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def _version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"metastudio-client {version('metastudio-client')} (Python {platform.python_version()})")
        context.exit()


root = Root(
    "metastudio",
    params=[
        *connection_options(),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        ),
    ],
    help="Training tasks of Huawei Cloud MetaStudio in a terminal. Credentials come from the environment, "
    "~/.huaweicloud/credentials or the cloud machine: metastudio whoami shows what is found.",
    notes={
        "Examples": """
            metastudio jobs --limit 10
            metastudio jobs summary
            metastudio --region ap-southeast-3 whoami
            metastudio sandbox
        """,
        "Exit codes, except of contract-test": "\n".join(
            [*(f"{code:<5d}{code.meaning}" for code in Exit), "130  ended by Ctrl-C; 128 + n by signal n"]
        ),
    },
)
