"""click's commands with help in sections, and notes that keep their lines."""

from __future__ import annotations

from textwrap import dedent, wrap
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


CONNECTION = "Connection"
"""The section of the options that all commands share."""


class Option(click.Option):
    """An option that `--help` shows below a heading."""

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class Command(click.Command):
    """A command whose options are grouped, and whose `notes` (text by heading) are shown as they are at the end."""

    def __init__(self, *arguments: Any, notes: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.notes = notes or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list of options for each section, in the order of their first members; the connection's last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for name in sorted(sections, key=CONNECTION.__eq__):
            with formatter.section(name):
                formatter.write_dl(sections[name], col_max=max(12, min(28, formatter.width // 3)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the notes; a line that is too long goes on below, further in."""
        for heading, text in self.notes.items():
            with formatter.section(heading):
                margin = " " * formatter.current_indent
                for line in dedent(text).strip().splitlines():
                    lines = wrap(line, formatter.width, initial_indent=margin, subsequent_indent=margin + "    ")
                    formatter.write("".join(f"{part}\n" for part in lines))


class Group(Command, click.Group):
    """A `Command` with commands below it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first: they are what a group is about."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)
