"""`python -m metastudio.sandbox`: the server in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metastudio.contract import ContractError
from metastudio.sandbox.faults import KINDS, Fault
from metastudio.sandbox.server import PortTakenError, run
from metastudio.sandbox.settings import Settings


def main() -> int:
    """Serve until Ctrl-C. Returns the exit code: 0, or 1 when the server cannot start."""
    kinds = "\n".join(f"  {kind:<10} {meaning}" for kind, meaning in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m metastudio.sandbox",
        description="Serve the contract on 127.0.0.1. Prints the environment for the client once it listens.",
        epilog=f"kinds of fault:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any that is free)")
    parser.add_argument("--jobs", type=int, default=101, metavar="N", help="items of each list (default: 101)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="added to each answer")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND[:RATE]", help="fail this share of the requests"
    )
    parser.add_argument("--seed", type=int, default=0, help="which items and faults are made up (default: 0)")
    parser.add_argument("--newer", action="store_true", help="send what servers newer than the contract send")
    parser.add_argument("--spec", type=Path, metavar="FILE", help="contract to serve (default: the packaged one)")
    given = parser.parse_args()
    try:
        settings = Settings(
            jobs=given.jobs,
            latency=given.latency,
            faults=tuple(Fault.parse(text) for text in given.fault),
            seed=given.seed,
            newer=given.newer,
            spec=given.spec,
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        run(settings, port=given.port)
    except (ContractError, PortTakenError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
