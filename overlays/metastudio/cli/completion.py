"""`metastudio completion`: the script that teaches a shell to complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from metastudio.cli.running import COMPLETION
from metastudio.cli.sections import Command

SHELLS = ("bash", "zsh", "fish")


def completion_command() -> click.Command:
    """Make the command."""
    return Command(
        "completion",
        callback=_show,
        params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
        help="Print the script that completes commands, options and known values in bash (4.4 or later), zsh or fish.",
        notes={
            "Where it goes": """
                ~/.bashrc                     eval "$(metastudio completion bash)"
                ~/.zshrc                      eval "$(metastudio completion zsh)"
                ~/.config/fish/config.fish    metastudio completion fish | source
            """
        },
    )


def _show(shell: str) -> None:
    completion = get_completion_class(shell)
    assert completion is not None, "click knows these shells"
    root = click.get_current_context().find_root().command
    click.echo(completion(root, {}, "metastudio", COMPLETION).source())
