"""A command for each operation that is no list, such as `metastudio jobs show` and `metastudio jobs delete`."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from metastudio_client.contract import OPERATIONS

from metastudio.cli.errors import CommandError, ExitCode, describe_error, report_error
from metastudio.cli.options import (
    FILTER_PREFIX,
    MEMBER_PREFIX,
    Command,
    Option,
    choices,
    completer,
    connection_options,
    current,
    given_arguments,
    in_path,
    member_options,
    parameter_options,
    shown_ids,
    title,
    value_type,
)
from metastudio.cli.output import ItemColumns, escaped, to_json, to_yaml
from metastudio.contract.arguments import BODY, check_arguments
from metastudio.contract.naming import method_name, python_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metastudio.contract.operation import Operation, Parameter

ARGUMENT_PREFIX = "argument_"
"""Prefix of path parameters among a command's arguments."""


def item_command(name: str, operation: Operation) -> click.Command:
    """Return the command of an operation. Deleting takes several IDs and asks first."""
    own = [
        *([_body_option(operation)] if operation.body else []),
        *([Option("Options", "--yes", "Do not ask.", is_flag=True)] if operation.kind == "delete" else []),
        Option("Options", "--output -o", "Format of the response.", type=click.Choice(["table", "json", "yaml"])),
    ]
    params: list[click.Parameter] = [*parameter_options(operation, own, required=True)]
    params += [*member_options(operation, [*own, *params]), *own]
    path = in_path(operation)
    return Command(
        name,
        callback=partial(_call, operation),
        params=[
            *(_argument(operation, each, several=operation.kind == "delete" and each is path[-1]) for each in path),
            *params,
            *connection_options(params),
        ],
        help=f"{title(operation)}\n\n{operation.description}",
        short_help=title(operation),
    )


def _body_option(operation: Operation) -> Option:
    with_option = {each.name for each in member_options(operation, [])}
    members = operation.body.members if operation.body else {}
    others = [name for name, each in members.items() if MEMBER_PREFIX + each.python_name not in with_option]
    text = "File with the body as JSON, - for standard input. Options for members override it."
    text += f" Members that have none: {', '.join(others)}." * bool(others)
    return Option("Options", "--body", text, metavar="FILE")


def _argument(operation: Operation, parameter: Parameter, *, several: bool) -> click.Argument:
    kind = value_type(parameter)
    name = parameter.python_name.upper() + "..." * several
    metavar = choices(parameter).replace("TEXT", name) if isinstance(kind, click.Choice) else name
    is_id = operation.list_id and parameter.name == operation.item_parameter
    return click.Argument(
        [ARGUMENT_PREFIX + parameter.python_name],
        type=kind,
        nargs=-1 if several else 1,
        required=True,
        metavar=metavar,
        shell_complete=completer(partial(shown_ids, operation.list_id or "")) if is_id else None,
    )


def _call(operation: Operation, /, output: str | None, yes: bool = False, **given: Any) -> None:
    arguments = given_arguments(operation.parameters.values(), FILTER_PREFIX, given)
    path = given_arguments(in_path(operation), ARGUMENT_PREFIX, given)
    if operation.body:
        arguments[BODY] = _body(operation, given)
    calls = [{**arguments, **each} for each in _each_item(path)]
    try:
        for call in calls:  # all, before the first one is sent
            check_arguments(operation, call, optional=("project_id",))
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    if operation.kind == "delete" and not yes:
        _confirm(operation, [item_identity(operation, each) for each in calls])
    _send(operation, calls, output)


def item_identity(operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return the ID of the item that an operation is about, or no text if it is about none."""
    parameter = operation.parameters.get(operation.item_parameter or "")
    return str(arguments.get(parameter.python_name, "")) if parameter else ""


def _each_item(path: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the path arguments of each request. Several values of the last one are several requests."""
    several = next((name for name, value in path.items() if isinstance(value, tuple)), None)
    return [{**path, several: value} for value in dict.fromkeys(path[several])] if several else [dict(path)]


def _body(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the body from a file and the options for its members, None if there is neither."""
    assert operation.body is not None
    members = operation.body.members
    values = given_arguments(members.values(), MEMBER_PREFIX, given)
    named = {name: values[each.python_name] for name, each in members.items() if each.python_name in values}
    if given[BODY] is not None:
        return {**_read_body(given[BODY]), **named}
    if not named and operation.body.required:
        raise click.UsageError(
            "the request needs a body: give --body FILE, or options for its members", click.get_current_context()
        )
    return named or None


def _read_body(source: str) -> dict[str, Any]:
    if not source:
        problem = "--body is empty; give a file, or - for standard input"
        raise click.UsageError(problem, click.get_current_context())
    name = "standard input" if source == "-" else escaped(source)
    try:
        body = json.loads(sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}", code=ExitCode.USAGE) from None
    except RecursionError:
        raise CommandError(f"{name} is nested too deeply", code=ExitCode.USAGE) from None
    except ValueError as error:  # also UnicodeDecodeError
        raise CommandError(f"{name} is not JSON: {error}", code=ExitCode.USAGE) from None
    if not isinstance(body, dict):
        kind = "an array" if isinstance(body, list) else "a single value"
        raise CommandError(f"{name} must hold a JSON object, not {kind}", code=ExitCode.USAGE)
    return body


def _confirm(operation: Operation, identities: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        raise CommandError("this needs confirmation, and standard input is no terminal", "add --yes", ExitCode.USAGE)
    shown = ", ".join(map(escaped, identities))
    if not click.confirm(f"{title(operation)[:-1]}: {shown}. Continue?", err=True):
        raise CommandError("not confirmed; nothing was sent")


def _send(operation: Operation, calls: Sequence[Mapping[str, Any]], output: str | None) -> None:
    """Send the requests in turn. A missing item is reported and the rest goes on; another error ends the command."""
    from metastudio import errors

    code = ExitCode.OK
    with current().studio() as studio:
        resource = getattr(studio, python_name(operation.tag))
        method = getattr(resource, method_name(operation.id, operation.tag))
        for number, call in enumerate(calls, 1):
            identity = item_identity(operation, call)
            try:
                result = method(**call)
            except errors.NotFoundError as error:
                if not identity:
                    raise
                code = ExitCode.NOT_FOUND
                # Without the hint about the region, because the item is what is missing.
                report_error(CommandError(describe_error(error).message, code=code), identity if len(calls) > 1 else "")
            except errors.MetaStudioError as error:
                if len(calls) == 1:
                    raise
                shown, rest = describe_error(error), [item_identity(operation, each) for each in calls[number:]]
                hints = [shown.hint, f"not sent: {', '.join(rest)}" if rest else None]
                raise CommandError(
                    f"{identity}: {shown.message}", "; ".join(filter(None, hints)), shown.code
                ) from error
            else:
                _print(operation, identity, result, output)
    click.get_current_context().exit(code)


def _print(operation: Operation, identity: str, result: Any, output: str | None) -> None:
    result = result.to_dict() if hasattr(result, "to_dict") else result
    if result is None:
        if sys.stderr.isatty():
            click.echo(f"{title(operation)[:-1]}{': ' if identity else ''}{escaped(identity)}: done", err=True)
    elif (output or ("table" if sys.stdout.isatty() else "json")) == "table" and isinstance(result, dict):
        from metastudio.cli.views import console, properties_view, write_view

        columns = ItemColumns(OPERATIONS[operation.list_id] if operation.list_id else operation)
        write_view(console(sys.stdout), properties_view(columns, result))
    else:
        click.echo(to_yaml(result) if output == "yaml" else to_json(result, indent=2), nl=output != "yaml")
