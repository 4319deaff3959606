"""Options made of an operation's parameters, and what was given turned into the client's arguments."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from metastudio.cli.rules import SETTINGS, rules_of
from metastudio.cli.sections import Option
from metastudio.cli.times import parse_duration, parse_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from metastudio.contract.operation import Filter, Operation, Parameter

PREFIX = "filter_"
"""What a filter is called among a command's arguments, whatever else these are called."""

_DAY_IS_PAST = frozenset({"le", "gt"})  # comparisons for which a date means the end of its day


def filter_options(operation: Operation, own: Sequence[click.Parameter] = ()) -> list[Option]:
    """Make an option of each parameter but those that page.

    Where the command has an option of that name itself (`own`), the parameter's is called `--filter-...`.
    """
    rules = rules_of(operation)
    left_out = {rules.offset, rules.limit} | SETTINGS
    taken = {flag for option in own for flag in option.opts} | {"--help"}
    return [
        _option(parameter, rules.filters.get(parameter.name), taken)
        for parameter in operation.parameters.values()
        if parameter.name not in left_out
    ]


def arguments(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for the client among what a command was given."""
    found = {name: given.get(PREFIX + name) for name in operation.by_python_name}
    return {name: value for name, value in found.items() if value not in (None, [])}


def _option(parameter: Parameter, rule: Filter | None, taken: Collection[str]) -> Option:
    flag = "--" + parameter.python_name.strip("_").replace("_", "-").removeprefix("x-")
    if flag in taken:
        flag = flag.replace("--", "--filter-", 1)
    kind, lowest, said = parameter.schema.get("type"), parameter.schema.get("minimum"), parameter.description
    settings: dict[str, Any] = {}
    if kind == "boolean":
        flag += flag.replace("--", "/--no-", 1)
        settings = {"default": None}
    elif parameter.is_time:
        settings = {"type": Time(end_of_day=rule is not None and rule.op in _DAY_IS_PAST)}
    elif kind in ("integer", "number"):
        settings = {"type": (click.IntRange if kind == "integer" else click.FloatRange)(min=lowest), "metavar": "N"}
    elif parameter.closed and not parameter.is_array:
        settings = {"type": click.Choice(parameter.values, case_sensitive=False)}
    else:
        split = parameter.is_array and parameter.joined
        settings = {"type": Values(parameter.values, closed=parameter.closed, split=split)}
    if parameter.is_array:
        settings |= {"multiple": True, "callback": flatten}
        said += f" Repeatable{', or separated by commas' if parameter.joined else ''}."
    if parameter.values and not isinstance(settings.get("type"), click.Choice):
        said += f" Known: {', '.join(parameter.values)}."
    if parameter.required:
        said += " Required."  # and missed by the client: a group's own options may be absent if a command follows
    return Option([flag, PREFIX + parameter.python_name], help=said, section="Filters", **settings)


def flatten(_context: click.Context, _parameter: click.Parameter, value: Any) -> list[str]:
    """Put the lists of a repeated option into one."""
    return [part for parts in value for part in ([parts] if isinstance(parts, str) else parts)]


class Time(click.ParamType[datetime]):
    """A time as people write it; see `metastudio.cli.times`."""

    name = "time"

    def __init__(self, *, end_of_day: bool) -> None:
        self._end_of_day = end_of_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        try:
            return parse_time(value, now=datetime.now(UTC), end_of_day=self._end_of_day)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Duration(click.ParamType[float]):
    """Seconds, as people write how long something takes."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        try:
            return parse_duration(value).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Values(click.ParamType[Any]):
    """Text, or texts joined with commas (`split`), of which some are `known`.

    Those are completed, understood in any case, and suggested where another value looks like one of them. Where the
    set is `closed`, no other value goes.
    """

    name = "text"

    def __init__(self, known: Sequence[str], *, closed: bool = False, split: bool = False) -> None:
        self._known = {value.casefold(): value for value in known}
        self._closed = closed
        self._split = split

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a value, or a list of them."""
        if not self._split:
            return self._one(value, param, ctx)
        return [self._one(part.strip(), param, ctx) for part in value.split(",")]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete the value, the last one of a list."""
        before, comma, last = incomplete.rpartition(",") if self._split else ("", "", incomplete)
        there = {part.strip().casefold() for part in before.split(",")}
        return [
            CompletionItem(f"{before}{comma}{value}")
            for folded, value in self._known.items()
            if folded.startswith(last.casefold()) and folded not in there
        ]

    def _one(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("a value is empty; leave the option out instead", param, ctx)
        known = self._known.get(value.casefold())
        if known or not self._known:
            return known or value
        close = difflib.get_close_matches(value.casefold(), self._known, 1)
        meant = f"; did you mean {self._known[close[0]]}?" if close else ""
        if self._closed:
            self.fail(f"{value!a} is not one of {', '.join(self._known.values())}{meant}", param, ctx)
        if meant and not (ctx and ctx.resilient_parsing):
            click.echo(f"Warning: {value!a} is not among the values that the contract knows{meant}", err=True)
        return value
