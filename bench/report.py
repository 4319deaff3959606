"""The table, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

from bench.samples import Row

COLUMNS = {
    "ours": "this client",
    "vendor": "vendor's SDK",
    "plain": "plain generated",
    "alone": "httpx alone",
    "bare": "bare sockets",
}

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

_MISSED = """
## Where a target is missed, and what it would take

The table says which ones are; near a limit it changes from run to run with the machine. Profiled on 2026-11-22:

- **Import.** httpx and attrs alone are nine tenths of it, and they are nearly all of the target. What is ours is about
  50 modules at 0.15 ms each, and classes: 0.5 to 1 ms for each that attrs builds. Loading the session when the first client
  is made would take 10 ms off this row and put them on the next one.
- **First https call.** Imports, as above; 20 ms for httpcore and h11; 27 ms to read a trust store of the usual size,
  once in a process; 7 ms for the handshake and the call. See *httpx alone*: only another HTTP library would reach it.
- **A call, page of 100**, is httpx 47 %, models 19 %, decoding JSON 15 %, signing 2 %, the check of the answer's
  structure 4 %, and the rest, such as arguments, URL and retries, 13 %. A page of ten costs a tenth more than *httpx
  alone*. Below 0.30 for certain: models that are no attrs classes (msgspec decodes straight into its own, at a tenth of the
  time), or another HTTP library.
- **Signing** is hashing (1.2 µs), and bringing the request into the signed spelling (4 µs). With the constant parts
  kept for each path, the text of the date kept for a second, and the query taken as spelled already, it was measured at
  1.8 µs, 0.08 of the vendor's. That is 3 µs of the 600 that a call takes, for state in what now are pure functions.
- **10,000 jobs at 50 ms.** The first page says how many there are, so that eight latencies are the least: 0.40 s,
  1.1 of bare connections, which know it beforehand. The rest is CPU time that no request is under way in: the answers of
  requests that were sent together come together. In asyncio a request costs 1.5 times as much CPU, in httpcore and anyio.
  A network backend of our own below httpcore was tried and brought 15 % of that. httpx-aiohttp brings 40 % (0.46 s for the
  list), but sends `%3A` and `%2C` of a query as `:` and `,`, which breaks the signature of every time and every list
  of states.
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
    return about + table(rows) + _MISSED
