"""The clients that are compared, and what is measured of them. Each sample is taken in a process of its own.

A client imports its library where it is made, so that the process has nothing but the client's own dependencies.
"""

from __future__ import annotations

import collections
import time
from itertools import chain

PROJECT = "0123456789abcdef0123456789abcdef"
PATH = f"/v1/{PROJECT}/digital-human-training-manage/user/jobs"
HOST = "metastudio.cn-north-4.myhuaweicloud.com"
KEYS = ("BENCHBENCHBENCHBENCH", "not-a-secret-not-a-secret-not-a-secret-0")


def tls(ca):
    import ssl

    return ssl.create_default_context(cafile=ca) if ca else True


class Peer:
    """A blocking client. `list` requests one page; `iterate` reads all, None for a client without paging."""

    iterate = None

    def page(self, offset, limit):
        """Return the total and the jobs of one page."""
        page = self.list(offset=offset, limit=limit)
        return page.count, page.jobs

    def calls(self, offsets, limit):
        for offset in offsets:
            self.page(offset, limit)

    def everything(self, size, concurrency, seen):
        """Read the list; without paging, in the loop over the offset that users write, above 1 in so many threads."""
        from concurrent.futures import ThreadPoolExecutor

        if self.iterate:
            jobs = self.iterate(page_size=size, **({"concurrency": concurrency} if concurrency else {}))
            return collections.deque(map(seen, jobs), 0)
        total, first = self.page(0, size)
        with ThreadPoolExecutor(concurrency) as threads:
            run = map if concurrency == 1 else threads.map
            pages = run(lambda offset: self.page(offset, size)[1], range(size, total, size))
            return collections.deque(map(seen, chain(first, chain.from_iterable(pages))), 0)


class AsyncPeer:
    """A client over asyncio: `list` and `iterate` are asynchronous."""

    def __init__(self):
        import asyncio

        self.run = asyncio.Runner().run

    def calls(self, offsets, limit):
        async def calls():
            for offset in offsets:
                await self.list(offset=offset, limit=limit)

        self.run(calls())

    def everything(self, size, concurrency, seen):
        async def everything():
            async for job in self.iterate(page_size=size, **({"concurrency": concurrency} if concurrency else {})):
                seen(job)

        self.run(everything())


class Ours(Peer):
    def __init__(self, url, ca=None):
        from metastudio import Credentials, MetaStudio

        studio = MetaStudio(base_url=url, project_id=PROJECT, credentials=Credentials(*KEYS), verify=ca or True)
        self.list, self.iterate = studio.training_jobs.list, studio.training_jobs.iterate

    def signer(self):
        """Compute the Authorization header from the parts of a request."""
        from datetime import UTC, datetime

        from metastudio.auth import signature
        from metastudio.http.url import normalize_query

        sign = signature.keyed_signature(KEYS[1])

        def signed(number):
            date = signature.format_date(datetime.now(UTC))
            headers = {"host": HOST, "x-project-id": PROJECT, "x-sdk-date": date}
            query = normalize_query(f"limit=100&offset={number}")
            text = signature.string_to_sign(date, signature.canonical_request("GET", PATH, query, headers))
            return signature.authorization(KEYS[0], signature.signed_headers(headers), sign(text))

        return signed

    def client_signer(self):
        """Sign a request as httpx does, headers included."""
        import httpx
        from metastudio import AkSkAuth

        auth = AkSkAuth(*KEYS, project_id=PROJECT)
        client = httpx.Client(base_url=f"https://{HOST}")
        requests = [client.build_request("GET", f"{PATH}?limit=100&offset={number}") for number in range(1000)]
        return lambda number: next(auth.sync_auth_flow(requests[number]))


class OursAsync(AsyncPeer):
    def __init__(self, url, ca=None):
        from metastudio import AsyncMetaStudio, Credentials

        super().__init__()
        studio = AsyncMetaStudio(base_url=url, project_id=PROJECT, credentials=Credentials(*KEYS), verify=ca or True)
        self.list, self.iterate = studio.training_jobs.list, studio.training_jobs.iterate


class Vendor(Peer):
    def __init__(self, url, ca=None):
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkcore.http.http_config import HttpConfig
        from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient

        config = HttpConfig.get_default_config()
        config.ssl_ca_cert = ca
        builder = MetaStudioClient.new_builder().with_http_config(config)
        self.client = builder.with_credentials(BasicCredentials(*KEYS, PROJECT)).with_endpoint(url).build()
        self.list = lambda **page: self.client.list2d_model_training_job(List2dModelTrainingJobRequest(**page))

    def signer(self):
        from huaweicloudsdkcore.signer.signer import Signer

        signer = Signer(self.client.get_credentials())
        return lambda number: signer.sign(self._request(number))

    def client_signer(self):
        """Sign as the SDK's client does: in a thread pool, with a new signer."""
        credentials, http_client = self.client.get_credentials(), self.client.get_http_client()
        return lambda number: credentials.process_auth_request(self._request(number), http_client).result()

    def _request(self, number):
        from huaweicloudsdkcore.sdk_request import SdkRequest

        query = [("limit", 100), ("offset", number)]
        return SdkRequest("GET", "https", HOST, PATH, None, query, {"X-Project-Id": PROJECT})


