"""A command for each list of the contract, such as `metastudio jobs`, and its summary if the items have states."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from click.core import ParameterSource

from metastudio.cli.errors import CommandError, ExitCode, styled
from metastudio.cli.options import (
    CONNECTION,
    FILTER_PREFIX,
    Command,
    FilePath,
    Group,
    Option,
    ValuesType,
    connection_options,
    current,
    given_arguments,
    parameter_options,
    remember_ids,
    title,
)
from metastudio.cli.output import (
    FORMATS,
    PHASES,
    UNLISTED,
    ItemColumns,
    destination,
    escaped,
    select_columns,
    to_instant,
    to_json,
    value_at,
    write_items,
)
from metastudio.contract.naming import method_suffix, python_name
from metastudio.contract.operation import ListRules, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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
    option, names = partial(Option, "Output"), [*operation.fields]
    objects = [each for each in names if operation.fields[each]["type"] == "object"]
    columns = ValuesType(names, closed=True, split=True, nested=objects)
    formats = "All but the table have times as the server sent them; value has no header and, by default, the ID alone."
    endings = f"Without --output, its ending selects the format: .{', .'.join(FORMATS)}."
    return [
        option("--limit", "Maximum number of items.", type=click.IntRange(min=1)),
        option("--output -o", f"Format. {formats}", type=click.Choice(FORMATS)),
        option(
            "--columns -c",
            f"Comma-separated columns to show, of: {', '.join(names)}.",
            type=columns,
            metavar="NAMES",
            callback=_check_distinct,
        ),
        option("--out", f"Write to this file. {endings}", type=FilePath(path_type=Path), metavar="FILE"),
        option("--force", "Replace an existing file.", is_flag=True),
    ]


def _check_distinct(_context: click.Context, _parameter: click.Parameter, value: list[str] | None) -> list[str] | None:
    for name, count in Counter(value or ()).items():
        if count > 1:
            raise click.BadParameter(f"{name} is given twice")
    return value


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
            defaults = {"csv": known, "value": [ItemColumns(operation).identity or known[0]]}
            items = pages.with_progress() if out else pages
            write_items(output_format, items, columns or defaults.get(output_format), stream)
    if out and sys.stderr.isatty():
        click.echo(styled(f"{pages.received:,} {name} written to {escaped(str(out))}", dim=True), err=True)


def _write_table(
    name: str, operation: Operation, pages: ListPages, chosen: Sequence[str] | None, stream: TextIO
) -> None:
    from metastudio.cli.views import console, table_view, write_view

    interactive, columns = stream.isatty(), ItemColumns(operation)
    by_page = pages.with_progress() if interactive or stream is not sys.stdout else pages
    items = [item for page in by_page for item in page]
    table = table_view(columns, items, chosen, interactive=interactive)
    if items or not interactive:
        write_view(console(stream), table.view)
    if interactive:
        remember_ids(operation.id, [str(value_at(item, columns.identity)) for item in items if columns.identity])
    if not sys.stderr.isatty():
        return
    text = f"{pages.received:,} {name}" if pages.total is None else f"{pages.received:,} of {pages.total:,} {name}"
    if any(map(columns.is_time, table.columns)):
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
            known = isinstance(context.command, Group) and context.command.commands[command].params
            if not any(option in each.opts for each in known or ()):
                raise click.UsageError(f"{command} takes no {option}")
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
    column = ItemColumns(operation).identity or next(iter(operation.fields))
    return "\n".join([*lines, f"metastudio {name} | jq -r .{column}"])


def summary_command(name: str, operation: Operation) -> click.Command:
    """Return the summary command of a list."""
    output = Option("Options", "--output -o", "Format.", type=click.Choice(["text", "json"]), default="text")
    filters = parameter_options(operation, [output])
    return Command(
        "summary",
        callback=partial(_summarize, name, operation),
        params=[*filters, output, *connection_options(filters)],
        help=f"Show the number of {name} in each state, and the oldest and newest.",
        notes={"Examples": f"metastudio {name} summary\nmetastudio {name} summary --output json | jq .phases.failed"},
    )


def _summarize(name: str, operation: Operation, /, output: str, **given: Any) -> None:
    with current().studio() as studio:
        pages = ListPages(studio, operation, given_arguments(operation.parameters.values(), FILTER_PREFIX, given))
        summary = _summary(operation, pages.with_progress() if sys.stdout.isatty() else pages)
    if output == "json":
        click.echo(to_json(summary, indent=2))
    else:
        from metastudio.cli.views import console, summary_view, write_view

        target = console(sys.stdout)
        write_view(target, summary_view(ItemColumns(operation), name, summary, target))


def _summary(operation: Operation, pages: Iterable[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Count items by state, in the contract's order, unlisted states last; and return the oldest and newest item."""
    columns, counts, ends = ItemColumns(operation), Counter[str](), dict[str, tuple[datetime, dict[str, Any]]]()
    time = columns.time or ""
    for item in chain.from_iterable(pages):
        counts[str(value_at(item, columns.state or ""))] += 1
        if at := to_instant(value_at(item, time), columns.format(time)):
            if "oldest" not in ends or at < ends["oldest"][0]:
                ends["oldest"] = at, item
            if "newest" not in ends or at > ends["newest"][0]:
                ends["newest"] = at, item
    phases: dict[str, dict[str, int]] = {phase: {} for phase in PHASES}
    for state in [*operation.states, *sorted(counts.keys() - operation.states.keys())]:
        if state in counts:
            phase = operation.states[state].phase if state in operation.states else UNLISTED.label
            phases.setdefault(phase, {})[state] = counts[state]
    shown = [name for name in (columns.identity, columns.state, time) if name]
    return {
        "total": counts.total(),
        "phases": {phase: {"total": sum(states.values()), "states": states} for phase, states in phases.items()},
        **{end: select_columns(ends[end][1], shown) if end in ends else None for end in ("oldest", "newest")},
    }
