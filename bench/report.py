"""The table, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.samples import Row

COLUMNS = {
    "ours": "this client",
    "vendor": "vendor's SDK",
    "plain": "plain generated",
    "alone": "httpx alone",
    "bare": "bare sockets",
}

MISSED = Path(__file__).with_name("missed.md")

_ABOUT = """\
# Benchmarks

Written by `./bench/run`, which measures everything again. Each figure is a median with its quartiles; the peers are
measured in turn, so that what disturbs one disturbs all. The ratios are those of the medians.

- *vendor's SDK* is huaweicloudsdkmetastudio {vendor}, with the loop over the offset that its users write.
- *plain generated* is the stock output of openapi-python-client {generator} for the same contract, made at the time of
  the measurement, with this client's signature and the same loop.
- *httpx alone* is the floor of what is built on httpx: unsigned, answers decoded to dicts.
- *bare sockets* is the practical floor: connections without a library, answers not decoded.

Each runs in a process of its own with its own dependencies only; "beside the command line" has click, rich and pygments
too, which make httpx import its own command line. The server is another process that hands out answers made
beforehand; its last row is what it can do at most. Wall times of lists are set by the latency and the number in flight,
everything else by the CPU.

Python {python}, httpx {httpx}, {cores} cores, load {load:.1f} at the end.

"""


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| " + " | ".join(["what", "unit", *COLUMNS.values(), "of the vendor's", "target"]) + " |",
        "|" + "|".join(["---", "---", *["---:"] * (len(COLUMNS) + 1), "---"]) + "|",
    ]
    for row in rows:
        ratio = f"{row.ratio('vendor'):.2f}" if "vendor" in row.others else ""
        cells = [row.what, row.unit, *map(row.cell, COLUMNS), ratio, "; ".join(row.verdicts())]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def document(rows: Sequence[Row]) -> str:
    """The page docs/benchmarks.md."""
    about = _ABOUT.format(
        vendor=version("huaweicloudsdkmetastudio"),
        generator=version("openapi-python-client"),
        httpx=version("httpx"),
        python=platform.python_version(),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
    )
    return about + table(rows) + "\n" + MISSED.read_text(encoding="utf-8")
