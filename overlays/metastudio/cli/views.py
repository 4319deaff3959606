"""What a watch shows: a live view for people, JSON Lines for programs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.text import Text

from metastudio.cli.columns import printable, value_at
from metastudio.cli.exits import Exit
from metastudio.cli.formats import to_json
from metastudio.cli.rules import state_column
from metastudio.cli.terminal import Terminal, state_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metastudio.contract.operation import Operation

ENDS = {
    Exit.OK: ("✓", "green", ""),
    Exit.ENDED_BADLY: ("✗", "red", ""),
    Exit.NEEDS_SOMEBODY: ("!", "yellow", "waits for somebody to act"),
    Exit.NOT_FOUND: ("✗", "red", "is not there"),
    Exit.TIMEOUT: ("…", "yellow", "not at rest, but the time is over"),
}


class JsonLines:
    """A line for each change, as the server sent the item; what ends without an item is said on standard error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Write the item."""
        Terminal(sys.stdout).write(to_json(item) + "\n")

    def ended(self, identity: str, end: Exit) -> None:
        """Say what the lines do not."""
        if end in (Exit.NOT_FOUND, Exit.TIMEOUT):
            Terminal(sys.stderr).write(f"{printable(identity)} {ENDS[end][2]}\n")


@dataclass
class _Line:
    state: str | None = None
    since: float = field(default_factory=time.monotonic)
    end: Exit | None = None


class Live:
    """A line for each item that changes in place; above it, what happened when."""

    def __init__(self, operation: Operation, identities: Sequence[str]) -> None:
        self._operation = operation
        self._lines = {identity: _Line() for identity in identities}
        self._console = Console(highlight=False, emoji=False)
        self._spinner = Spinner("dots")
        self._live = RichLive(console=self._console, get_renderable=self._view, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Note the new state, above the live lines where there was one before."""
        line, state = self._lines[identity], str(value_at(item, state_column(self._operation) or ""))
        if line.state is not None:
            said = Text(f"{datetime.now():%H:%M:%S} {printable(identity)}", style="dim")
            self._console.print(said, self._painted(line.state), "→", self._painted(state), soft_wrap=True)
        line.state, line.since = state, time.monotonic()

    def ended(self, identity: str, end: Exit) -> None:
        """Note how it ended."""
        self._lines[identity].end = end

    def _view(self) -> Group:
        now = self._console.get_time()
        spin = self._spinner.render(now)
        return Group(*(self._line(identity, line, spin) for identity, line in self._lines.items()))

    def _line(self, identity: str, line: _Line, spin: Any) -> Text:
        sign, hue, said = ENDS[line.end] if line.end is not None else (None, "", "")
        mark = Text(sign, style=hue) if sign else Text.assemble(spin)
        if line.end is None:
            said = f"for {_clock(time.monotonic() - line.since)}" if line.state else "looking"
        state = self._painted(line.state) if line.state else Text()
        return Text(" ").join(
            part for part in (mark, Text(printable(identity)), state, Text(said, style="dim")) if part
        )

    def _painted(self, state: str) -> Text:
        return Text(printable(state), style=state_colour(self._operation, state))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
