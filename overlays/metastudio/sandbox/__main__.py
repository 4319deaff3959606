"""`python -m metastudio.sandbox`: the sandbox in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metastudio.contract import ContractError
from metastudio.sandbox.faults import FAULT_KINDS, Fault
from metastudio.sandbox.server import PortTakenError, run
from metastudio.sandbox.settings import SandboxSettings


def main() -> int:
    """Serve until Ctrl-C. Returns the exit code: 0, or 1 if the server cannot start."""
    kinds = "\n".join(f"  {kind:<10} {meaning}" for kind, meaning in FAULT_KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m metastudio.sandbox",
        description="Serve the contract on 127.0.0.1. Prints environment variables for the client once it listens.",
        epilog=f"fault kinds:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free port)")
    parser.add_argument(
        "--jobs", type=int, default=101, metavar="N", help="number of items in each list (default: 101)"
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="delay of each response (default: 0)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:RATE]",
        help="fail all requests, or this share of them; repeatable",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated items and faults (default: 0)")
    parser.add_argument(
        "--newer", action="store_true", help="add unlisted values and unknown properties, as newer servers send"
    )
    parser.add_argument("--spec", type=Path, metavar="FILE", help="contract to serve (default: the packaged one)")
    given = parser.parse_args()
    try:
        settings = SandboxSettings(
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
