"""Options of the commands: sections of the help, the connection, options from the contract, times, and completions.

Connection options may precede or follow the command's name. There are no options for credentials, because other users
could read them in the process list or the shell history. Nothing is requested for a completion: a list that a terminal
shows leaves its IDs in the user's cache folder.
"""

from __future__ import annotations

import difflib
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from textwrap import dedent, wrap
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from metastudio.contract import instants
from metastudio.contract.operation import EPOCHS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence

    from metastudio import MetaStudio
    from metastudio.contract.operation import Filter, Operation, Parameter

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[Any]]]

CONNECTION = "Connection"
"""Section of the connection options; it comes last."""
REGIONS = ("cn-north-4", "cn-east-3", "ap-southeast-3")
"""Known regions; others are accepted too (docs/service-notes.md#endpoints-and-regions)."""
CLIENT_PARAMETERS = frozenset({"project_id"})
"""Path parameters that the client fills in from its configuration."""
FILTER_PREFIX, MEMBER_PREFIX = "filter_", "member_"
"""Prefixes of parameters and members of a body among a command's arguments, so that they cannot clash with its own."""
NO_ID_CACHE = "METASTUDIO_NO_ID_CACHE"

_END_OF_DAY_OPS = frozenset({"le", "gt"})  # comparisons for which a date means the end of its day
_METAVARS = {"integer": "N", "integer range": "N", "float": "N", "float range": "N", "file": "FILE", "path": "FILE"}
_UNITS = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 24 * 3600, "day": 24 * 3600, "w": 7 * 24 * 3600, "week": 7 * 24 * 3600,
}  # fmt: skip
_AMOUNT = re.compile(r"(\d{1,15})\s*([a-z]+)\s*", re.ASCII)
_TIME_FORMS = "use 2023-12-01T08:00:00Z or an offset such as +08:00, a date such as 2023-12-01, or a duration: 2d ago"
_MAX_IDS = 1000
_SAFE_ID = re.compile(r"\w[\w.:-]{0,127}", re.ASCII)  # IDs come from a server, and completions go into a command line


class Option(click.Option):
    """An option in a section of the help.

    Args:
        section: Heading of the section.
        flags: The flags, and the name of the argument if it differs, separated by blanks.
        text: The help.
        **settings: Those of `click.Option`. A number is shown as N and a path as FILE if there is no `metavar`.
    """

    def __init__(self, section: str, flags: str, text: str, **settings: Any) -> None:
        settings.setdefault("metavar", _METAVARS.get(getattr(settings.get("type"), "name", "")))
        super().__init__(flags.split(), help=text, **settings)
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
    """A command with subcommands, which are shown before the options, in the order in which they were added."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands before the options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(self.commands)


@dataclass
class ConnectionOptions:
    """The given connection options. `given` has them as keyword arguments of `MetaStudio`."""

    given: dict[str, Any] = field(default_factory=dict[str, Any])
    debug: bool = False

    @contextmanager
    def studio(self, **more: Any) -> Generator[MetaStudio]:
        """Open the client. It is not closed after Ctrl-C, because that would wait for pending requests."""
        from metastudio import MetaStudio

        studio = MetaStudio(**self.given, **more)
        try:
            yield studio
        except Exception:  # not KeyboardInterrupt, see above
            studio.close()
            raise
        studio.close()


def current() -> ConnectionOptions:
    """Return the connection options of the running command."""
    return click.get_current_context().ensure_object(ConnectionOptions)


def connection_options(own: Sequence[click.Parameter] = ()) -> list[Option]:
    """Return the connection options, except those whose name one of the command's `own` options has."""
    option = partial(Option, CONNECTION, expose_value=False, callback=_store)
    profiles, regions = completer(_profile_names), completer(lambda: REGIONS)
    options = [
        option("--profile", "Section of the credentials file: its keys, region and project.", metavar="NAME",
               shell_complete=profiles),
        option("--region", f"Region, such as {REGIONS[0]}.", metavar="NAME", shell_complete=regions),
        option("--project-id", "Project ID.", metavar="ID"),
        option("--base-url", "URL of the server; by default that of the region.", metavar="URL"),
        option("--timeout", "Time limit of each step of a request, such as 10 (seconds) or 1m30s.", type=DURATION),
        option("--max-retries", "Retries after a transient failure.", type=click.IntRange(min=0)),
        option("--allow-http", "Allow sending credentials over plain HTTP to another machine.", is_flag=True),
        option("--debug", "Show a traceback with an error.", is_flag=True),
    ]  # fmt: skip
    taken = {flag for each in own for flag in each.opts}
    return [each for each in options if not taken.intersection(each.opts)]


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    connection = context.ensure_object(ConnectionOptions)
    if parameter.name == "debug":
        connection.debug |= value
    elif parameter.name and value is not None and value is not False:
        connection.given[parameter.name] = value


