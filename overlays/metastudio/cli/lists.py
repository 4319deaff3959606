"""A command for each list of the contract, such as `metastudio jobs`.

If the items have states, the command has the subcommands `summary` and `watch`.
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

from metastudio.cli.columns import parse_columns
from metastudio.cli.connection import connection_options, current
from metastudio.cli.destination import destination
from metastudio.cli.filters import FILTER_PREFIX, arguments, filter_options
from metastudio.cli.rules import identity_column, identity_parameter, rules_of
from metastudio.cli.sections import CONNECTION, Group, Option
from metastudio.cli.summary import summary_command
from metastudio.cli.terminal import Terminal
from metastudio.cli.watch import watch_command
from metastudio.contract.operation import Operation

if TYPE_CHECKING:
    from metastudio.cli.table import TableLayout

FORMATS = ("table", "json", "jsonl", "csv")
TIMES = """
    2023-12-01T08:00:00Z         an exact time; the offset may also be +08:00
    2023-12-01                   a whole day in the local time zone
    2d ago, 3h ago, 1h30m ago    relative to now; units: s, min, h, d, w
"""


def list_command(name: str, operation: Operation) -> click.Command:
    """Return the command of a list operation."""
    own = _output_options(operation)
    params: list[click.Parameter] = [*filter_options(operation, own), *own]
    group = Group(
        name,
        callback=partial(_show, name, operation),
        params=[*params, *connection_options(params)],
        help=f"{operation.summary} that match all filters, as a table on a terminal and as JSON Lines in a pipe.",
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
    option = partial(Option, section="Output")
    columns = ", ".join(operation.fields)
    return [
        option(["--limit"], type=click.IntRange(min=1), metavar="N", help="Maximum number of items."),
        option(
            ["--output", "-o"],
            type=click.Choice(FORMATS),
            help="Format. JSON and CSV have times as the server sent them.",
        ),
        option(
            ["--columns", "-c"],
            metavar="NAMES",
            shell_complete=partial(_complete_columns, operation),
            help=f"Comma-separated columns to show, of: {columns}.",
        ),
        option(
            ["--out"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write to this file; its extension selects the format.",
        ),
        option(["--force"], is_flag=True, help="Replace an existing file."),
    ]


def _show(name: str, operation: Operation, /, **given: Any) -> None:
    context = click.get_current_context()
    if context.invoked_subcommand:
        _reject_options_before(context, context.invoked_subcommand)
        return
    columns = parse_columns(operation, given["columns"]) if given["columns"] is not None else None
    out: Path | None = given["out"]
    with destination(out, force=given["force"]) as stream, current().studio() as studio:
        from metastudio.cli import formats
        from metastudio.cli.pages import ListPages

        pages = ListPages(studio, operation, arguments(operation, given), limit=given["limit"])
        terminal = Terminal(stream)
        output_format = given["output"] or _format_of(out, terminal)
        items_by_page = pages.with_progress() if out or (output_format == "table" and terminal.interactive) else pages
        if output_format == "csv":
            formats.write_csv(items_by_page, columns or [*operation.fields], stream)
        elif output_format != "table":
            write = formats.write_json if output_format == "json" else formats.write_jsonl
            write(items_by_page, columns, stream)
        else:
            from metastudio.cli.table import TableLayout

            items = [item for page in items_by_page for item in page]
            layout = TableLayout(operation, items, columns, terminal)
            if items or not terminal.interactive:
                terminal.write("".join(f"{line}\n" for line in layout.lines()))
            _print_count(f"{len(items):,}", pages.total, name, layout)


def _format_of(out: Path | None, terminal: Terminal) -> str:
    if out and out.suffix[1:] in FORMATS:
        return out.suffix[1:]
    return "table" if terminal.interactive else "jsonl"


def _print_count(shown: str, total: int | None, name: str, layout: TableLayout) -> None:
    terminal = Terminal(sys.stderr)
    if not terminal.interactive:
        return
    text = f"{shown} {name}" if total is None else f"{shown} of {total:,} {name}"
    if layout.has_times:
        text += f", times in {datetime.now().astimezone():%Z}"
    if layout.hidden:
        text += f"; columns that do not fit: {', '.join(layout.hidden)}"
    terminal.write(terminal.style(text, dim=True) + "\n")


def _reject_options_before(context: click.Context, command: str) -> None:
    for parameter in context.command.params:
        given = parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and getattr(parameter, "section", "") != CONNECTION:
            option = parameter.opts[0]
            raise click.UsageError(f"{option} must follow {command}: {context.command_path} {command} {option} ...")


def _complete_columns(
    operation: Operation, _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    names = [name for name in operation.fields if name.startswith(last) and name not in given]
    return [CompletionItem(f"{before}{comma}{name}") for name in names]


def _examples(name: str, operation: Operation) -> str:
    """Return examples with filters and values of the contract."""
    rules = rules_of(operation)
    options = {each.name: each.opts[0] for each in filter_options(operation)}
    with_values = [each for each in operation.parameters.values() if each.is_array and len(each.values) > 1]
    since = [
        each for each in rules.filters.values() if each.op == "ge" and operation.parameters[each.parameter].is_time
    ]
    lines = [f"metastudio {name} --limit 10"]
    for each in with_values[:1]:
        lines.append(f"metastudio {name} {options[FILTER_PREFIX + each.python_name]} {','.join(each.values[:2])}")
    for rule in since[:1]:
        option = options[FILTER_PREFIX + operation.parameters[rule.parameter].python_name]
        lines.append(f"metastudio {name} {option} '2d ago' --out {name}.csv")
    column = identity_column(operation) or next(iter(operation.fields))
    return "\n".join([*lines, f"metastudio {name} | jq -r .{column}"])
