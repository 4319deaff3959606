"""click's commands with help in sections, and notes that keep their lines."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        """Write a list of options for each section, in the order of their first members."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        plain = sections.pop("Options", [])
        for name, records in [*sections.items(), ("Options", plain)]:
            if records:
                with formatter.section(name):
                    formatter.write_dl(records, col_max=max(12, min(28, formatter.width // 3)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the notes."""
        for heading, text in self.notes.items():
            with formatter.section(heading):
                formatter.write(indent(dedent(text).strip(), " " * formatter.current_indent) + "\n")


class Group(Command, click.Group):
    """A `Command` with commands below it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first: they are what a group is about."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)