def parameter_options(
    operation: Operation, own: Sequence[click.Parameter] = (), *, required: bool = False
) -> list[Option]:
    """Return an option for each parameter of an operation, except those for paging.

    Args:
        operation: The operation. The path parameters of its items are arguments, not options.
        own: The command's own options. A parameter with the same name gets the option `--filter-NAME`.
        required: Whether click insists on required parameters. A group's own options are optional before a subcommand,
            so there the client checks them.
    """
    rules = operation.list_rules
    left_out = {rules.offset, rules.limit} if rules else {each.name for each in in_path(operation)}
    parameters = [each for each in operation.parameters.values() if each.name not in left_out | CLIENT_PARAMETERS]
    filters, section = (rules.filters, "Filters") if rules else ({}, "Parameters")
    return _options_of(section, parameters, FILTER_PREFIX, own, filters, required=required)


def member_options(operation: Operation, own: Sequence[click.Parameter]) -> list[Option]:
    """Return an option for each member of the body that is a scalar or a list of scalars."""
    members = operation.body.members.values() if operation.body else ()
    return _options_of("Members of the body", filter(is_scalar, members), MEMBER_PREFIX, own, {})


def is_scalar(member: Parameter) -> bool:
    """Return whether a member of a body is a scalar or a list of scalars."""
    schema = member.schema.get("items", member.schema)
    return schema.get("type") not in ("object", "array") and not {"properties", "allOf"} & schema.keys()


def in_path(operation: Operation) -> list[Parameter]:
    """Return the path parameters that a caller gives, in the order of the path."""
    named = re.findall(r"\{([^}]+)\}", operation.path)
    return [operation.parameters[name] for name in named if name not in CLIENT_PARAMETERS]


