"""Which server, which project, how patient: the options that every command which talks to the cloud understands.

They may stand before the command's name or behind it. Credentials are no options: whoever may list the processes of
a machine, or read a shell's history, would have them.
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
class Connection:
    """What the options said, by their names as arguments of `MetaStudio`."""

    given: dict[str, Any] = field(default_factory=dict[str, Any])
    debug: bool = False

    @contextmanager
    def studio(self, **more: Any) -> Generator[MetaStudio]:
        """Open the client. After Ctrl-C it is not closed: that would wait for requests which nobody waits for."""
        from metastudio import MetaStudio

        studio = MetaStudio(**self.given, **more)
        try:
            yield studio
        except Exception:  # not KeyboardInterrupt, as said above
            studio.close()
            raise
        studio.close()


def current() -> Connection:
    """Return what the options of the running command said."""
    return click.get_current_context().ensure_object(Connection)


def connection_options(own: Sequence[click.Parameter] = ()) -> list[Option]:
    """Make the options, without those that a command has itself under this name (`own`)."""
    taken = {flag for option in own for flag in option.opts}
    return [option for option in _options() if not taken.intersection(option.opts)]


def _options() -> list[Option]:
    return [
        _option("--region", metavar="NAME", help="Region, such as cn-north-4."),
        _option("--project-id", metavar="ID", help="Project."),
        _option("--base-url", metavar="URL", help="Server, instead of the region's."),
        _option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="For each wait of a request, such as connecting.",
        ),
        _option(
            "--max-retries", type=click.IntRange(min=0), metavar="N", help="Repeats after a failure that may pass."
        ),
        _option("--allow-http", is_flag=True, help="Send credentials over plain http to another machine."),
        _option("--debug", is_flag=True, callback=_debug, help="Show a traceback beside an error."),
    ]


def _option(
    name: str, *, callback: Callable[[click.Context, click.Parameter, Any], None] | None = None, **settings: Any
) -> Option:
    return Option([name], section=CONNECTION, expose_value=False, callback=callback or _remember, **settings)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if parameter.name and value is not None and value is not False:
        context.ensure_object(Connection).given[parameter.name] = value


def _debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Connection).debug = True
