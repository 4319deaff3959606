"""What a stream can display: its width, and whether it is interactive and has colours."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metastudio.contract.operation import Operation

PHASE_COLOURS: Mapping[str, str] = {
    "waiting": "yellow",
    "review": "cyan",
    "training": "blue",
    "failed": "red",
    "done": "green",
}
"""The colour of each phase of `x-states`."""
UNLISTED_COLOUR = "magenta"
"""The colour of a state that the contract does not list."""
DEFAULT_WIDTH = 100
"""Width in cells of a stream that is not a terminal, unless COLUMNS is set."""


class Terminal:
    """An output stream. `interactive` is False for pipes and files: no colour, no truncation."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.interactive = stream.isatty()
        self.has_colours = self.interactive and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Width in cells."""
        return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns

    def style(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """Return the text styled, or unchanged if the stream has no colours."""
        if not self.has_colours or not text:
            return text
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None)

    def write(self, text: str) -> None:
        """Write the text and flush the stream."""
        self.stream.write(text)
        self.stream.flush()


def state_colour(operation: Operation, state: object) -> str:
    """Return the colour of a state."""
    known = operation.states.get(str(state))
    return PHASE_COLOURS[known.phase] if known else UNLISTED_COLOUR