class Plain(Peer):
    """Stock output of openapi-python-client for the same contract. It cannot sign, so it uses our signature."""

    def __init__(self, url, ca=None):
        import httpx
        from metastudio import AkSkAuth
        from plain_client import Client
        from plain_client.api.training_jobs import list_training_jobs

        auth = {"auth": AkSkAuth(*KEYS, project_id=PROJECT)}
        client = Client(url, verify_ssl=tls(ca), timeout=httpx.Timeout(30), httpx_args=auth)
        self.list = lambda **page: list_training_jobs.sync(PROJECT, client=client, **page)


class Alone(Peer):
    """httpx alone: unsigned, bodies decoded with `json()`."""

    def __init__(self, url, ca=None):
        import httpx

        self.client = httpx.Client(base_url=url, verify=tls(ca))

    def page(self, offset, limit):
        page = self.client.get(PATH, params={"offset": offset, "limit": limit}).json()
        return page["count"], page["jobs"]


class AloneAsync(AsyncPeer):
    def __init__(self, url, ca=None):
        import httpx

        super().__init__()
        self.client = httpx.AsyncClient(base_url=url, verify=tls(ca))

    async def list(self, **page):
        return (await self.client.get(PATH, params=page)).json()


class Bare:
    """Bare sockets. Requests look like the signed ones of the others; responses are read but not decoded."""

    def __init__(self, url, ca=None):
        self.address, self.ca, self.open = url.rpartition("/")[2].split(":"), ca, []

    def connection(self):
        import socket

        made = socket.create_connection(self.address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls(self.ca).wrap_socket(made, server_hostname=self.address[0]) if self.ca else made

    def send(self, connection, offset, limit):
        signed = f"Authorization: SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}"
        line = f"GET {PATH}?limit={limit}&offset={offset} HTTP/1.1\r\nHost: {':'.join(self.address)}\r\n"
        connection.sendall(
            f"{line}X-Project-Id: {PROJECT}\r\nX-Sdk-Date: 20251101T000000Z\r\n{signed}\r\n\r\n".encode()
        )

    def receive(self, connection):
        head, _, body = connection.recv(262_144).partition(b"\r\n\r\n")
        missing = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]) - len(body)
        while missing:
            missing -= len(connection.recv(262_144))

    def calls(self, offsets, limit):
        self.open = self.open or [self.connection()]
        for offset in offsets:
            self.send(self.open[0], offset, limit)
            self.receive(self.open[0])

    def everything(self, size, concurrency, seen):
        """Request 10,000 jobs, a number known beforehand, over so many connections."""
        import selectors

        offsets = iter(range(0, 10_000, size))
        with selectors.DefaultSelector() as selector:
            for _ in range(concurrency):
                selector.register(connection := self.connection(), selectors.EVENT_READ)
                self.send(connection, next(offsets), size)
            while selector.get_map():
                for key, _ in selector.select():
                    self.receive(key.fileobj)
                    if (offset := next(offsets, None)) is None:
                        selector.unregister(key.fileobj)
                    else:
                        self.send(key.fileobj, offset, size)
        for _ in range(10_000):
            seen(None)


PEERS = {
    "ours": Ours,
    "ours_async": OursAsync,
    "vendor": Vendor,
    "plain": Plain,
    "alone": Alone,
    "alone_async": AloneAsync,
    "bare": Bare,
}


def run(task, *arguments, **given):
    """Run one of the functions below, and print what it returns."""
    if taken := globals()[task](*arguments, **given):
        import json

        print(json.dumps(taken))


def first(peer, url, ca):
    """One https call."""
    PEERS[peer](url, ca).calls([0], 10)


def calls(peer, url, count, limit):
    """Return the seconds of one call: the mean of `count` consecutive calls for different pages."""
    client = PEERS[peer](url)
    client.calls([0, limit], limit)
    return timed(lambda: client.calls([number * limit % 10_000 for number in range(count)], limit), count)


def everything(peer, url, concurrency):
    """Return the seconds of reading 10,000 jobs. A `concurrency` of None is the client's default."""
    client, jobs = PEERS[peer](url), []
    client.calls([0] * 5, 100)
    taken = timed(lambda: client.everything(100, concurrency, jobs.append), 1)
    assert len(jobs) == 10_000, f"{len(jobs)} of 10,000 jobs"
    return taken


def signing(peer, how):
    """Return the seconds of signing a request: the mean of 1,000."""
    sign = getattr(PEERS[peer](f"https://{HOST}"), how)()
    sign(0)
    return timed(lambda: [sign(number) for number in range(1000)], 1000)


def hold(peer, url):
    """Return the bytes that one job takes in memory: the mean of 100,000."""
    client = PEERS[peer](url)
    client.calls([0], 1000)
    before = resident()
    held = [client.page(offset, 1000)[1] for offset in range(0, 100_000, 1000)]
    return {"bytes": (resident() - before) / sum(map(len, held))}


def growth(peer, url):
    """Return the bytes by which the process grows, at most, from one call to iterating 100,000 jobs."""
    client, sizes, number = PEERS[peer](url), [], iter(range(100_000))
    client.calls([0], 100)
    before = resident()
    client.everything(100, None, lambda _: next(number) % 10_000 or sizes.append(resident(collect=False)))
    return {"bytes": max(sizes) - before}


def timed(work, count):
    started = time.process_time(), time.perf_counter()
    work()
    return {"cpu": (time.process_time() - started[0]) / count, "wall": (time.perf_counter() - started[1]) / count}


def resident(*, collect=True):
    import gc

    if collect:
        gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