def given_arguments(parameters: Iterable[Parameter], prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters by Python name, from the arguments of a command."""
    values = {each.python_name: given.get(prefix + each.python_name) for each in parameters}
    return {name: value for name, value in values.items() if value not in (None, [])}


def _options_of(
    section: str, parameters: Iterable[Parameter], prefix: str, own: Sequence[click.Parameter],
    rules: Mapping[str, Filter], *, required: bool = False,
) -> list[Option]:  # fmt: skip
    taken = {flag for option in own for flag in option.opts} | {"--help"}
    options = []
    for parameter in parameters:
        flag = "--" + parameter.python_name.strip("_").replace("_", "-").removeprefix("x-")
        if flag in taken:
            flag = flag.replace("--", f"--{prefix.replace('_', '-')}", 1)
        kind, text = value_type(parameter, rules.get(parameter.name)), parameter.description
        settings: dict[str, Any] = {"type": kind, "required": required and parameter.required}
        if kind is click.BOOL:
            flag += flag.replace("--", "/--no-", 1)
            settings |= {"type": None, "default": None}
        elif isinstance(kind, click.Choice):
            settings["metavar"] = choices(parameter)
        if parameter.is_array:
            settings |= {"multiple": True, "callback": flatten}
            text += f" Repeatable{', or comma-separated' if parameter.joined else ''}."
        if parameter.values and not settings.get("metavar", "").startswith("["):
            text += f" Known values: {', '.join(parameter.values)}."
        if parameter.required and not required:  # else click says it
            text += " Required."
        options.append(Option(section, f"{flag} {prefix}{parameter.python_name}", text.strip(), **settings))
    return options


def value_type(parameter: Parameter, rule: Filter | None = None) -> click.ParamType[Any]:
    """Return the type of one value of a parameter."""
    schema = parameter.schema.get("items", parameter.schema)
    kind, lowest = schema.get("type"), schema.get("minimum")
    if kind == "boolean":
        return click.BOOL
    if parameter.epoch is not None or schema.get("format") == "date-time":
        last, exact = rule is not None and rule.op in _END_OF_DAY_OPS, parameter.epoch == EPOCHS["epoch-milliseconds"]
        return ParsedType("time", partial(parse_time, end_of_day=last, milliseconds=exact))
    if kind in ("integer", "number"):
        if lowest is None:
            return click.INT if kind == "integer" else click.FLOAT
        return (click.IntRange if kind == "integer" else click.FloatRange)(min=lowest)
    if parameter.closed and not parameter.is_array:
        return click.Choice(parameter.values, case_sensitive=False)
    return ValuesType(parameter.values, closed=parameter.closed, split=parameter.is_array and parameter.joined)


def title(operation: Operation) -> str:
    """Return the line of an operation in a list of commands."""
    return f"{(operation.summary or operation.id).rstrip('.')}."


def choices(parameter: Parameter) -> str:
    """Return the values of a parameter as help shows them, or TEXT where that is long."""
    shown = f"[{'|'.join(parameter.values)}]"
    return shown if len(shown) <= 30 else "TEXT"


def flatten(_context: click.Context, _parameter: click.Parameter, value: Any) -> list[Any]:
    """Join the lists of a repeated option into one list."""
    return [part for parts in value for part in (parts if isinstance(parts, list) else [parts])]


class ParsedType(click.ParamType[Any]):
    """A value that a function makes of a text. The ValueError of the function says what is valid."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FilePath(click.Path):
    """A path of a file. An empty one, which `click.Path` takes for the working directory, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the path."""
        if not value:
            self.fail("a file name must not be empty; omit the option instead", param, ctx)
        return super().convert(value, param, ctx)


class ValuesType(click.ParamType[Any]):
    """A text, or a comma-separated list of texts.

    Known values are completed, accepted in any case, and suggested instead of a similar unknown value.

    Args:
        known: The known values.
        closed: Whether only known values are accepted.
        split: Whether the text is a comma-separated list.
        nested: Known values that a dot and more may follow: objects.
    """

    name = "text"

    def __init__(
        self, known: Sequence[str], *, closed: bool = False, split: bool = False, nested: Collection[str] = ()
    ) -> None:
        self._known = {value.casefold(): value for value in known}
        self._closed = closed
        self._split = split
        self._nested = nested

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
            remedy = "give one" if param and param.required else "omit the option instead"
            self.fail(f"a value must not be empty; {remedy}", param, ctx)
        first, dot, rest = value.partition(".")
        known = self._known.get(first.casefold())
        if known not in self._nested:
            known, dot, rest = self._known.get(value.casefold()), "", ""
        if known or not self._known:
            return known + dot + rest if known else value
        close = difflib.get_close_matches(value.casefold(), self._known, 1)
        suggestion = f"; did you mean {self._known[close[0]]}?" if close else ""
        if self._closed:
            known = ", ".join(self._known.values())
            self.fail(f"{value!a} is not known{suggestion or '.'} Known values: {known}", param, ctx)
        if suggestion and not (ctx and ctx.resilient_parsing):
            click.echo(f"Warning: {value!a} is not a known value{suggestion}", err=True)
        return value


def parse_time(
    text: str, *, now: datetime | None = None, end_of_day: bool = False, milliseconds: bool = False
) -> datetime:
    """Parse a time.

    Args:
        text: An RFC 3339 time, a date in the local time zone, or a duration with `ago`: `2d ago` is 48 hours before
            `now`.
        now: The current time, if it is not that of the clock.
        end_of_day: Whether a date means the last second of its day instead of the first.
        milliseconds: Whether it then means the last millisecond of the day, because the server compares milliseconds.

    Raises:
        ValueError: The text is not a valid time. The message says what is.
    """
    text = text.strip()
    try:
        if instants.parse_instant(text.replace(" ", "T", 1)) is not None:
            given = datetime.fromisoformat(text.upper())
            given.astimezone(UTC)  # fails at the ends of the calendar
            return given
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            last = time(23, 59, 59, 999_000 if milliseconds else 0, fold=1)  # of two, where the clocks go back
            local = datetime.combine(datetime.fromisoformat(text), last if end_of_day else time())
            # By way of UTC: where the clocks skip midnight, the day begins at another time.
            return datetime.fromtimestamp(local.timestamp(), UTC).astimezone()
        if text.lower().endswith("ago"):
            return (now or datetime.now(UTC)) - parse_duration(text[:-3])
    except (ValueError, OverflowError):
        raise ValueError(f"{text!a} is not a valid time: {_TIME_FORMS}") from None
    raise ValueError(f"{text!a} is not a valid time: {_TIME_FORMS}")


def parse_duration(text: str) -> timedelta:
    """Parse a duration: seconds, or amounts with units such as `1h30m`, `2 days` or `1w`.

    Raises:
        ValueError: The text is not a valid duration. The message says what is.
    """
    text = text.strip().lower()
    if re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text, re.ASCII):
        return timedelta(seconds=float(text))
    seconds, place = 0, 0
    while match := _AMOUNT.match(text, place):
        unit = match[2] if len(match[2]) < 3 else match[2].removesuffix("s")
        if unit not in _UNITS:
            break
        seconds, place = seconds + int(match[1]) * _UNITS[unit], match.end()
    if not text or place < len(text):
        raise ValueError(
            f"{text!a} is not a valid duration: use seconds, or amounts with s, m, h, d or w, such as 1h30m"
        )
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!a} is too long a duration") from None


