"""The command `metastudio` (extra `cli`).

Commands, options, arguments, columns and states come from the contract. Each command imports what it needs when it
runs, so `metastudio --help` loads neither httpx nor rich nor a server.

Where to read, in this order:

1. `root`: the tree of commands, and from the command line to an exit code. `errors`: exit codes and messages.
2. `lists`: `metastudio jobs` and its summary. `items`: show, create, update, delete and the rest. `watch`.
3. `options`: sections of the help, and options from parameters and members of bodies. `output`: formats and files.
   `views`: what is shown with rich.
4. `credentials`: `whoami` and `curl`. `testing`: `sandbox` and `contract-test`.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run the command with the arguments of this process. Returns its exit code. Entry point of `metastudio`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback if Ctrl-C arrives during the imports
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed, as by >&-; the next file that is opened would take its place
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - until the process ends
    try:
        from metastudio.cli.root import root, run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print("Error: the command needs an extra; install metastudio-client[cli]", file=sys.stderr)
        return 1
    return run(root, sys.argv[1:])
