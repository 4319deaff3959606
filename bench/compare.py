"""The command ./bench/compare: this checkout beside another one, measured in turn."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench.measurements import MEASUREMENTS
from bench.prepare import ROOT
from bench.samples import Spread
from bench.table import markdown

WORSE = 1.10
"""A ratio above this is printed bold."""

# Runs in each checkout, with the `bench` package of that checkout. It uses only what the first edition has too.
_PROGRAM = """
import json, sys
from bench.measurements import LATENCIES, MEASUREMENTS
from bench.prepare import prepare
from bench.processes import server
prepared = prepare()
with server(prepared, LATENCIES) as urls:
    rows = MEASUREMENTS[sys.argv[1]](prepared, urls)
print(json.dumps([[row.what, row.unit, list(row.ours)] for row in rows]))
"""


def main() -> None:
    """Measure both checkouts in turn and print one table with the rows that both have."""
    parser = argparse.ArgumentParser(
        prog="./bench/compare",
        description="Measure another checkout (before) and this one (after) in turn: before, after, before, after. "
        "Both run in the virtual environment of this one, each with its own source and its own bench package.",
    )
    parser.add_argument("before", type=Path, help="directory of the other checkout")
    parser.add_argument("measurement", nargs="*", choices=[*MEASUREMENTS, []], help="all by default")
    parser.add_argument("--rounds", type=int, default=2, help="how many times to measure each (default: 2)")
    arguments = parser.parse_args()
    lines: list[list[str]] = []
    for name in arguments.measurement or MEASUREMENTS:
        samples: dict[tuple[str, str], dict[Path, list[float]]] = {}
        for _ in range(arguments.rounds):
            for checkout in (arguments.before, ROOT):
                print(f"{name}: measuring {checkout}", file=sys.stderr)
                for what, unit, values in _measure(checkout, name):
                    samples.setdefault((what, unit), {}).setdefault(checkout, []).extend(values)
        lines += [
            [*row, *_cells(unit=row[1], before=taken[arguments.before], after=taken[ROOT])]
            for row, taken in samples.items()
            if len(taken) == 2
        ]
    print(markdown(["what", "unit", "before", "after", "after / before"], lines))


def _measure(checkout: Path, name: str) -> list[tuple[str, str, list[float]]]:
    command = [sys.executable, "-c", _PROGRAM, name]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[tuple[str, str, list[float]]] = json.loads(done.stdout)
    return rows


def _cells(unit: str, before: list[float], after: list[float]) -> list[str]:
    ratio = statistics.median(after) / statistics.median(before)
    worse = (1 / ratio if unit == "1/s" else ratio) > WORSE
    return [str(Spread.of(before)), str(Spread.of(after)), f"**{ratio:.2f}**" if worse else f"{ratio:.2f}"]


if __name__ == "__main__":
    main()
