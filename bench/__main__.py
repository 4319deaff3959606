"""The command ./bench/run."""

from __future__ import annotations

import argparse
import os
import platform
import string
import sys
import time
from importlib.metadata import version
from pathlib import Path

from bench.measurements import LATENCIES, MEASUREMENTS
from bench.prepare import ROOT, VENDOR, prepare
from bench.processes import server
from bench.table import BenchmarkRow, table

TEMPLATE, PAGE = Path(__file__).with_name("page.md"), ROOT / "docs" / "benchmarks.md"


def main() -> None:
    """Run the chosen measurements and print them; all of them also write docs/benchmarks.md."""
    parser = argparse.ArgumentParser(
        prog="./bench/run",
        description="Measure this client beside the vendor's SDK, plain generated code and httpx alone.",
        epilog="\n".join(f"{name}: {each.__doc__}" for name, each in MEASUREMENTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("measurement", nargs="*", choices=[*MEASUREMENTS, []], help="all by default")
    chosen: list[str] = parser.parse_args().measurement
    rows: list[BenchmarkRow] = []
    prepared = prepare()
    with server(prepared, LATENCIES) as urls:
        for name in chosen or MEASUREMENTS:
            started = time.perf_counter()
            rows += MEASUREMENTS[name](prepared, urls)
            print(f"{name}: measured in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(table(rows))
    if not chosen:
        values = {
            "vendor": version(VENDOR),
            "generator": version("openapi-python-client"),
            "python": platform.python_version(),
            "httpx": version("httpx"),
            "cores": os.cpu_count(),
            "load": f"{os.getloadavg()[0]:.1f}",
            "table": table(rows),
        }
        PAGE.write_text(string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: written", file=sys.stderr)


if __name__ == "__main__":
    main()
