"""Output of `metastudio watch`: a live view on a terminal, JSON Lines in a pipe."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from metastudio.cli.columns import printable, value_at
from metastudio.cli.exits import ExitCode
from metastudio.cli.formats import to_json
from metastudio.cli.rules import state_column
from metastudio.cli.terminal import Terminal, state_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metastudio.contract.operation import Operation

OUTCOMES = {
    ExitCode.OK: ("✓", "green", ""),
    ExitCode.ITEM_FAILED: ("✗", "red", ""),
    ExitCode.NEEDS_INPUT: ("!", "yellow", "needs input"),
    ExitCode.NOT_FOUND: ("✗", "red", "not found"),
    ExitCode.TIMEOUT: ("…", "yellow", "timed out"),
}
"""Mark, colour and text of each outcome."""


class JsonLinesView:
    """Writes an item as a line of JSON whenever its state changes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Write the item."""
        Terminal(sys.stdout).write(to_json(item) + "\n")

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Report outcomes that the items do not show on standard error."""
        if outcome in (ExitCode.NOT_FOUND, ExitCode.TIMEOUT):
            Terminal(sys.stderr).write(f"{printable(identity)} {OUTCOMES[outcome][2]}\n")


@dataclass
class WatchedItem:
    """An item of the live view. `since` is the monotonic time at which its state was first seen."""

    state: str | None = None
    since: float = field(default_factory=time.monotonic)
    outcome: ExitCode | None = None


class LiveView:
    """Shows a line per item that is updated in place, below a log of state changes."""

    def __init__(self, operation: Operation, identities: Sequence[str]) -> None:
        self._operation = operation
        self._items = {identity: WatchedItem() for identity in identities}
        self._console = Console(highlight=False, emoji=False)
        self._spinner = Spinner("dots")
        self._live = Live(console=self._console, get_renderable=self._view, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Show the new state, and log the change if a state was known before."""
        watched, state = self._items[identity], str(value_at(item, state_column(self._operation) or ""))
        if watched.state is not None:
            prefix = Text(f"{datetime.now():%H:%M:%S} {printable(identity)}", style="dim")
            self._console.print(prefix, self._coloured(watched.state), "→", self._coloured(state), soft_wrap=True)
        watched.state, watched.since = state, time.monotonic()

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Show the outcome."""
        self._items[identity].outcome = outcome

    def _view(self) -> Group:
        now = self._console.get_time()
        spin = self._spinner.render(now)
        return Group(*(self._line(identity, watched, spin) for identity, watched in self._items.items()))

    def _line(self, identity: str, watched: WatchedItem, spin: Any) -> Text:
        state = self._coloured(watched.state) if watched.state else Text()
        if watched.outcome is not None:
            sign, colour, note = OUTCOMES[watched.outcome]
            mark = Text(sign, style=colour)
        else:
            mark = Text.assemble(spin)
            note = f"for {_clock(time.monotonic() - watched.since)}" if watched.state else "requesting"
        parts = (mark, Text(printable(identity)), state, Text(note, style="dim"))
        return Text(" ").join(part for part in parts if part)

    def _coloured(self, state: str) -> Text:
        return Text(printable(state), style=state_colour(self._operation, state))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
