"""`metastudio completion`: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from metastudio.cli.running import COMPLETION
from metastudio.cli.sections import Command

SHELLS = ("bash", "zsh", "fish")


def completion_command() -> click.Command:
    """Return the command."""
    return Command(
        "completion",
        callback=_print_script,
        params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
        help="Print a shell completion script for bash (4.4 or later), zsh or fish. It completes commands, options and "
        "known values.",
        notes={
            "Installation": """
                ~/.bashrc                     eval "$(metastudio completion bash)"
                ~/.zshrc                      eval "$(metastudio completion zsh)"
                ~/.config/fish/config.fish    metastudio completion fish | source
            """
        },
    )


def _print_script(shell: str) -> None:
    completion = get_completion_class(shell)
    assert completion is not None, "click supports all SHELLS"
    root = click.get_current_context().find_root().command
    click.echo(completion(root, {}, "metastudio", COMPLETION).source())
