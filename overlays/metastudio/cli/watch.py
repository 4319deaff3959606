"""Following items until they are at rest, and the exit code that says how it ended."""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import click

from metastudio.cli.columns import value_at
from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import Exit
from metastudio.cli.filters import Duration, Values, flatten
from metastudio.cli.rules import state_column
from metastudio.cli.sections import Command, Option

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from metastudio import AsyncMetaStudio
    from metastudio.contract.operation import Operation

WORST_FIRST = (Exit.NOT_FOUND, Exit.ENDED_BADLY, Exit.TIMEOUT, Exit.NEEDS_SOMEBODY, Exit.OK)
"""Which of several ends becomes the exit code: what is wrong for certain comes before what is not known."""


class View(Protocol):
    """Shows how it goes."""

    def __enter__(self) -> View: ...

    def __exit__(self, *_: object) -> None: ...

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Show an item that was seen for the first time, or in another state."""
        ...

    def ended(self, identity: str, end: Exit) -> None:
        """Show that it is over."""
        ...


def watch_command(operation: Operation) -> click.Command:
    """Make the command that follows items of a list."""
    own = [
        Option(
            ["--until"],
            type=Values([*operation.states], split=True),
            multiple=True,
            callback=flatten,
            metavar="STATE",
            help="End in this state, too. Repeatable, or separated by commas.",
        ),
        Option(["--timeout"], type=Duration(), help="End after 90 (seconds), 5m or 1h30m. Else there is no end."),
        Option(
            ["--interval"], type=Duration(), default="5s", show_default=True, help="Look again after; later less often."
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
        short_help="Follow some until they are at rest.",
        help="Follow items until they are at rest: live on a terminal; in a pipe, a line of JSON for each change.",
        notes={
            "Examples": f"""
                metastudio watch ID --timeout 2h && echo done
                metastudio watch ID ID --until {",".join(moving[-1:])}
            """,
            "Exit codes, of several items the worst": "\n".join(
                f"{code:<5d}{code.meaning.removeprefix('watch: ')}" for code in reversed(WORST_FIRST)
            ),
        },
    )


def _watch(
    operation: Operation, identities: Sequence[str], until: Sequence[str], timeout: float | None, interval: float
) -> None:
    import asyncio

    from metastudio.cli.views import JsonLines, Live

    wanted = list(dict.fromkeys(identities))
    view: View = Live(operation, wanted) if sys.stdout.isatty() else JsonLines()
    options = {"until": until, "timeout": math.inf if timeout is None else timeout, "poll": interval}
    with view:
        ends = asyncio.run(_follow(operation, wanted, view, options))
    click.get_current_context().exit(next(code for code in WORST_FIRST if code in ends))


async def _follow(
    operation: Operation, identities: Sequence[str], view: View, options: dict[str, Any]
) -> Collection[Exit]:
    import asyncio

    from metastudio import AsyncMetaStudio

    async with AsyncMetaStudio(**current().given) as studio:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_follow_one(studio, operation, each, view, options)) for each in identities]
        except ExceptionGroup as several:  # the first says why; the others are likely to say the same
            raise several.exceptions[0] from None
    return {task.result() for task in tasks}


async def _follow_one(
    studio: AsyncMetaStudio, operation: Operation, identity: str, view: View, options: dict[str, Any]
) -> Exit:
    from metastudio import errors
    from metastudio.cli.pages import method

    def changed(item: Any) -> None:
        view.changed(identity, item.to_dict())

    try:
        item = await method(studio, operation, "wait")(identity, on_change=changed, **options)
        end = _end(operation, str(value_at(item.to_dict(), state_column(operation) or "")), options["until"])
    except errors.JobNotFoundError:
        end = Exit.NOT_FOUND
    except errors.WaitTimeoutError:
        end = Exit.TIMEOUT
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    view.ended(identity, end)
    return end


def _end(operation: Operation, state: str, until: Collection[str]) -> Exit:
    """How it ended, of an item that nobody needs to wait for any more."""
    if state in until or operation.states[state].ended == "success":
        return Exit.OK
    return Exit.ENDED_BADLY if operation.states[state].ended == "failure" else Exit.NEEDS_SOMEBODY
