"""`metastudio watch`: watch items until they finish or need input."""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import click

from metastudio.cli.columns import value_at
from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import ExitCode
from metastudio.cli.filters import DurationType, ValuesType, flatten
from metastudio.cli.rules import state_column
from metastudio.cli.sections import Command, Option

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from metastudio import AsyncMetaStudio
    from metastudio.contract.operation import Operation

WORST_FIRST = (ExitCode.NOT_FOUND, ExitCode.ITEM_FAILED, ExitCode.TIMEOUT, ExitCode.NEEDS_INPUT, ExitCode.OK)
"""Precedence of outcomes for the exit code: certain failures come before a timeout."""


class WatchView(Protocol):
    """Shows the states of the watched items."""

    def __enter__(self) -> WatchView: ...

    def __exit__(self, *_: object) -> None: ...

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Show an item when it is first seen and whenever its state changes."""
        ...

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Show the outcome of an item."""
        ...


def watch_command(operation: Operation) -> click.Command:
    """Return the watch command of a list."""
    own = [
        Option(
            ["--until"],
            type=ValuesType([*operation.states], split=True),
            multiple=True,
            callback=flatten,
            metavar="STATE",
            help="Also stop in this state, with exit code 0. Repeatable, or comma-separated.",
        ),
        Option(
            ["--timeout"],
            type=DurationType(),
            help="Stop after this time, such as 90 (seconds), 5m or 1h30m. No limit by default.",
        ),
        Option(
            ["--interval"],
            type=DurationType(),
            default="5s",
            show_default=True,
            help="First polling interval; it increases up to a minute.",
        ),
    ]
    moving = [state for state, known in operation.states.items() if not known.at_rest]
    return Command(
        "watch",
        callback=partial(_watch, operation),
        params=[
            click.Argument(["identities"], metavar="ID...", nargs=-1, required=True),
            *own,
            *connection_options(own),
        ],
        short_help="Watch items until they finish or need input.",
        help="Watch items until they finish or need input: live on a terminal, as a line of JSON per state change in a "
        "pipe.",
        notes={
            "Examples": f"""
                metastudio watch ID --timeout 2h && echo done
                metastudio watch ID ID --until {",".join(moving[-1:])}
            """,
            "Exit codes (of several items, the last in this order)": "\n".join(
                f"{code:<5d}{code.meaning.removeprefix('watch: ')}" for code in reversed(WORST_FIRST)
            ),
        },
    )


def _watch(
    operation: Operation, identities: Sequence[str], until: Sequence[str], timeout: float | None, interval: float
) -> None:
    import asyncio

    from metastudio.cli.views import JsonLinesView, LiveView

    wanted = list(dict.fromkeys(identities))
    view: WatchView = LiveView(operation, wanted) if sys.stdout.isatty() else JsonLinesView()
    options = {"until": until, "timeout": math.inf if timeout is None else timeout, "poll": interval}
    with view:
        outcomes = asyncio.run(_watch_all(operation, wanted, view, options))
    click.get_current_context().exit(next(code for code in WORST_FIRST if code in outcomes))


async def _watch_all(
    operation: Operation, identities: Sequence[str], view: WatchView, options: dict[str, Any]
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
    studio: AsyncMetaStudio, operation: Operation, identity: str, view: WatchView, options: dict[str, Any]
) -> ExitCode:
    from metastudio import errors
    from metastudio.cli.pages import client_method

    def changed(item: Any) -> None:
        view.changed(identity, item.to_dict())

    try:
        item = await client_method(studio, operation, "wait")(identity, on_change=changed, **options)
        outcome = _outcome(operation, str(value_at(item.to_dict(), state_column(operation) or "")), options["until"])
    except errors.JobNotFoundError:
        outcome = ExitCode.NOT_FOUND
    except errors.WaitTimeoutError:
        outcome = ExitCode.TIMEOUT
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    view.ended(identity, outcome)
    return outcome


def _outcome(operation: Operation, state: str, until: Collection[str]) -> ExitCode:
    """Return the outcome of an item in a state where watching stops."""
    if state in until or operation.states[state].ended == "success":
        return ExitCode.OK
    return ExitCode.ITEM_FAILED if operation.states[state].ended == "failure" else ExitCode.NEEDS_INPUT
