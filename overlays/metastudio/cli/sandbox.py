"""`metastudio sandbox`: run the sandbox in the foreground."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.completion import completer
from metastudio.cli.options import Command, DurationType, Option
from metastudio.cli.running import CommandError, ExitCode, requires_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def sandbox_command() -> click.Command:
    """Return the command."""
    option = partial(Option, show_default=True)
    contract = click.Path(exists=True, dir_okay=False, path_type=Path)
    return Command(
        "sandbox",
        callback=_serve,
        params=[
            option(
                ["--port"],
                type=click.IntRange(0, 65535),
                default=0,
                metavar="N",
                help="Port to listen on; 0 selects a free one.",
            ),
            option(
                ["--jobs"], type=click.IntRange(min=0), default=101, metavar="N", help="Number of items in each list."
            ),
            option(["--seed"], type=int, default=0, metavar="N", help="Seed of the generated items and faults."),
            option(["--latency"], type=DurationType(), default="0", help="Delay of each response."),
            Option(
                ["--fault"],
                multiple=True,
                metavar="KIND[:RATE]",
                shell_complete=completer(_fault_kinds),
                help="Fail all requests, or this share of them, such as 503:0.2. Repeatable; ? lists the kinds.",
            ),
            Option(
                ["--newer"], is_flag=True, help="Add unlisted values and unknown properties, as newer servers send."
            ),
            Option(
                ["--progress"],
                type=DurationType(),
                help="Let tasks move through their states: at this interval, a third of the unfinished ones.",
            ),
            Option(
                ["--data"],
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help="SQLite file that keeps the items between runs.",
            ),
            Option(["--spec"], type=contract, metavar="FILE", help="Contract to serve; by default the packaged one."),
            click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]"),
        ],
        help="Serve the contract on 127.0.0.1 until Ctrl-C, with generated items. Signatures, tokens, projects and "
        "parameters are checked. Prints environment variables for the client once it listens; /docs has Swagger UI. "
        "With a command, runs it with these variables and ends with it.",
        notes={
            "Examples": """
                metastudio sandbox -- metastudio jobs
                metastudio sandbox --progress 5s -- $SHELL
            """
        },
    )


@requires_extra("sandbox")
def _serve(port: int, fault: Sequence[str], command: Sequence[str], **given: Any) -> None:
    from metastudio.contract import ContractError
    from metastudio.sandbox import FAULT_KINDS, DataFileError, Fault, PortTakenError, SandboxSettings, run

    if "?" in fault:
        for kind, meaning in FAULT_KINDS.items():
            click.echo(f"{kind:<12}{meaning}")
        return
    try:
        settings = SandboxSettings(faults=tuple(Fault.parse(text) for text in fault), recent=True, **given)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    try:
        click.get_current_context().exit(run(settings, port=port, command=command))
    except (ContractError, DataFileError, PortTakenError) as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None
    except OSError as error:
        raise CommandError(f"cannot run {command[0]}: {error.strerror}", code=ExitCode.USAGE) from None


def _fault_kinds() -> Iterable[str]:
    from metastudio.sandbox import FAULT_KINDS

    return FAULT_KINDS