def _above_zero(text: str) -> float:
    seconds = parse_duration(text).total_seconds()
    if not seconds:
        raise ValueError("must be longer than 0 s")
    return seconds


DELAY = ParsedType("duration", lambda text: parse_duration(text).total_seconds())
"""A duration in seconds, perhaps 0."""
DURATION = ParsedType("duration", _above_zero)
"""A duration in seconds above 0."""


def completer(values: Callable[[], Iterable[str]]) -> Completer:
    """Return a completer of values that are not given yet. If they cannot be read, there is nothing to complete."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        given = context.params.get(parameter.name or "") or ()
        with suppress(Exception):
            return [CompletionItem(each) for each in values() if each.startswith(incomplete) and each not in given]
        return []

    return complete


def _profile_names() -> Iterable[str]:
    from metastudio.auth import chain

    return chain.profiles(os.environ)


def remember_ids(list_id: str, identities: Iterable[str]) -> None:
    """Keep the IDs of a list that was shown. A folder that cannot be written is no error."""
    if os.environ.get(NO_ID_CACHE):
        return
    kept = [f"{each}\n" for each in identities if _SAFE_ID.fullmatch(each)][:_MAX_IDS]
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home directory
        path = _id_file(list_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text("".join(kept), encoding="ascii")


def shown_ids(list_id: str) -> Iterable[str]:
    """Return the IDs of a list that were shown last."""
    return _id_file(list_id).read_text("ascii").split()


def _id_file(list_id: str) -> Path:
    folder = os.environ.get("XDG_CACHE_HOME")
    return (Path(folder) if folder else Path.home() / ".cache") / "metastudio" / f"{list_id}.ids"
