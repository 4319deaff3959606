"""What a stream can show: whether somebody looks at it, how wide it is, whether it has colours."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metastudio.contract.operation import Operation

COLOURS: Mapping[str, str] = {
    "waiting": "yellow",
    "review": "cyan",
    "training": "blue",
    "failed": "red",
    "done": "green",
}
"""The colour of each phase of `x-states`."""
UNLISTED = "magenta"
"""The colour of a state that the contract does not list."""
UNSEEN_WIDTH = 100
"""Cells of what is no terminal, unless COLUMNS says otherwise."""


class Terminal:
    """A stream as a terminal. `is_one` is False for a pipe or a file: nobody looks, so nothing is coloured or cut."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_one = stream.isatty()
        self.has_colours = self.is_one and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Width in cells."""
        return shutil.get_terminal_size((UNSEEN_WIDTH, 24)).columns

    def style(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """Return the text in a colour, where there are colours."""
        if not self.has_colours or not text:
            return text
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None)

    def write(self, text: str) -> None:
        """Write at once."""
        self.stream.write(text)
        self.stream.flush()


def state_colour(operation: Operation, state: object) -> str:
    """Return the colour of a state."""
    known = operation.states.get(str(state))
    return COLOURS[known.phase] if known else UNLISTED
