"""A command for each list of the contract, such as `metastudio jobs`, with the pages that it requests.

`items` and `states` add the subcommands for single items and, if the items have states, `summary` and `watch`.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from click.core import ParameterSource

from metastudio.cli.completion import remember_ids
from metastudio.cli.options import (
    CONNECTION,
    FILTER_PREFIX,
    Group,
    Option,
    ValuesType,
    connection_options,
    current,
    given_arguments,
    parameter_options,
    title,
)
from metastudio.cli.output import (
    FORMATS,
    destination,
    escaped,
    identity_column,
    write_items,
)
from metastudio.cli.running import CommandError, ExitCode, styled
from metastudio.contract.naming import method_suffix, python_name
from metastudio.contract.operation import ListRules, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from metastudio import AsyncMetaStudio, MetaStudio

TIMES = """
    2023-12-01T08:00:00Z         an exact time; the offset may also be +08:00
    2023-12-01                   a whole day in the local time zone
    2d ago, 3h ago, 1h30m ago    relative to now; units: s, min, h, d, w
"""


def list_command(name: str, operation: Operation) -> Group:
    """Return the command of a list operation, without its subcommands."""
    own = _output_options(operation)
    params: list[click.Parameter] = [*parameter_options(operation, own), *own]
    return Group(
        name,
        callback=partial(_show, name, operation),
        params=[*params, *connection_options(params)],
        help=f"{title(operation)[:-1]} that match all filters, as a table on a terminal and as JSON Lines in a pipe.",
        invoke_without_command=True,
        subcommand_metavar="[COMMAND]",
        notes={"Examples": _examples(name, operation), "Times": TIMES},
    )


def rules_of(operation: Operation) -> ListRules:
    """Return the list rules of an operation that is known to be a list."""
    assert operation.list_rules is not None, f"{operation.id} is not a list"
    return operation.list_rules


def client_method(
    studio: MetaStudio | AsyncMetaStudio, operation: Operation, stem: str, end: str = ""
) -> Callable[..., Any]:
    """Return a client method of a list: `iterate`, `find` or `wait`; with the end `_pages`, the pages."""
    resource = getattr(studio, python_name(operation.tag))
    method: Callable[..., Any] = getattr(resource, stem + method_suffix(operation.id, operation.tag) + end)
    return method


class ListPages:
    """The pages of a list; may be iterated once. `received` counts items, `total` is the server's total, if it counts.

    Args:
        studio: The client.
        operation: The list operation.
        arguments: Arguments of the client's `iterate` method.
        limit: Maximum number of items.

    Raises:
        click.UsageError: An argument is invalid.
    """

    def __init__(
        self, studio: MetaStudio, operation: Operation, arguments: Mapping[str, Any], *, limit: int | None = None
    ) -> None:
        self.total: int | None = None
        self.received = 0
        self._limit = limit
        size = min(rules_of(operation).max_limit or 100, 100)
        try:
            self._pages = client_method(studio, operation, "iterate", "_pages")(
                max_items=limit, page_size=min(size, limit or size), **arguments
            )
        except (TypeError, ValueError) as error:
            raise click.UsageError(str(error), click.get_current_context()) from None

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of each page."""
        with closing(self._pages) as pages:
            for page in pages:
                self.total = page.total
                self.received += len(page.items)
                yield [item.to_dict() for item in page.items]

    def with_progress(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of each page, and show progress if standard error is a terminal."""
        if not sys.stderr.isatty():
            yield from self
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress

        from metastudio.cli.views import console

        columns = (BarColumn(), MofNCompleteColumn(separator=" of "))
        with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
            task = progress.add_task("", total=None)
            for items in self:
                expected = self.total if self._limit is None else min(self.total or self._limit, self._limit)
                progress.update(task, total=expected, completed=self.received, refresh=True)
                yield items


def _output_options(operation: Operation) -> list[Option]:
    option = partial(Option, section="Output")
    return [
        option(["--limit"], type=click.IntRange(min=1), metavar="N", help="Maximum number of items."),
        option(
            ["--output", "-o"],
            type=click.Choice(FORMATS),
            help="Format. All but the table have times as the server sent them; value has no header and, by default, "
            "the ID alone.",
        ),
        option(
            ["--columns", "-c"],
            type=ValuesType([*operation.fields], closed=True, split=True, nested=True),
            metavar="NAMES",
            help=f"Comma-separated columns to show, of: {', '.join(operation.fields)}.",
        ),
        option(
            ["--out"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"Write to this file. Without --output, its ending selects the format: .{', .'.join(FORMATS)}.",
        ),
        option(["--force"], is_flag=True, help="Replace an existing file."),
    ]


def _show(name: str, operation: Operation, /, columns: list[str] | None, **given: Any) -> None:
    context = click.get_current_context()
    if context.invoked_subcommand:
        _reject_options_before(context, context.invoked_subcommand)
        return
    out: Path | None = given["out"] if str(given["out"]) != "-" else None
    arguments = given_arguments(operation.parameters.values(), FILTER_PREFIX, given)
    output_format = given["output"] or _format_of(out)
    with destination(out, force=given["force"]) as stream, current().studio() as studio:
        pages = ListPages(studio, operation, arguments, limit=given["limit"])
        if output_format == "table":
            _write_table(name, operation, pages, columns, stream)
        else:
            known = [*operation.fields]
            defaults = {"csv": known, "value": [identity_column(operation) or known[0]]}
            items = pages.with_progress() if out else pages
            write_items(output_format, items, columns or defaults.get(output_format), stream)
    if out and sys.stderr.isatty():
        click.echo(styled(f"{pages.received:,} {name} written to {escaped(str(out))}", dim=True), err=True)


def _write_table(
    name: str, operation: Operation, pages: ListPages, columns: Sequence[str] | None, stream: TextIO
) -> None:
    from metastudio.cli.views import ItemTable, console, write_view

    interactive = stream.isatty()
    by_page = pages.with_progress() if interactive or stream is not sys.stdout else pages
    table = ItemTable(operation, [item for page in by_page for item in page], columns, interactive=interactive)
    if pages.received or not interactive:
        write_view(console(stream), table.view())
    if interactive:
        remember_ids(operation.id, table.identities)
    if not sys.stderr.isatty():
        return
    text = f"{pages.received:,} {name}" if pages.total is None else f"{pages.received:,} of {pages.total:,} {name}"
    if table.has_times:
        text += f", times in {datetime.now().astimezone():%Z}"
    if table.shortened:
        text += "; -o value has whole IDs"
    if table.hidden:
        text += f"; columns that do not fit: {', '.join(table.hidden)}"
    click.echo(styled(text, dim=True), err=True)


def _format_of(out: Path | None) -> str:
    """Return the format that the ending of a file selects, or that of standard output."""
    if out is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    if out.suffix[1:] in FORMATS:
        return out.suffix[1:]
    if not out.suffix or (out.exists() and not out.is_file()):  # such as /dev/null
        return "jsonl"
    raise CommandError(
        f"--out {escaped(str(out))}: {escaped(out.suffix)} is no format",
        f"use one of {', '.join(FORMATS)} as its ending, or give --output",
        ExitCode.USAGE,
    )


def _reject_options_before(context: click.Context, command: str) -> None:
    for parameter in context.command.params:
        given = parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and getattr(parameter, "section", "") != CONNECTION:
            option = parameter.opts[0]
            raise click.UsageError(f"{option} must follow {command}: {context.command_path} {command} {option} ...")


def _examples(name: str, operation: Operation) -> str:
    """Return examples with filters and values of the contract."""
    rules = rules_of(operation)
    options = {each.name: each.opts[0] for each in parameter_options(operation)}
    with_values = [each for each in operation.parameters.values() if each.is_array and len(each.values) > 1]
    times = [each.name for each in operation.parameters.values() if each.is_time or each.epoch]
    since = [each for each in rules.filters.values() if each.op == "ge" and each.parameter in times]
    lines = [f"metastudio {name} --limit 10"]
    for each in with_values[:1]:
        lines.append(f"metastudio {name} {options[FILTER_PREFIX + each.python_name]} {','.join(each.values[:2])}")
    for rule in since[:1]:
        option = options[FILTER_PREFIX + operation.parameters[rule.parameter].python_name]
        lines.append(f"metastudio {name} {option} '2d ago' --out {name}.csv")
    column = identity_column(operation) or next(iter(operation.fields))
    return "\n".join([*lines, f"metastudio {name} | jq -r .{column}"])
