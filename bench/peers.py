"""The clients that are compared, and what is measured of them. Each sample is taken in a process of its own.

A client imports its library where it is made, so that the process has nothing but the client's own dependencies.
"""

from __future__ import annotations

import collections
import gc
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain, cycle, islice, repeat
from types import SimpleNamespace

TYPE_CHECKING = False  # bare sockets do not import typing
if TYPE_CHECKING:
    from typing import Any

PROJECT = "0123456789abcdef0123456789abcdef"
PATH = f"/v1/{PROJECT}/digital-human-training-manage/user/jobs"
HOST = "metastudio.cn-north-4.myhuaweicloud.com"
KEYS = ("BENCHBENCHBENCHBENCH", "not-a-secret-not-a-secret-not-a-secret-0")


def tls(ca: str) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca)


class Peer:
    """A client whose `list` requests one page. It has no paging: its users write a loop over the offset."""

    list: Callable[..., Any]

    def jobs(self, concurrency: int) -> Any:
        """Yield all jobs, read in pages of 100, with above one in flight in so many threads."""
        from concurrent.futures import ThreadPoolExecutor

        first = self.list(offset=0, limit=100)
        with ThreadPoolExecutor(concurrency) as threads:
            run = map if concurrency == 1 else threads.map
            pages = run(lambda offset: self.list(offset=offset, limit=100).jobs, range(100, first.count, 100))
            yield from chain(first.jobs, chain.from_iterable(pages))

    def calls(self, offsets: Iterable[int], limit: int) -> None:
        for offset in offsets:
            self.list(offset=offset, limit=limit)

    def everything(self, concurrency: int, seen: Callable[[Any], object]) -> None:
        collections.deque(map(seen, self.jobs(concurrency)), 0)


class AsyncPeer(Peer):
    """The asyncio face of a client: what `list` and `jobs` return is asynchronous."""

    @cached_property
    def run(self) -> Callable[..., object]:
        import asyncio

        return asyncio.Runner().run

    def calls(self, offsets: Iterable[int], limit: int) -> None:
        async def calls() -> None:
            for offset in offsets:
                await self.list(offset=offset, limit=limit)

        self.run(calls())

    def everything(self, concurrency: int, seen: Callable[[Any], object]) -> None:
        async def everything() -> None:
            async for job in self.jobs(concurrency):
                seen(job)

        self.run(everything())


class Ours(Peer):
    face = "MetaStudio"

    def __init__(self, url: str, ca: str) -> None:
        import metastudio

        credentials = metastudio.Credentials(*KEYS)
        studio = getattr(metastudio, self.face)(base_url=url, project_id=PROJECT, credentials=credentials, verify=ca)
        self.list, self.iterate = studio.training_jobs.list, studio.training_jobs.iterate

    def jobs(self, concurrency: int) -> Any:
        return self.iterate(page_size=100, concurrency=concurrency)

    def signer(self) -> Callable[[int], object]:
        """Compute the Authorization header from the parts of a request."""
        from datetime import UTC, datetime

        from metastudio.auth import signature
        from metastudio.http.url import normalize_query

        sign = signature.keyed_signature(KEYS[1])

        def signed(number: int) -> str:
            date = signature.format_date(datetime.now(UTC))
            headers = {"host": HOST, "x-project-id": PROJECT, "x-sdk-date": date}
            query = normalize_query(f"limit=100&offset={number}")
            text = signature.string_to_sign(date, signature.canonical_request("GET", PATH, query, headers))
            return signature.authorization(KEYS[0], signature.signed_headers(headers), sign(text))

        return signed

    def client_signer(self) -> Callable[[int], object]:
        """Sign a request as httpx does, headers included."""
        import httpx
        from metastudio import AkSkAuth

        auth = AkSkAuth(*KEYS, project_id=PROJECT)
        client = httpx.Client(base_url=f"https://{HOST}")
        requests = [client.build_request("GET", f"{PATH}?limit=100&offset={number}") for number in range(1000)]
        return lambda number: next(auth.sync_auth_flow(requests[number]))


class OursAsync(AsyncPeer, Ours):
    face = "AsyncMetaStudio"


class Vendor(Peer):
    def __init__(self, url: str, ca: str) -> None:
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkcore.http.http_config import HttpConfig
        from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient

        sdk: Any = MetaStudioClient  # pyright takes its class methods for methods
        builder = sdk.new_builder().with_http_config(HttpConfig(ssl_ca_cert=ca))
        self.client = builder.with_credentials(BasicCredentials(*KEYS, PROJECT)).with_endpoint(url).build()
        self.list = lambda **page: self.client.list2d_model_training_job(List2dModelTrainingJobRequest(**page))

    def signer(self) -> Callable[[int], object]:
        from huaweicloudsdkcore.signer.signer import Signer

        signer = Signer(self.client.get_credentials())
        return lambda number: signer.sign(self.request(number))

    def client_signer(self) -> Callable[[int], object]:
        """Sign as the SDK's client does: in a thread pool, with a new signer."""
        credentials, http_client = self.client.get_credentials(), self.client.get_http_client()
        return lambda number: credentials.process_auth_request(self.request(number), http_client).result()

    def request(self, number: int) -> Any:
        from huaweicloudsdkcore.sdk_request import SdkRequest

        query: list[tuple[str, object]] = [("limit", 100), ("offset", number)]
        return SdkRequest("GET", "https", HOST, PATH, "", query, {"X-Project-Id": PROJECT})


