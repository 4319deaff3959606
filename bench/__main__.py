"""The command ./bench/run: measures each client in turn, every sample in a process of its own, and writes the table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import site
import statistics
import string
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER, TEMPLATE, PAGE = ROOT / ".cache" / "bench", ROOT / "bench" / "page.md", ROOT / "docs" / "benchmarks.md"
COLUMNS = {
    "ours": "this client",
    "vendor": "vendor's SDK",
    "plain": "plain generated",
    "alone": "httpx alone",
    "bare": "bare sockets",
}
OVER = {"vendor": "of the vendor's", "alone": "of httpx alone", "bare": "of bare sockets"}
EVERYONE = ("bare", "ours", "ours_async", "vendor", "plain", "alone")
ASYNC = {"ours": "ours_async", "alone": "alone_async"}
COMMAND_LINE = ("click", "rich", "pygments")
IMPORTS = {
    "ours": "from metastudio import MetaStudio",
    "vendor": "from huaweicloudsdkmetastudio.v1 import MetaStudioClient, List2dModelTrainingJobRequest",
    "plain": "from plain_client import Client; from plain_client.api.training_jobs import list_training_jobs",
    "alone": "import httpx",
    "bare": "import socket, json",
}
SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6, "B": 1.0, "MiB": 2.0**-20}
LATENCIES = ("0", "0.02", "0.05")
Samples = dict[str, list[dict[str, float]]]
Goal = tuple[float, str]
"""An upper limit of the ratio of our median to that of a column, or of our median itself if the column is ""."""


class Bench:
    """The measurements, one method each, which add rows to the table.

    Args:
        urls: URLs of the server.
        before: Another checkout, to measure in the place of the vendor's SDK; None for the vendor's SDK.
        rounds: Number of samples of each figure; None for the usual ones.
    """

    def __init__(self, urls: Mapping[str, str], before: Path | None, rounds: int | None) -> None:
        self.urls, self.before, self.rounds = urls, before, rounds
        self.rows: list[list[str]] = []

    def imports(self) -> None:
        """Import the classes that a user names, net of the start of the interpreter."""
        imports = IMPORTS | ({"vendor": IMPORTS["ours"]} if self.before else {})
        tasks = {name: partial(self.process, name, code) for name, code in imports.items()}
        tasks |= {f"{name}_cli": partial(self.process, name, IMPORTS[name], cli=True) for name in ("ours", "alone")}
        taken = self.interleave(12, tasks | {"nothing": partial(self.process, "bare", "")})
        start = taken.pop("nothing")
        for quantity in ("cpu", "wall"):
            base = statistics.median(each[quantity] for each in start)
            taken = {name: [{**each, quantity: each[quantity] - base} for each in taken[name]] for name in taken}
        self.add("import, CPU", "ms", "cpu", taken, goals=[(0.30, "vendor"), (1.25, "alone")])
        self.add("import, wall", "ms", "wall", taken)
        names = {"ours": "ours_cli", "alone": "alone_cli"}
        self.add("import beside the command line", "ms", "cpu", taken, names)

    def first(self) -> None:
        """Run a process with one https call from its start to its end; a trust store of the usual size."""
        taken = self.sample(10, (*EVERYONE, "alone_async"), "first", url=self.urls["tls"], ca=str(FOLDER / "ca.pem"))
        title, goals = "first https call of a process", [(0.38, "vendor"), (1.20, "alone")]
        self.add(f"{title}, CPU", "ms", "cpu", taken)
        self.add(f"{title}, wall", "ms", "wall", taken, goals=goals)
        self.add("the same, asyncio", "ms", "wall", taken, ASYNC)

    def calls(self) -> None:
        """Make one signed call after another over an open connection."""
        goals = {
            10: [(1.10, "alone")],
            100: [(0.40, "vendor"), (0.30, "vendor"), (1.40, "alone")],
            1000: [(1.7, "alone")],
        }
        for limit, count in ((10, 60), (100, 40), (1000, 6)):
            given = {"url": self.urls["0"], "count": count, "limit": limit}
            taken = self.sample(11, (*EVERYONE, "alone_async"), "calls", **given)
            self.add(f"a signed call, page of {limit}, CPU", "µs", "cpu", taken, goals=goals[limit])
            self.add(f"a signed call, page of {limit}, wall", "µs", "wall", taken)
            self.add(f"a signed call, page of {limit}, asyncio", "µs", "cpu", taken, ASYNC)

    def signing(self) -> None:
        """Sign a request: the text of the signature alone, and as the client does it, headers included."""
        for how, title, goals in (("signer", "", [(0.12, "vendor")]), ("client_signer", " as the client does", [])):
            taken = self.sample(15, ("ours", "vendor"), "signing", how=how)
            self.add(f"signing a request{title}", "µs", "cpu", taken, goals=goals)

    def list(self) -> None:
        """Read 10,000 jobs in pages of 100, at each latency of the server, with 1, 8 and 16 requests in flight."""
        for latency in LATENCIES:
            taken: dict[int, Samples] = {}
            for flight, names in ((1, EVERYONE), (8, EVERYONE), (16, ("bare", "ours", "ours_async"))):
                tasks = {
                    name: self.task(name, "everything", url=self.urls[latency], concurrency=chosen)
                    for name in names
                    for chosen in (None if flight == 8 and name.startswith("ours") else flight,)
                }
                taken[flight] = self.interleave(3 if flight == 1 else 6, tasks)
            title, limits = f"10,000 jobs at {float(latency) * 1000:g} ms", [(1.3, "bare")] if latency == "0.05" else []
            for flight, words in ((1, "one in flight"), (8, "default concurrency"), (16, "16 in flight")):
                for names, kind in (({}, ""), ({"ours": "ours_async", "alone": ""}, ", asyncio")):
                    row = f"{title}, {words}{kind}"
                    goals = limits if flight == 16 else []
                    self.add(row if flight < 16 else f"{row}, wall", "s", "wall", taken[flight], names, goals)
                    if flight == 16:
                        self.add(f"{row}, CPU", "s", "cpu", taken[flight], names)

    def memory(self) -> None:
        """Hold 100,000 jobs in memory; and the growth of a process while it iterates 100,000."""
        held = self.sample(2, ("ours", "vendor", "plain"), "hold", url=self.urls["many"])
        grown = self.sample(3, ("ours", "ours_async"), "growth", url=self.urls["many"])
        self.add("memory of a job held", "B", "bytes", held, goals=[(0.75, "vendor")])
        self.add("growth while iterating 100,000 jobs", "MiB", "bytes", grown, goals=[(5, "")])
        self.add("the same, asyncio", "MiB", "bytes", grown, ASYNC, goals=[(5, "")])

    def server(self) -> None:
        """Find the most that the server can do, with bare connections, beside what this client requests of it."""
        taken = self.sample(8, ("ours", "bare"), "everything", url=self.urls["0"], concurrency=16)
        rates = {name: [{"rate": 100 / each["wall"]} for each in each_taken] for name, each_taken in taken.items()}
        self.add("pages of 100 a second, 16 in flight", "1/s", "rate", rates)

    def sample(self, rounds: int, names: Sequence[str], task: str, **given: Any) -> Samples:
        return self.interleave(rounds, {name: self.task(name, task, **given) for name in names})

    def task(self, name: str, task: str, **given: Any) -> Callable[[], dict[str, float]]:
        """Return a function that runs a function of `bench/peers.py` for a client in a new process."""
        peer = "ours" if self.before and name == "vendor" else name
        return partial(self.process, name, f"import peers; peers.run({task!r}, {peer!r}, **{given!r})")

    def interleave(self, rounds: int, tasks: Mapping[str, Callable[[], dict[str, float]]]) -> Samples:
        """Measure each in turn, in reverse order every other time, so that a disturbance affects all."""
        samples: Samples = {name: [] for name in tasks}
        for number in range(self.rounds or rounds):
            for name in list(tasks)[:: 1 if number % 2 else -1]:
                samples[name].append(tasks[name]())
        return samples

    def process(self, name: str, code: str, *, cli: bool = False) -> dict[str, float]:
        """Run code in a new interpreter that has the dependencies of one client only.

        Returns:
            What the code prints, else the seconds of CPU and wall time from the start of the process to its end.
        """
        own = [ROOT / "overlays", ROOT / "generated"]
        if self.before and name == "vendor":
            own = [self.before / "overlays", self.before / "generated"]
        paths = [*map(str, own if name != "bare" else ()), str(FOLDER), str(ROOT / "bench"), *site.getsitepackages()]
        # What other packages need: httpx imports its command line if click, rich and pygments are installed.
        hidden = [
            *(() if cli else COMMAND_LINE),
            *(() if name.startswith(("ours", "plain", "vendor")) else ("sniffio",)),
        ]
        start = f"import sys; sys.path[:0] = {paths}; sys.modules.update(dict.fromkeys({hidden}))\n"
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", start + code], stdout=subprocess.PIPE)
        assert child.stdout
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"failed: {code}")
        return json.loads(printed) if printed else {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall}

    def add(
        self,
        what: str,
        unit: str,
        quantity: str,
        taken: Samples,
        names: Mapping[str, str] | None = None,
        goals: Sequence[Goal] = (),
    ) -> None:
        """Add a row. `names` are the samples of the columns that have others than those of their name."""
        keys = {column: (names or {}).get(column, column) for column in COLUMNS}
        scale = SCALES.get(unit, 1.0)
        found = {column: [each[quantity] * scale for each in taken.get(key, ())] for column, key in keys.items()}
        medians = {column: statistics.median(values) for column, values in found.items() if values}
        ratios = {column: medians["ours"] / median for column, median in medians.items()} | {"": medians["ours"]}
        verdicts: list[str] = []
        for limit, over in () if self.before else goals:
            met = "met" if ratios[over] <= limit else "**not met**"
            verdicts.append(f"≤ {limit:g} {OVER.get(over, unit)}: {ratios[over]:.3g}, {met}")
        cells = [f"{ratios[over]:.2f}" if over in medians else "" for over in ("vendor", "alone")]
        self.rows.append([what, unit, *map(spread, found.values()), *cells, "; ".join(verdicts)])

    def table(self) -> str:
        columns = COLUMNS | {"vendor": "before"} if self.before else COLUMNS
        ratios = ["of before" if self.before else OVER["vendor"], OVER["alone"]]
        head = ["what", "unit", *columns.values(), *ratios, "goal"]
        rule = ["---", "---", *["---:"] * (len(head) - 3), "---"]
        return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *self.rows))


def spread(values: Sequence[float]) -> str:
    """Format the median and the quartiles."""
    if not values:
        return ""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
    digits = next((digits for digits, least in enumerate((100, 10, 1)) if middle >= least), 3)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def generate_plain() -> None:
    """Generate a client from our contract with the stock templates and settings."""
    shutil.rmtree(FOLDER / "plain_client", ignore_errors=True)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--overwrite"]
    paths = ["--path", str(ROOT / "openapi.yaml"), "--output-path", str(FOLDER / "plain_client")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run([*command, *paths], check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PATH": path})


def main() -> None:
    """Run the chosen measurements and print them; all of them also write docs/benchmarks.md."""
    measurements = ("imports", "first", "calls", "signing", "list", "memory", "server")
    parser = argparse.ArgumentParser(
        prog="./bench/run",
        description="Measure this client beside the vendor's SDK, plain generated code and httpx alone.",
        epilog="\n".join(f"{name}: {getattr(Bench, name).__doc__}" for name in measurements),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("measurement", nargs="*", choices=[*measurements, []], help="all by default")
    parser.add_argument("--before", type=Path, help="another checkout, measured instead of the vendor's SDK")
    parser.add_argument("--rounds", type=int, help="number of samples of each figure")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    generate_plain()
    command = [sys.executable, str(ROOT / "bench" / "server.py"), str(FOLDER), *LATENCIES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        bench = Bench(json.loads(server.stdout.readline()), arguments.before, arguments.rounds)
        for name, code in IMPORTS.items():
            bench.process(name, code)  # writes the bytecode
        for name in arguments.measurement or measurements:
            started = time.perf_counter()
            getattr(bench, name)()
            print(f"{name}: measured in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        server.communicate()
    print(bench.table())
    if not arguments.measurement and not arguments.before and not arguments.rounds:
        values = {
            "vendor": version("huaweicloudsdkmetastudio"),
            "generator": version("openapi-python-client"),
            "python": platform.python_version(),
            "httpx": version("httpx"),
            "cores": os.cpu_count(),
            "load": f"{os.getloadavg()[0]:.1f}",
            "table": bench.table(),
        }
        PAGE.write_text(string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: written", file=sys.stderr)


if __name__ == "__main__":
    main()
