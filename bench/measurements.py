"""The measurements, one function each. `MEASUREMENTS` lists them in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bench.prepare import Prepared
from bench.processes import run, workers
from bench.samples import Samples, interleave
from bench.table import BenchmarkRow, Goal, rows

# Quantities: the unit, and the factor to it from seconds.
CPU_MS, WALL_MS = {"cpu": ("ms", 1e3)}, {"wall": ("ms", 1e3)}
CPU_US, WALL_US = {"cpu": ("µs", 1e6)}, {"wall": ("µs", 1e6)}
CPU_S, WALL_S = {"cpu": ("s", 1.0)}, {"wall": ("s", 1.0)}

LATENCIES = [0.0, 0.02, 0.05]
"""Seconds that the server waits before it responds."""

_IMPORTS = {
    "ours": "from metastudio import MetaStudio",
    "ours_cli": "from metastudio import MetaStudio",
    "vendor": "from huaweicloudsdkmetastudio.v1 import MetaStudioClient, List2dModelTrainingJobRequest",
    "plain": "from plain_client import Client; from plain_client.api.training_jobs import list_training_jobs",
    "alone": "import httpx",
    "alone_cli": "import httpx",
    "bare": "import socket, json",
}
_ASYNC = {"ours": "ours_async", "alone": "alone_async"}
_ALL = ("ours", "ours_async", "vendor", "plain", "alone", "alone_async", "bare")

Urls = Mapping[str, str]


def imports(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Import the classes that a user names, net of the start of the interpreter."""
    measure = {peer: partial(run, prepared.sites[peer], code) for peer, code in _IMPORTS.items()}
    measure["nothing"] = partial(run, prepared.sites["bare"], "")
    interleave(1, measure)  # writes the bytecode
    taken = interleave(12, measure)
    goals = {"cpu": [Goal(0.30), Goal(1.25, "alone")]}
    beside = {"ours": "ours_cli", "alone": "alone_cli"}
    return [
        *rows("import", taken, CPU_MS | WALL_MS, net_of="nothing", goals=goals),
        *rows("import beside the command line", taken, CPU_MS, net_of="nothing", names=beside),
    ]


