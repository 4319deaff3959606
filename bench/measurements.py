"""What is measured, one function each. `MEASUREMENTS` has them in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bench.prepare import Prepared
from bench.processes import run, workers
from bench.samples import Row, Samples, Target, interleave, rows

MILLISECONDS = {"cpu": ("ms", 1e3), "wall": ("ms", 1e3)}
MICROSECONDS = {"cpu": ("µs", 1e6), "wall": ("µs", 1e6)}
SECONDS = {"wall": ("s", 1.0), "cpu": ("s", 1.0)}

LATENCIES = [0.0, 0.02, 0.05]

_IMPORTS = {
    "ours": "from metastudio import MetaStudio",
    "ours_cli": "from metastudio import MetaStudio",
    "vendor": "from huaweicloudsdkmetastudio.v1 import MetaStudioClient, List2dModelTrainingJobRequest",
    "plain": "from plain_client import Client; from plain_client.api.training_jobs import list_training_jobs",
    "alone": "import httpx, attrs",
    "bare": "import socket, json",
}

Urls = Mapping[str, str]


def imports(prepared: Prepared, urls: Urls) -> list[Row]:
    """import: from nothing to the classes that a user names; net of the interpreter itself."""
    measure = {peer: partial(run, prepared.sites[peer], code) for peer, code in _IMPORTS.items()}
    measure["nothing"] = partial(run, prepared.sites["bare"], "")
    for each in measure.values():
        each()  # compiles
    taken = interleave(12, measure)
    target = {"cpu": [Target(0.30)]}
    return [
        *rows("import", taken, MILLISECONDS, net_of="nothing", targets=target),
        *rows("import beside the command line", taken, {"cpu": ("ms", 1e3)}, ours="ours_cli", net_of="nothing"),
    ]


def first_call(prepared: Prepared, urls: Urls) -> list[Row]:
    """first: a process from its start to its end, with one https call; a trust store of the usual size."""
    code = "from peers.{} import Peer; Peer(*sys.argv[1:]).calls([0], 10)"
    peers = ("ours", "ours_async", "vendor", "plain", "alone", "bare")
    measure = {peer: partial(run, prepared.sites[peer], code.format(peer), urls["tls"], prepared.ca) for peer in peers}
    for each in measure.values():
        each()
    taken = interleave(10, measure)
    return [
        *rows("first https call of a process", taken, MILLISECONDS, targets={"wall": [Target(0.38)]}),
        *rows("the same, asyncio", taken, {"wall": ("ms", 1e3)}, ours="ours_async"),
    ]


def calls(prepared: Prepared, urls: Urls) -> list[Row]:
    """calls: one signed call after another over a connection that is open."""
    found: list[Row] = []
    with workers(prepared, urls["0"], "ours", "ours_async", "vendor", "plain", "alone", "bare") as peers:
        for limit, count in ((10, 60), (100, 40), (1000, 6)):
            measure = {name: partial(worker.ask, "calls", count=count, limit=limit) for name, worker in peers.items()}
            interleave(1, measure)
            taken = interleave(15, measure)
            targets = {"cpu": [Target(0.40), Target(0.30)]} if limit == 100 else {}
            title = f"a signed call, page of {limit}"
            found += rows(title, taken, MICROSECONDS, targets=targets)
            found += rows(f"{title}, asyncio", taken, {"cpu": ("µs", 1e6)}, ours="ours_async")
    return found


def signing(prepared: Prepared, urls: Urls) -> list[Row]:
    """signing: of one request; its text alone, and as the client does it, headers of the request included."""
    found: list[Row] = []
    with workers(prepared, urls["0"], "ours", "vendor") as peers:
        for how, title, targets in (
            ("signer", "signing a request", [Target(0.12)]),
            ("client_signer", "signing a request as the client does", []),
        ):
            measure = {name: partial(worker.ask, "signing", count=1000, how=how) for name, worker in peers.items()}
            interleave(1, measure)
            taken = interleave(15, measure)
            found += rows(title, taken, {"cpu": ("µs", 1e6)}, targets={"cpu": targets})
    return found


def listing(prepared: Prepared, urls: Urls) -> list[Row]:
    """list: 10,000 jobs in pages of 100, at each latency of the server."""
    found: list[Row] = []
    for latency in LATENCIES:
        with workers(prepared, urls[f"{latency:g}"], "ours", "ours_async", "vendor", "plain", "bare") as peers:
            measure: dict[str, Callable[[], dict[str, float]]] = {}
            for name, concurrency in (
                ("bare", 16), ("ours", 16), ("ours_async", 16), ("vendor", 1), ("plain", 1), ("ours", None),
                ("ours_async", None),
            ):  # fmt: skip
                key = name if concurrency else f"{name} default"
                measure[key] = partial(peers[name].ask, "everything", page_size=100, concurrency=concurrency)
            for worker in peers.values():
                worker.ask("calls", count=5, limit=100)
            quick = {name: each for name, each in measure.items() if name not in ("vendor", "plain")}
            taken = _joined(*(interleave(1, each) for each in (measure, quick, measure, quick, measure, quick)))
        title = f"10,000 jobs at {latency * 1000:g} ms"
        targets = {"wall": [Target(0.09), Target(1.3, "bare")]} if latency == LATENCIES[-1] else {}
        wall = {"wall": SECONDS["wall"]}
        found += rows(f"{title}, 16 in flight", taken, SECONDS, targets=targets)
        found += rows(f"{title}, 16 in flight, asyncio", taken, SECONDS, ours="ours_async", targets=targets)
        found += rows(f"{title}, default concurrency", taken, wall, ours="ours default")
        found += rows(f"{title}, default concurrency, asyncio", taken, wall, ours="ours_async default")
    return found


def memory(prepared: Prepared, urls: Urls) -> list[Row]:
    """memory: of each of 100,000 jobs held, and by how much a process grows while it iterates 100,000."""

    def fresh(peer: str, name: str, **arguments: int) -> dict[str, float]:
        with workers(prepared, urls["many"], peer) as found:
            return found[peer].ask(name, **arguments)

    held = interleave(2, {peer: partial(fresh, peer, "hold") for peer in ("ours", "vendor", "plain")})
    grown = interleave(3, {peer: partial(fresh, peer, "growth", page_size=100) for peer in ("ours", "ours_async")})
    growth = {"bytes": ("MiB", 1 / 2**20)}
    limit = {"bytes": [Target(5, None)]}
    return [
        *rows("memory of a job held", held, {"bytes": ("B", 1.0)}, targets={"bytes": [Target(0.75)]}),
        *rows("growth while iterating 100,000 jobs", grown, growth, targets=limit),
        *rows("the same, asyncio", grown, growth, ours="ours_async", targets=limit),
    ]


def capacity(prepared: Prepared, urls: Urls) -> list[Row]:
    """server: what it can do at most, asked by bare connections, and what the fastest client asks of it."""
    with workers(prepared, urls["0"], "ours", "bare") as peers:
        measure = {
            "bare": partial(peers["bare"].ask, "capacity", count=100, limit=100),
            "ours": partial(peers["ours"].ask, "everything", page_size=100, concurrency=16),
        }
        interleave(2, measure)
        taken = interleave(8, measure)
    return [
        Row(
            "pages of 100 a second, 16 in flight",
            "1/s",
            [100 / each["wall"] for each in taken["ours"]],
            {"bare": [1 / each["wall"] for each in taken["bare"]]},
        )
    ]


def _joined(*parts: Samples) -> Samples:
    whole: Samples = {}
    for part in parts:
        for name, taken in part.items():
            whole.setdefault(name, []).extend(taken)
    return whole


MEASUREMENTS: dict[str, Callable[[Prepared, Urls], list[Row]]] = {
    "import": imports,
    "first": first_call,
    "calls": calls,
    "signing": signing,
    "list": listing,
    "memory": memory,
    "server": capacity,
}
