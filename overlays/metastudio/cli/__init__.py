"""The command `metastudio` (extra `cli`).

What it says about lists, their options, columns and states, comes from the contract; nothing here repeats it.
Everything heavy is imported by the command that needs it: `metastudio --help` loads neither httpx nor a server.
"""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command with the arguments of this process and return its exit code: the script `metastudio`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun: Ctrl-C needs no traceback
    try:
        from metastudio.cli.root import root
        from metastudio.cli.running import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print("Error: the command needs an extra: pip install 'metastudio-client[cli]'", file=sys.stderr)
        return 1
    return run(root, sys.argv[1:])