def first_call(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Run a process with one https call from its start to its end; a trust store of the usual size."""
    code = "from peers.{} import connect; connect(*sys.argv[1:]).calls([0], 10)"
    measure = {peer: partial(run, prepared.sites[peer], code.format(peer), urls["tls"], prepared.ca) for peer in _ALL}
    interleave(1, measure)
    taken = interleave(10, measure)
    goals = {"wall": [Goal(0.38), Goal(1.20, "alone")]}
    return [
        *rows("first https call of a process", taken, CPU_MS | WALL_MS, goals=goals),
        *rows("the same, asyncio", taken, WALL_MS, names=_ASYNC),
    ]


def calls(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Make one signed call after another over an open connection."""
    found: list[BenchmarkRow] = []
    with workers(prepared, urls["0"], *_ALL) as peers:
        for limit, count, goals in (
            (10, 60, [Goal(1.10, "alone")]),
            (100, 40, [Goal(0.40), Goal(0.30), Goal(1.40, "alone")]),
            (1000, 6, [Goal(1.70, "alone")]),
        ):
            measure = {name: partial(worker.ask, "calls", count=count, limit=limit) for name, worker in peers.items()}
            interleave(1, measure)
            taken = interleave(15, measure)
            title = f"a signed call, page of {limit}"
            found += rows(title, taken, CPU_US | WALL_US, goals={"cpu": goals})
            found += rows(f"{title}, asyncio", taken, CPU_US, names=_ASYNC)
    return found


def signing(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Sign a request: the text of the signature alone, and as the client does it, headers included."""
    found: list[BenchmarkRow] = []
    with workers(prepared, urls["0"], "ours", "vendor") as peers:
        for how, title, goals in (
            ("signer", "signing a request", [Goal(0.12)]),
            ("client_signer", "signing a request as the client does", []),
        ):
            measure = {name: partial(worker.ask, "signing", count=1000, how=how) for name, worker in peers.items()}
            interleave(1, measure)
            taken = interleave(15, measure)
            found += rows(title, taken, CPU_US, goals={"cpu": goals})
    return found


def listing(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Read 10,000 jobs in pages of 100, at each latency of the server, with 1, 8 and 16 requests in flight."""
    found: list[BenchmarkRow] = []
    everyone = ("bare", "ours", "ours_async", "vendor", "plain", "alone")
    for latency in LATENCIES:
        with workers(prepared, urls[f"{latency:g}"], *everyone) as peers:

            def reading(name: str, concurrency: int | None) -> Callable[[], dict[str, float]]:
                return partial(peers[name].ask, "everything", page_size=100, concurrency=concurrency)

            one = {f"{name} 1": reading(name, 1) for name in everyone}
            many = {f"{name} 8": reading(name, None if name.startswith("ours") else 8) for name in everyone}
            many |= {f"{name} 16": reading(name, 16) for name in ("bare", "ours", "ours_async")}
            for worker in peers.values():
                worker.ask("calls", count=5, limit=100)
            taken = _joined(*(interleave(1, each) for each in (one, many, many) * 3))
        title = f"10,000 jobs at {latency * 1000:g} ms"
        goals = {"wall": [Goal(1.3, "bare")]} if latency == LATENCIES[-1] else {}
        for in_flight, count, quantities in (
            ("one in flight", 1, WALL_S),
            ("default concurrency", 8, WALL_S),
            ("16 in flight", 16, WALL_S | CPU_S),
        ):
            names = {name: f"{name} {count}" for name in everyone}
            asyncio_names = names | {"ours": names["ours_async"], "alone": ""}
            limits = goals if count == 16 else {}
            found += rows(f"{title}, {in_flight}", taken, quantities, goals=limits, names=names)
            found += rows(f"{title}, {in_flight}, asyncio", taken, quantities, goals=limits, names=asyncio_names)
    return found


def memory(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Hold 100,000 jobs in memory; and the growth of a process while it iterates 100,000."""

    def fresh(peer: str, name: str, **arguments: int) -> dict[str, float]:
        with workers(prepared, urls["many"], peer) as found:
            return found[peer].ask(name, **arguments)

    held = interleave(2, {peer: partial(fresh, peer, "hold") for peer in ("ours", "vendor", "plain")})
    grown = interleave(3, {peer: partial(fresh, peer, "growth", page_size=100) for peer in ("ours", "ours_async")})
    growth = {"bytes": ("MiB", 1 / 2**20)}
    goals = {"bytes": [Goal(5, None)]}
    return [
        *rows("memory of a job held", held, {"bytes": ("B", 1.0)}, goals={"bytes": [Goal(0.75)]}),
        *rows("growth while iterating 100,000 jobs", grown, growth, goals=goals),
        *rows("the same, asyncio", grown, growth, goals=goals, names={"ours": "ours_async"}),
    ]


def capacity(prepared: Prepared, urls: Urls) -> list[BenchmarkRow]:
    """Find the most that the server can do, with bare connections, beside what this client requests of it."""
    with workers(prepared, urls["0"], "ours", "bare") as peers:
        measure = {
            "bare": partial(peers["bare"].ask, "capacity", count=100, limit=100),
            "ours": partial(peers["ours"].ask, "everything", page_size=100, concurrency=16),
        }
        interleave(2, measure)
        taken = interleave(8, measure)
    ours = [100 / each["wall"] for each in taken["ours"]]
    return [
        BenchmarkRow(
            "pages of 100 a second, 16 in flight", "1/s", ours, {"bare": [1 / each["wall"] for each in taken["bare"]]}
        )
    ]


def _joined(*parts: Samples) -> Samples:
    whole: Samples = {}
    for part in parts:
        for name, taken in part.items():
            whole.setdefault(name, []).extend(taken)
    return whole


MEASUREMENTS: dict[str, Callable[[Prepared, Urls], list[BenchmarkRow]]] = {
    "import": imports,
    "first": first_call,
    "calls": calls,
    "signing": signing,
    "list": listing,
    "memory": memory,
    "server": capacity,
}
