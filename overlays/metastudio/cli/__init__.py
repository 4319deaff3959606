"""The command `metastudio` (extra `cli`).

Everything about lists (their commands, options, columns and states) comes from the contract. Each command imports what
it needs when it runs, so `metastudio --help` loads neither httpx nor a server.

Where to read, in this order:

1. `root`: the command and its subcommands. `running`, `exits`: from the command line to an exit code.
2. `lists`: `metastudio jobs`. It uses `filters` (options from parameters, `times`), `pages` (requests), `columns`,
   `table` and `formats` (output), and `destination` (files). `summary` and `watch` are its subcommands.
3. `whoami`, `curl`, `sandbox`, `completion`: the other commands.
4. `connection`, `sections`, `terminal`, `rules`, `extras`: shared by the commands.
"""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command with the arguments of this process. Returns its exit code. Entry point of `metastudio`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback if Ctrl-C arrives during the imports
    try:
        from metastudio.cli.root import root
        from metastudio.cli.running import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print("Error: the command needs an extra; install metastudio-client[cli]", file=sys.stderr)
        return 1
    return run(root, sys.argv[1:])
