"""`metastudio sandbox`: the server of `metastudio.sandbox` in the foreground."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from metastudio.cli.exits import Exit, Refusal
from metastudio.cli.extras import needs
from metastudio.cli.filters import Duration
from metastudio.cli.sections import Command, Option

if TYPE_CHECKING:
    from collections.abc import Sequence


def sandbox_command() -> click.Command:
    """Make the command."""
    shown = partial(Option, show_default=True)
    contract = click.Path(exists=True, dir_okay=False, path_type=Path)
    return Command(
        "sandbox",
        callback=_serve,
        params=[
            shown(["--port"], type=click.IntRange(0, 65535), default=0, metavar="N", help="0 is any that is free."),
            shown(["--jobs"], type=click.IntRange(min=0), default=101, metavar="N", help="Items of each list."),
            shown(["--seed"], type=int, default=0, metavar="N", help="Which items and faults are made up."),
            shown(["--latency"], type=Duration(), default="0", help="Seconds added to each answer."),
            Option(
                ["--fault"],
                multiple=True,
                metavar="KIND[:RATE]",
                shell_complete=_complete_kinds,
                help="Let all requests, or this share of them, fail so: 503:0.2. Repeatable; ? shows the kinds.",
            ),
            Option(["--newer"], is_flag=True, help="Answer as servers do that are newer than the contract."),
            Option(["--spec"], type=contract, metavar="FILE", help="Contract to serve, instead of the packaged one."),
        ],
        help="Serve the contract on 127.0.0.1 until Ctrl-C: signatures, tokens and projects are checked, lists "
        "answered as the contract says. Prints what leads the client there once it listens; /docs is a page to try it.",
        notes={
            "Examples": """
                metastudio sandbox --port 8080 > sandbox.env &
                . ./sandbox.env
                metastudio jobs
            """
        },
    )


@needs("sandbox")
def _serve(port: int, fault: Sequence[str], **given: Any) -> None:
    from metastudio.contract import ContractError
    from metastudio.sandbox import FAULT_KINDS, Fault, PortTakenError, SandboxSettings, run

    if "?" in fault:
        for kind, meaning in FAULT_KINDS.items():
            click.echo(f"{kind:<12}{meaning}")
        return
    try:
        settings = SandboxSettings(faults=tuple(Fault.parse(text) for text in fault), **given)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    try:
        run(settings, port=port)
    except (ContractError, PortTakenError) as error:
        raise Refusal(str(error), code=Exit.USAGE) from None


@needs("sandbox")
def _complete_kinds(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    from metastudio.sandbox import FAULT_KINDS

    return [CompletionItem(kind, help=meaning) for kind, meaning in FAULT_KINDS.items() if kind.startswith(incomplete)]
