"""Servers of canned responses, cheap enough that the measurements are of the client. They share a process of their own.

Every GET is answered with the page that `offset` and `limit` select of the jobs in the contract's examples, repeated.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path

import certifi
import trustme
import yaml

# Number of jobs and seconds of latency, by name of the server.
SOME, MANY = 10_000, 100_000
SERVERS = {"0 ms": (SOME, 0), "20 ms": (SOME, 0.02), "50 ms": (SOME, 0.05), "tls": (SOME, 0), "many": (MANY, 0)}
_page = re.compile(rb"[?&](offset|limit)=(\d+)").findall


@cache
def jobs(count: int) -> list[str]:
    """Return the jobs of a server as JSON."""
    document = yaml.safe_load((Path(__file__).parents[1] / "openapi.yaml").read_text(encoding="utf-8"))
    pages = [each["value"] for each in document["components"]["examples"].values()]
    examples = [job for page in pages for job in page.get("jobs", ())]
    own = [{"job_id": f"{number:032x}", "name": f"Name {number}"} for number in range(count)]
    return [json.dumps(examples[number % len(examples)] | each) for number, each in enumerate(own)]


@cache
def respond(count: int, request_line: bytes) -> bytes:
    """Return the whole HTTP response, which is made once for each request line."""
    page = {b"offset": 0, b"limit": 10} | {name: int(value) for name, value in _page(request_line)}
    chosen = jobs(count)[page[b"offset"] : page[b"offset"] + page[b"limit"]]
    body = b'{"count": %d, "jobs": [%s]}' % (count, ", ".join(chosen).encode())
    return (
        b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Nov 2025 00:00:00 GMT\r\nContent-Type: application/json\r\n"
        b"X-Request-Id: %032x\r\nContent-Length: %d\r\n\r\n%s" % (page[b"offset"], len(body), body)
    )


class CannedHttpProtocol(asyncio.Protocol):
    """Responds to requests without a body, one after another, each after `latency` seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, latency: float) -> None:
        self._loop, self._count, self._latency, self._unread = loop, count, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._unread.endswith(b"\r\n\r\n"):
            response, self._unread = respond(self._count, self._unread.partition(b"\r\n")[0]), b""
            if self._latency:
                self._loop.call_later(self._latency, self._transport.write, response)
            else:
                self._transport.write(response)


def serve(trust_store: Path, ready: Connection) -> None:
    """Serve for ever, and send the URLs. The trust store has the usual size: certifi's and the certificate of `tls`."""
    authority, tls, urls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), dict[str, str]()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trust_store.write_bytes(authority.cert_pem.bytes() + Path(certifi.where()).read_bytes())
    loop = asyncio.new_event_loop()
    for name, (count, latency) in SERVERS.items():
        jobs(count)  # before the first request
        make, context = partial(CannedHttpProtocol, loop, count, latency), tls if name == "tls" else None
        server = loop.run_until_complete(loop.create_server(make, "127.0.0.1", 0, ssl=context, backlog=256))
        urls[name] = f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ready.send(urls)
    loop.run_forever()
