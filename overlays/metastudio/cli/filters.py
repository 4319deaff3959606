"""Command-line options for an operation's parameters, and the client arguments made from them."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from metastudio.cli.rules import CLIENT_PARAMETERS, rules_of
from metastudio.cli.sections import Option
from metastudio.cli.times import parse_duration, parse_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from metastudio.contract.operation import Filter, Operation, Parameter

FILTER_PREFIX = "filter_"
"""Prefix of the filters among a command's arguments, so that they cannot clash with its own."""

_END_OF_DAY_OPS = frozenset({"le", "gt"})  # comparisons for which a date means the end of its day


def filter_options(operation: Operation, own: Sequence[click.Parameter] = ()) -> list[Option]:
    """Return an option for each parameter except those for paging.

    If one of the command's `own` options has the same name, the parameter's option is called `--filter-NAME`.
    """
    rules = rules_of(operation)
    left_out = {rules.offset, rules.limit} | CLIENT_PARAMETERS
    taken = {flag for option in own for flag in option.opts} | {"--help"}
    return [
        _option(parameter, rules.filters.get(parameter.name), taken)
        for parameter in operation.parameters.values()
        if parameter.name not in left_out
    ]


def arguments(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for the client from the arguments of a command."""
    values = {name: given.get(FILTER_PREFIX + name) for name in operation.by_python_name}
    return {name: value for name, value in values.items() if value not in (None, [])}


def _option(parameter: Parameter, rule: Filter | None, taken: Collection[str]) -> Option:
    flag = "--" + parameter.python_name.strip("_").replace("_", "-").removeprefix("x-")
    if flag in taken:
        flag = flag.replace("--", "--filter-", 1)
    kind, lowest, text = parameter.schema.get("type"), parameter.schema.get("minimum"), parameter.description
    settings: dict[str, Any] = {}
    if kind == "boolean":
        flag += flag.replace("--", "/--no-", 1)
        settings = {"default": None}
    elif parameter.is_time:
        settings = {"type": TimeType(end_of_day=rule is not None and rule.op in _END_OF_DAY_OPS)}
    elif kind in ("integer", "number"):
        settings = {"type": (click.IntRange if kind == "integer" else click.FloatRange)(min=lowest), "metavar": "N"}
    elif parameter.closed and not parameter.is_array:
        settings = {"type": click.Choice(parameter.values, case_sensitive=False)}
    else:
        split = parameter.is_array and parameter.joined
        settings = {"type": ValuesType(parameter.values, closed=parameter.closed, split=split)}
    if parameter.is_array:
        settings |= {"multiple": True, "callback": flatten}
        text += f" Repeatable{', or comma-separated' if parameter.joined else ''}."
    if parameter.values and not isinstance(settings.get("type"), click.Choice):
        text += f" Known values: {', '.join(parameter.values)}."
    if parameter.required:
        text += " Required."  # the client checks it, because a group's own options are optional before a subcommand
    return Option([flag, FILTER_PREFIX + parameter.python_name], help=text, section="Filters", **settings)


def flatten(_context: click.Context, _parameter: click.Parameter, value: Any) -> list[str]:
    """Join the lists of a repeated option into one list."""
    return [part for parts in value for part in ([parts] if isinstance(parts, str) else parts)]


class TimeType(click.ParamType[datetime]):
    """A time in one of the forms of `metastudio.cli.times.parse_time`."""

    name = "time"

    def __init__(self, *, end_of_day: bool) -> None:
        self._end_of_day = end_of_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse the time."""
        try:
            return parse_time(value, now=datetime.now(UTC), end_of_day=self._end_of_day)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DurationType(click.ParamType[float]):
    """A duration in one of the forms of `metastudio.cli.times.parse_duration`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the duration."""
        try:
            return parse_duration(value).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ValuesType(click.ParamType[Any]):
    """A text, or a comma-separated list of texts.

    Known values are completed, accepted in any case, and suggested instead of a similar unknown value.

    Args:
        known: The known values.
        closed: Whether only known values are accepted.
        split: Whether the text is a comma-separated list.
    """

    name = "text"

    def __init__(self, known: Sequence[str], *, closed: bool = False, split: bool = False) -> None:
        self._known = {value.casefold(): value for value in known}
        self._closed = closed
        self._split = split

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the value or the list of values."""
        if not self._split:
            return self._convert_one(value, param, ctx)
        return [self._convert_one(part.strip(), param, ctx) for part in value.split(",")]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete the value, or the last value of a list."""
        before, comma, last = incomplete.rpartition(",") if self._split else ("", "", incomplete)
        given = {part.strip().casefold() for part in before.split(",")}
        return [
            CompletionItem(f"{before}{comma}{value}")
            for folded, value in self._known.items()
            if folded.startswith(last.casefold()) and folded not in given
        ]

    def _convert_one(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("a value must not be empty; omit the option instead", param, ctx)
        known = self._known.get(value.casefold())
        if known or not self._known:
            return known or value
        close = difflib.get_close_matches(value.casefold(), self._known, 1)
        suggestion = f"; did you mean {self._known[close[0]]}?" if close else ""
        if self._closed:
            self.fail(f"{value!a} is not one of {', '.join(self._known.values())}{suggestion}", param, ctx)
        if suggestion and not (ctx and ctx.resilient_parsing):
            click.echo(f"Warning: {value!a} is not a known value{suggestion}", err=True)
        return value
