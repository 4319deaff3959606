"""`metastudio watch`: follow items of a list until they finish or need input."""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.errors import MEANINGS, ExitCode
from metastudio.cli.lists import client_method
from metastudio.cli.options import (
    DURATION,
    Command,
    Option,
    ValuesType,
    completer,
    connection_options,
    current,
    flatten,
    shown_ids,
)
from metastudio.cli.output import ItemColumns, escaped, to_json, value_at

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from metastudio import AsyncMetaStudio
    from metastudio.cli.views import LiveView
    from metastudio.contract.operation import Operation

OUTCOMES = {
    ExitCode.OK: ("✓", "green", ""),
    ExitCode.ITEM_FAILED: ("✗", "red", ""),
    ExitCode.NEEDS_INPUT: ("!", "yellow", "needs input"),
    ExitCode.NOT_FOUND: ("✗", "red", "not found"),
    ExitCode.TIMEOUT: ("…", "yellow", "timed out"),
}
"""Mark, colour and text of each outcome."""
WORST_FIRST = (ExitCode.NOT_FOUND, ExitCode.ITEM_FAILED, ExitCode.TIMEOUT, ExitCode.NEEDS_INPUT, ExitCode.OK)
"""Precedence of outcomes for the exit code: certain failures come before a timeout."""


def watch_command(operation: Operation) -> click.Command:
    """Return the watch command of a list."""
    moving = [state for state, known in operation.states.items() if not known.at_rest]
    states = ValuesType([*operation.states], split=True)
    option = partial(Option, "Options")
    own = [
        option("--until", "Also stop in this state, with exit code 0. Repeatable, or comma-separated.", type=states,
               multiple=True, callback=flatten, metavar="STATE"),
        option("--timeout", "Stop after this time, such as 90 (seconds), 5m or 1h30m. No limit by default.",
               type=DURATION),
        option("--interval", "First polling interval; it increases up to a minute.", type=DURATION, default="5s",
               show_default=True),
    ]  # fmt: skip
    identities = click.Argument(
        ["identities"],
        metavar="ID...",
        nargs=-1,
        required=True,
        shell_complete=completer(partial(shown_ids, operation.id)),
    )
    codes = (f"{code:<5d}{MEANINGS[code].removeprefix('watch: ')}" for code in reversed(WORST_FIRST))
    return Command(
        "watch",
        callback=partial(_watch, operation),
        params=[identities, *own, *connection_options(own)],
        short_help="Watch items until they finish or need input.",
        help="Watch items until they finish or need input: live on a terminal, as a line of JSON per state change in a "
        "pipe.",
        notes={
            "Examples": f"""
                metastudio watch ID --timeout 2h && echo done
                metastudio watch ID ID --until {",".join(moving[-1:])}
            """,
            "Exit codes (of several items, the last in this order)": "\n".join(codes),
        },
    )


def _watch(
    operation: Operation, identities: Sequence[str], until: Sequence[str], timeout: float | None, interval: float
) -> None:
    import asyncio

    from metastudio.cli.views import LiveView

    wanted = list(dict.fromkeys(identities))
    view: JsonLinesView | LiveView = LiveView(operation, wanted) if sys.stdout.isatty() else JsonLinesView()
    options = {"until": until, "timeout": math.inf if timeout is None else timeout, "poll": interval}
    with view:
        outcomes = asyncio.run(_watch_all(operation, wanted, view, options))
    click.get_current_context().exit(next(code for code in WORST_FIRST if code in outcomes))


async def _watch_all(
    operation: Operation, identities: Sequence[str], view: JsonLinesView | LiveView, options: dict[str, Any]
) -> Collection[ExitCode]:
    import asyncio

    from metastudio import AsyncMetaStudio

    async with AsyncMetaStudio(**current().given) as studio:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_watch_one(studio, operation, each, view, options)) for each in identities]
        except ExceptionGroup as several:  # report the first; the others usually have the same cause
            raise several.exceptions[0] from None
    return {task.result() for task in tasks}


async def _watch_one(
    studio: AsyncMetaStudio,
    operation: Operation,
    identity: str,
    view: JsonLinesView | LiveView,
    options: dict[str, Any],
) -> ExitCode:
    from metastudio import errors

    def changed(item: Any) -> None:
        view.changed(identity, item.to_dict())

    try:
        item = await client_method(studio, operation, "wait")(identity, on_change=changed, **options)
        outcome = _outcome(operation, state_of(operation, item.to_dict()), options["until"])
    except errors.JobNotFoundError:
        outcome = ExitCode.NOT_FOUND
    except errors.WaitTimeoutError:
        outcome = ExitCode.TIMEOUT
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    view.ended(identity, outcome)
    return outcome


def state_of(operation: Operation, item: dict[str, Any]) -> str:
    """Return the state of an item."""
    return str(value_at(item, ItemColumns(operation).state or ""))


def _outcome(operation: Operation, state: str, until: Collection[str]) -> ExitCode:
    """Return the outcome of an item in a state where watching stops."""
    if state in until or operation.states[state].ended == "success":
        return ExitCode.OK
    return ExitCode.ITEM_FAILED if operation.states[state].ended == "failure" else ExitCode.NEEDS_INPUT


class JsonLinesView(nullcontext[None]):
    """Writes an item as a line of JSON whenever its state changes."""

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Write the item."""
        click.echo(to_json(item))

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Report outcomes that the items do not show on standard error."""
        if outcome in (ExitCode.NOT_FOUND, ExitCode.TIMEOUT):
            click.echo(f"{escaped(identity)} {OUTCOMES[outcome][2]}", err=True)
