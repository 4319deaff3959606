"""A command for each list of the contract: `metastudio jobs`, with `summary` and `watch` below where items have states.

A list that is added to the contract has its command, options and columns by itself.
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from metastudio.cli.columns import chosen_columns
from metastudio.cli.connection import connection_options, current
from metastudio.cli.destination import destination
from metastudio.cli.filters import PREFIX, arguments, filter_options
from metastudio.cli.rules import identity_column, identity_parameter, rules_of
from metastudio.cli.sections import CONNECTION, Group, Option
from metastudio.cli.summary import summary_command
from metastudio.cli.terminal import Terminal
from metastudio.cli.watch import watch_command
from metastudio.contract.operation import Operation

if TYPE_CHECKING:
    from metastudio.cli.table import Layout

FORMATS = ("table", "json", "jsonl", "csv")
TIMES = """
    2023-12-01T08:00:00Z or with +08:00    this moment
    2023-12-01                             that whole day in this machine's zone
    2d ago, 3h ago, 1h30m ago              so much earlier; also s, min, w
"""


def list_command(name: str, operation: Operation) -> click.Command:
    """Make the command of a list operation."""
    own = _output_options(operation)
    params: list[click.Parameter] = [*filter_options(operation, own), *own]
    group = Group(
        name,
        callback=partial(_show, name, operation),
        params=[*params, *connection_options(params)],
        help=f"{operation.summary}: all that pass every filter. A table on a terminal, JSON Lines in a pipe.",
        invoke_without_command=True,
        subcommand_metavar="[COMMAND]",
        notes={"Examples": _examples(name, operation), "Times": TIMES},
    )
    if operation.states:
        group.add_command(summary_command(name, operation))
        if identity_parameter(operation):
            group.add_command(watch_command(operation))
    return group


def _output_options(operation: Operation) -> list[Option]:
    make = partial(Option, section="Output")
    columns = ", ".join(operation.fields)
    return [
        make(["--limit"], type=click.IntRange(min=1), metavar="N", help="Show so many at most."),
        make(
            ["--output", "-o"], type=click.Choice(FORMATS), help="Format. In JSON and CSV, times are as they were sent."
        ),
        make(
            ["--columns", "-c"],
            metavar="NAMES",
            shell_complete=partial(_complete_columns, operation),
            help=f"What to show, separated by commas, of: {columns}.",
        ),
        make(
            ["--out"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write to this file, whose ending tells the format.",
        ),
        make(["--force"], is_flag=True, help="Replace the file if it is there."),
    ]


def _show(name: str, operation: Operation, /, **given: Any) -> None:
    context = click.get_current_context()
    if context.invoked_subcommand:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    columns = chosen_columns(operation, given["columns"]) if given["columns"] is not None else None
    out: Path | None = given["out"]
    with destination(out, force=given["force"]) as stream, current().studio() as studio:
        from metastudio.cli import formats
        from metastudio.cli.pages import Pages

        pages = Pages(studio, operation, arguments(operation, given), limit=given["limit"])
        terminal = Terminal(stream)
        form = given["output"] or _format_of(out, terminal)
        coming = pages.shown() if out or (form == "table" and terminal.is_one) else pages
        if form == "csv":
            formats.write_csv(coming, columns or [*operation.fields], stream)
        elif form != "table":
            write = formats.write_json if form == "json" else formats.write_jsonl
            write(coming, columns, stream)
        else:
            from metastudio.cli.table import Layout

            items = [item for page in coming for item in page]
            layout = Layout(operation, items, columns, terminal)
            if items or not terminal.is_one:
                terminal.write("".join(f"{line}\n" for line in layout.lines()))
            _say_how_many(f"{len(items):,}", pages.total, name, layout)


def _format_of(out: Path | None, terminal: Terminal) -> str:
    if out and out.suffix[1:] in FORMATS:
        return out.suffix[1:]
    return "table" if terminal.is_one else "jsonl"


def _say_how_many(shown: str, total: int | None, name: str, layout: Layout) -> None:
    terminal = Terminal(sys.stderr)
    if not terminal.is_one:
        return
    said = f"{shown} {name}" if total is None else f"{shown} of {total:,} {name}"
    if layout.has_times:
        said += f", times in {datetime.now().astimezone():%Z}"
    if layout.hidden:
        said += f"; no room for {', '.join(layout.hidden)}"
    terminal.write(terminal.style(said, dim=True) + "\n")


def _refuse_options_before(context: click.Context, command: str) -> None:
    for parameter in context.command.params:
        given = parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and getattr(parameter, "section", "") != CONNECTION:
            option = parameter.opts[0]
            raise click.UsageError(f"{option} belongs behind {command}: {context.command_path} {command} {option} ...")


def _complete_columns(
    operation: Operation, _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    before, comma, last = incomplete.rpartition(",")
    there = before.split(",")
    names = [name for name in operation.fields if name.startswith(last) and name not in there]
    return [CompletionItem(f"{before}{comma}{name}") for name in names]


def _examples(name: str, operation: Operation) -> str:
    """Examples with the contract's own filters and values."""
    rules = rules_of(operation)
    options = {each.name: each.opts[0] for each in filter_options(operation)}
    listed = [each for each in operation.parameters.values() if each.is_array and len(each.values) > 1]
    since = [
        each for each in rules.filters.values() if each.op == "ge" and operation.parameters[each.parameter].is_time
    ]
    lines = [f"metastudio {name} --limit 10"]
    for each in listed[:1]:
        lines.append(f"metastudio {name} {options[PREFIX + each.python_name]} {','.join(each.values[:2])}")
    for rule in since[:1]:
        option = options[PREFIX + operation.parameters[rule.parameter].python_name]
        lines.append(f"metastudio {name} {option} '2d ago' --out {name}.csv")
    return "\n".join([*lines, f"metastudio {name} | jq -r .{identity_column(operation)}"])
