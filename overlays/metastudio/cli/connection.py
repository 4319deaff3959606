"""Options of every command that sends requests: region, project, server, timeout and retries.

They may precede or follow the command's name. There are no options for credentials, because other users could read them
in the process list or the shell history.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.sections import CONNECTION, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from metastudio import MetaStudio


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
    taken = {flag for option in own for flag in option.opts}
    return [option for option in _options() if not taken.intersection(option.opts)]


def _options() -> list[Option]:
    return [
        _option("--region", metavar="NAME", help="Region, such as cn-north-4."),
        _option("--project-id", metavar="ID", help="Project ID."),
        _option("--base-url", metavar="URL", help="URL of the server; by default that of the region."),
        _option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Time limit of each step of a request, such as connecting.",
        ),
        _option("--max-retries", type=click.IntRange(min=0), metavar="N", help="Retries after a transient failure."),
        _option("--allow-http", is_flag=True, help="Allow sending credentials over plain HTTP to another machine."),
        _option("--debug", is_flag=True, callback=_debug, help="Show a traceback with an error."),
    ]


def _option(
    name: str, *, callback: Callable[[click.Context, click.Parameter, Any], None] | None = None, **settings: Any
) -> Option:
    return Option([name], section=CONNECTION, expose_value=False, callback=callback or _store, **settings)


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if parameter.name and value is not None and value is not False:
        context.ensure_object(ConnectionOptions).given[parameter.name] = value


def _debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(ConnectionOptions).debug = True
