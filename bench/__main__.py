"""The command ./bench/run: measures each client in turn, every sample in a process of its own, and writes the table."""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import os
import platform
import re
import resource
import site
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.server import serve

ROOT = Path(__file__).resolve().parents[1]
FOLDER, PAGE = ROOT / ".cache" / "bench", ROOT / "docs" / "benchmarks.md"
TRUST_STORE = FOLDER / "ca.pem"
# A column of the table and what its users import, by the class in bench/peers.py.
CLIENTS = {
    "Ours": ("this client", "from metastudio import MetaStudio"),
    "Vendor": ("vendor's SDK", "import huaweicloudsdkmetastudio.v1"),
    "Plain": ("plain generated", "import plain_client.api.training_jobs.list_training_jobs"),
    "Alone": ("httpx alone", "import httpx"),
    "Bare": ("bare sockets", "import socket, json"),
}
EVERYONE = (*CLIENTS, "OursAsync")
SCALES = {"ms": 1e3, "µs": 1e6, "MiB": 2.0**-20}


class Row(NamedTuple):
    """A row of the table, of this client and of httpx alone with the `variant` of their class.

    A goal is an upper limit of the ratio of our median to that of a column, or of our median itself for the column "".
    """

    title: str
    unit: str
    quantity: str
    variant: str = ""
    goals: Sequence[tuple[float, str]] = ()


class Measurement(NamedTuple):
    """A function of bench/peers.py, run in turn for clients that call one of the servers; "" imports them only."""

    part: str
    function: str
    rounds: int
    clients: Sequence[str]
    rows: Sequence[Row]
    server: str = "0 ms"
    given: Mapping[str, object] = {}


MEASUREMENTS = [
    Measurement("imports", "", 12, (*CLIENTS, "OursCli", "AloneCli", "Nothing"), [
        Row("import, CPU", "ms", "cpu", goals=[(0.30, "Vendor"), (1.25, "Alone")]),
        Row("import, wall", "ms", "wall"),
        Row("import beside the command line", "ms", "cpu", "Cli"),
    ]),
    Measurement("first", "first", 10, (*EVERYONE, "AloneAsync"), [
        Row("first https call of a process, CPU", "ms", "cpu"),
        Row("first https call of a process, wall", "ms", "wall", goals=[(0.38, "Vendor"), (1.20, "Alone")]),
        Row("the same, asyncio", "ms", "wall", "Async"),
    ], "tls"),
    *(
        Measurement("calls", "calls", 11, (*EVERYONE, "AloneAsync"), [
            Row(f"a signed call, page of {limit}, CPU", "µs", "cpu", goals=goals),
            Row(f"a signed call, page of {limit}, wall", "µs", "wall"),
            Row(f"a signed call, page of {limit}, asyncio", "µs", "cpu", "Async"),
        ], given={"count": count, "limit": limit})
        for limit, count, goals in (
            (10, 60, [(1.10, "Alone")]),
            (100, 40, [(0.40, "Vendor"), (0.30, "Vendor"), (1.40, "Alone")]),
            (1000, 6, [(1.7, "Alone")]),
        )
    ),
    Measurement("signing", "signing", 15, ("Ours", "Vendor"), [
        Row("signing a request", "µs", "signer", goals=[(0.12, "Vendor")]),
        Row("signing a request as the client does", "µs", "client_signer"),
    ]),
    *(
        Measurement("list", "everything", rounds, clients, [
            Row(f"10,000 jobs at {server}, {words}{kind}{suffix}", "s", quantity, variant, limits)
            for (kind, variant), (suffix, quantity, limits) in product((("", ""), (", asyncio", "Async")), quantities)
        ], server, {"concurrency": concurrency})
        for server, goals in (("0 ms", []), ("20 ms", []), ("50 ms", [(1.3, "Bare")]))
        for words, concurrency, rounds, clients, quantities in (
            ("one in flight", 1, 3, EVERYONE, [("", "wall", [])]),
            ("default concurrency", 8, 6, EVERYONE, [("", "wall", [])]),
            ("16 in flight", 16, 6, ("Bare", "Ours", "OursAsync"), [(", wall", "wall", goals), (", CPU", "cpu", [])]),
        )
    ),
    Measurement("memory", "hold", 2, ("Ours", "Vendor", "Plain"), [
        Row("memory of a job held", "B", "bytes", goals=[(0.75, "Vendor")]),
    ], "many"),
    Measurement("memory", "growth", 3, ("Ours", "OursAsync"), [
        Row("growth while iterating 100,000 jobs", "MiB", "bytes", goals=[(5, "")]),
        Row("the same, asyncio", "MiB", "bytes", "Async", goals=[(5, "")]),
    ], "many"),
    Measurement("server", "everything", 8, ("Ours", "Bare"), [
        Row("pages of 100 a second, 16 in flight", "1/s", "rate"),
    ], given={"concurrency": 16}),
]  # fmt: skip


