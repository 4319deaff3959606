"""click commands whose help groups options in sections and ends with preformatted notes."""

from __future__ import annotations

from textwrap import dedent, wrap
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


CONNECTION = "Connection"
"""Section of the connection options; it comes last."""


class Option(click.Option):
    """An option that belongs to a section of the help."""

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class Command(click.Command):
    """A command with sections of options. `notes` maps a heading to text that is shown at the end, line by line."""

    def __init__(self, *arguments: Any, notes: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.notes = notes or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, in the order of each section's first option."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for name in sorted(sections, key=CONNECTION.__eq__):
            with formatter.section(name):
                formatter.write_dl(sections[name], col_max=max(12, min(28, formatter.width // 3)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the notes. A line that is too long is wrapped and indented further."""
        for heading, text in self.notes.items():
            with formatter.section(heading):
                margin = " " * formatter.current_indent
                for line in dedent(text).strip().splitlines():
                    lines = wrap(line, formatter.width, initial_indent=margin, subsequent_indent=margin + "    ")
                    formatter.write("".join(f"{part}\n" for part in lines))


class Group(Command, click.Group):
    """A command with subcommands."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands before the options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)
