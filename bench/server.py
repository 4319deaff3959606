"""A server of canned responses, cheap enough that the measurements are of the client. Runs as its own process.

    python server.py FOLDER LATENCY...

Answers every GET with the page that `offset` and `limit` select of the jobs in the contract's examples, repeated, and
ignores everything else. Writes a certificate and a trust store of the usual size (certifi's and its own) to the folder.
Prints its URLs as JSON: one for each latency in seconds, `tls` for https, and `many` with 100,000 jobs instead of
10,000. Ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import certifi
import trustme
import yaml

SOME, MANY = 10_000, 100_000
_page = re.compile(rb"[?&](offset|limit)=(\d+)").findall


def responder(examples: list[dict[str, object]], count: int) -> Callable[[bytes], bytes]:
    """Return a function from a request line to the whole HTTP response, which is made once for each line."""
    all_jobs = [
        json.dumps(examples[number % len(examples)] | {"job_id": f"{number:032x}", "name": f"Name {number}"})
        for number in range(count)
    ]

    @cache
    def respond(request_line: bytes) -> bytes:
        page = {b"offset": 0, b"limit": 10} | {name: int(value) for name, value in _page(request_line)}
        jobs = all_jobs[page[b"offset"] : page[b"offset"] + page[b"limit"]]
        body = b'{"count": %d, "jobs": [%s]}' % (count, ", ".join(jobs).encode())
        return (
            b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Nov 2025 00:00:00 GMT\r\nContent-Type: application/json\r\n"
            b"X-Request-Id: %032x\r\nContent-Length: %d\r\n\r\n" % (page[b"offset"], len(body))
        ) + body

    return respond


class CannedHttpProtocol(asyncio.Protocol):
    """Responds to requests without a body, one after another, each after `latency` seconds."""

    def __init__(self, respond: Callable[[bytes], bytes], latency: float) -> None:
        self._respond, self._latency, self._unread = respond, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._unread.endswith(b"\r\n\r\n"):
            response, self._unread = self._respond(self._unread[: self._unread.index(b"\r\n")]), b""
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, response)
            else:
                self._transport.write(response)


async def main(folder: Path, *latencies: str) -> None:
    """Serve until standard input is closed."""
    document = yaml.safe_load((Path(__file__).parents[1] / "openapi.yaml").read_text(encoding="utf-8"))
    pages = [each["value"] for each in document["components"]["examples"].values()]
    examples = [job for page in pages for job in page.get("jobs", ())]
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes() + Path(certifi.where()).read_bytes())
    some, urls = responder(examples, SOME), dict[str, str]()
    wanted = {"many": (responder(examples, MANY), 0.0, None), "tls": (some, 0.0, tls)}
    for name, (respond, latency, context) in (wanted | {each: (some, float(each), None) for each in latencies}).items():
        make = partial(CannedHttpProtocol, respond, latency)
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=context, backlog=256)
        urls[name] = f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps(urls), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