def sample(name: str, measured: Measurement, url: str, before: Path | None) -> dict[str, float]:
    """Run the function in a new interpreter that has the dependencies of one client only.

    Returns:
        What the function returns, else the seconds of CPU and wall time from the start of the process to its end.
    """
    root, client = (before, "Ours") if before and name == "Vendor" else (ROOT, name)
    paths = [f"{root}/overlays", f"{root}/generated", str(FOLDER), f"{ROOT}/bench", *site.getsitepackages()]
    # What other packages need: httpx imports its command line if click, rich and pygments are installed.
    hidden = [] if name.endswith("Cli") else ["click", "rich", "pygments"]
    hidden += ["sniffio"] if name.startswith("Alone") else []
    code = f"import sys; sys.path[:0] = {paths}; sys.modules.update(dict.fromkeys({hidden}))\n"
    if measured.function:
        made = f"peers.{client}({url!r}, {str(TRUST_STORE)!r})"
        code += f"import peers; print(peers.{measured.function}({made}, **{measured.given}))"
    elif name != "Nothing":
        code += CLIENTS[client.removesuffix("Cli")][1]
    started, used = time.perf_counter(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    child = subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    wall, used_after = time.perf_counter() - started, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    return ast.literal_eval(child.stdout or "None") or {"cpu": used_after - used, "wall": wall}


def cells(row: Row, samples: Mapping[str, Sequence[Mapping[str, float]]], headings: Mapping[str, str]) -> list[str]:
    """Return the cells of a row. Imports are net of the start of the interpreter."""
    base = statistics.median(each[row.quantity] for each in samples.get("Nothing", [{row.quantity: 0.0}]))
    found: dict[str, list[float]] = {}
    for column in CLIENTS:
        taken = samples.get(column + row.variant if column in ("Ours", "Alone") else column, [])
        found[column] = [(each[row.quantity] - base) * SCALES.get(row.unit, 1) for each in taken]
    ours = statistics.median(found["Ours"])
    ratios = {column: ours / statistics.median(values) for column, values in found.items() if values} | {"": ours}
    goals = [
        f"≤ {limit:g} {f'of {headings[over]}' if over else row.unit}: {ratios[over]:.3g}, "
        + ("met" if ratios[over] <= limit else "**not met**")
        for limit, over in row.goals
        if headings["Vendor"] != "before"
    ]
    over_others = [f"{ratios[over]:.2f}" if over in ratios else "" for over in ("Vendor", "Alone")]
    return [row.title, row.unit, *map(spread, found.values()), *over_others, "; ".join(goals)]


def spread(values: Sequence[float]) -> str:
    """Format the median and the quartiles."""
    if not values:
        return ""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
    digits = next((digits for digits, least in enumerate((100, 10, 1)) if middle >= least), 3)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def main() -> None:
    """Run the chosen measurements and print them; all of them also write docs/benchmarks.md."""
    parts = list(dict.fromkeys(each.part for each in MEASUREMENTS))
    parser = argparse.ArgumentParser(
        prog="./bench/run",
        description="Measure this client beside the vendor's SDK, plain generated code and httpx alone.",
    )
    parser.add_argument("measurement", nargs="*", choices=[*parts, []], help="all by default")
    parser.add_argument("--before", type=Path, help="another checkout, measured instead of the vendor's SDK")
    parser.add_argument("--rounds", type=int, help="number of samples of each figure")
    arguments = parser.parse_args()
    before: Path | None = arguments.before
    headings = {name: heading for name, (heading, _) in CLIENTS.items()} | ({"Vendor": "before"} if before else {})
    lines: list[str] = []

    def add(*row: str) -> None:
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)

    add("what", "unit", *headings.values(), f"of {headings['Vendor']}", f"of {headings['Alone']}", "goal")
    add("---", "---", *["---:"] * 7, "---")
    receiver, sender = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(TRUST_STORE, sender), daemon=True).start()
    sender.close()  # so that recv() fails if the server does
    urls = receiver.recv()
    for name in CLIENTS:
        sample(name, MEASUREMENTS[0], "", before)  # writes the bytecode
    for measured in MEASUREMENTS:
        if measured.part not in (arguments.measurement or parts):
            continue
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in measured.clients}
        for number in range(arguments.rounds or measured.rounds):
            # Reverse the order every other time, so that a disturbance affects all.
            for name in measured.clients[:: 1 if number % 2 else -1]:
                samples[name].append(sample(name, measured, urls[measured.server], before))
        for row in measured.rows:
            add(*cells(row, samples, headings))
    if not (arguments.measurement or before or arguments.rounds):
        packages = ("httpx", "huaweicloudsdkmetastudio", "openapi-python-client")
        versions = [f"Python {platform.python_version()}", *(f"{package} {version(package)}" for package in packages)]
        machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
        made = "\n".join([f"{', '.join(versions)}, {machine}.", "", *lines, ""])
        PAGE.write_text(re.sub(r"^Python .*\n\n(\|.*\n)+", made, PAGE.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


if __name__ == "__main__":
    main()