class Plain(Peer):
    """Stock output of openapi-python-client for the same contract. It cannot sign, so it uses our signature."""

    def __init__(self, url: str, ca: str) -> None:
        import httpx
        from metastudio import AkSkAuth
        from plain_client import Client  # pyright: ignore[reportMissingImports] - generated by ./bench/run
        from plain_client.api.training_jobs import list_training_jobs  # pyright: ignore[reportMissingImports]

        auth = {"auth": AkSkAuth(*KEYS, project_id=PROJECT)}
        client = Client(url, verify_ssl=tls(ca), timeout=httpx.Timeout(30), httpx_args=auth)
        self.list = lambda **page: list_training_jobs.sync(PROJECT, client=client, **page)


class Alone(Peer):
    """httpx alone: unsigned, bodies decoded with `json()`."""

    face = "Client"

    def __init__(self, url: str, ca: str) -> None:
        import httpx

        self.client = getattr(httpx, self.face)(base_url=url, verify=tls(ca))

    def list(self, **page: int) -> Any:
        return SimpleNamespace(**self.client.get(PATH, params=page).json())


class AloneAsync(AsyncPeer, Alone):
    face = "AsyncClient"

    async def list(self, **page: int) -> Any:
        return (await self.client.get(PATH, params=page)).json()


class Bare(Peer):
    """Bare sockets. Requests look like the signed ones of the others; responses are read but not decoded."""

    request = (
        f"GET {PATH}?limit=%d&offset=%d HTTP/1.1\r\nHost: {HOST}\r\nX-Project-Id: {PROJECT}\r\n"
        "X-Sdk-Date: 20251101T000000Z\r\nAuthorization: SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, "
        f"Signature={'0' * 64}\r\n\r\n"
    ).encode()

    def __init__(self, url: str, ca: str) -> None:
        (self.scheme, self.host, self.port), self.ca = url.replace("//", "").split(":"), ca
        self.connection = self.connect()

    def connect(self) -> Any:
        import socket

        made = socket.create_connection((self.host, int(self.port)))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls(self.ca).wrap_socket(made, server_hostname=self.host) if self.scheme == "https" else made

    def receive(self, connection: Any) -> None:
        head, _, body = connection.recv(262_144).partition(b"\r\n\r\n")
        missing = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]) - len(body)
        while missing:
            missing -= len(connection.recv(262_144))

    def list(self, offset: int, limit: int) -> None:
        self.connection.sendall(self.request % (limit, offset))
        self.receive(self.connection)

    def jobs(self, concurrency: int) -> Any:
        """Request 10,000 jobs, a number known beforehand, over so many connections in turn."""
        connections = [self.connect() for _ in range(concurrency)]
        for number, connection in enumerate(islice(cycle(connections), 100 + concurrency)):
            if number >= concurrency:
                self.receive(connection)
                yield from repeat(None, 100)
            if number < 100:
                connection.sendall(self.request % (100, number * 100))


def first(client: Peer) -> None:
    """One https call."""
    client.calls([0], 10)


def calls(client: Peer, count: int, limit: int) -> dict[str, float]:
    """Return the seconds of one call: the mean of `count` consecutive calls for different pages."""
    client.calls([0, limit], limit)
    return timed(lambda: client.calls([number * limit % 10_000 for number in range(count)], limit), count)


def everything(client: Peer, concurrency: int) -> dict[str, float]:
    """Return the seconds of reading 10,000 jobs, and the pages a second."""
    jobs: list[object] = []
    client.calls([0] * 5, 100)
    taken = timed(lambda: client.everything(concurrency, jobs.append), 1)
    assert len(jobs) == 10_000, f"{len(jobs)} of 10,000 jobs"
    return taken | {"rate": 100 / taken["wall"]}


def signing(client: Ours | Vendor) -> dict[str, float]:
    """Return the seconds of CPU of signing a request, in each of two ways: the mean of 1,000."""

    def seconds(sign: Callable[[int], object]) -> float:
        sign(0)
        return timed(lambda: [sign(number) for number in range(1000)], 1000)["cpu"]

    return {"signer": seconds(client.signer()), "client_signer": seconds(client.client_signer())}


def hold(client: Peer) -> dict[str, float]:
    """Return the bytes that one job takes in memory: the mean of 100,000."""
    client.calls([0], 1000)
    before = resident()
    held = [client.list(offset=offset, limit=1000).jobs for offset in range(0, 100_000, 1000)]
    return {"bytes": (resident() - before) / sum(map(len, held))}


def growth(client: Peer) -> dict[str, float]:
    """Return the bytes by which the process grows, at most, from one call to iterating 100,000 jobs."""
    sizes, number = list[int](), iter(range(100_000))
    client.calls([0], 100)
    before = resident()

    def seen(_: object) -> None:
        if next(number) % 10_000 == 0:
            sizes.append(resident(collect=False))

    client.everything(8, seen)
    return {"bytes": max(sizes) - before}


def timed(work: Callable[[], object], count: int) -> dict[str, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {"cpu": (time.process_time() - cpu) / count, "wall": (time.perf_counter() - wall) / count}


def resident(*, collect: bool = True) -> int:
    if collect:
        gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
