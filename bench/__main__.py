"""The command: ./bench/run [MEASUREMENT...]."""

from __future__ import annotations

import argparse
import sys
import time

from bench.measurements import LATENCIES, MEASUREMENTS
from bench.prepare import ROOT, prepare
from bench.processes import server
from bench.report import document, table
from bench.samples import Row


def main() -> None:
    """Measure what is asked for; all of it writes the page."""
    parser = argparse.ArgumentParser(
        prog="./bench/run",
        description="Measures this client beside the vendor's SDK and plain generated code.",
        epilog="\n".join(str(each.__doc__) for each in MEASUREMENTS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("measurement", nargs="*", choices=[*MEASUREMENTS, []], help="all by default, into the page")
    chosen: list[str] = parser.parse_args().measurement
    rows: list[Row] = []
    prepared = prepare()
    with server(prepared, LATENCIES) as urls:
        for name in chosen or MEASUREMENTS:
            started = time.perf_counter()
            rows += MEASUREMENTS[name](prepared, urls)
            print(f"{name}: measured in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(table(rows))
    if not chosen:
        page = ROOT / "docs" / "benchmarks.md"
        page.write_text(document(rows), encoding="utf-8")
        print(f"written: {page.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
