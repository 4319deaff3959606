"""A server of canned responses, cheap enough that the measurements are of the client. Runs as its own process.

    python server.py jobs.json cert.pem LATENCY...

Answers every GET with the page selected by `offset` and `limit`, made of the example jobs in the JSON file; ignores
everything else in the request. Prints its ports as a JSON object: one for each latency in seconds, `tls` for https and
`many` with 100,000 jobs instead of 10,000. Ends when its standard input is closed.
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

MANY = 100_000
SOME = 10_000

_offset = re.compile(rb"[?&]offset=(\d+)").search
_limit = re.compile(rb"[?&]limit=(\d+)").search


def responder(examples: list[dict[str, object]], count: int) -> Callable[[bytes], bytes]:
    """Return a function from a request line to the whole HTTP response, which is made once for each line."""
    all_jobs = [
        json.dumps(examples[number % len(examples)] | {"job_id": f"{number:032x}", "name": f"Name {number}"})
        for number in range(count)
    ]

    @cache
    def respond(request_line: bytes) -> bytes:
        offset, limit = _offset(request_line), _limit(request_line)
        first = int(offset[1]) if offset else 0
        jobs = all_jobs[first : first + (int(limit[1]) if limit else 10)]
        body = b'{"count": %d, "jobs": [%s]}' % (count, ", ".join(jobs).encode())
        return (
            b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Nov 2025 00:00:00 GMT\r\nContent-Type: application/json\r\n"
            b"X-Request-Id: %032x\r\nContent-Length: %d\r\n\r\n" % (first, len(body))
        ) + body

    return respond


class CannedHttpProtocol(asyncio.Protocol):
    """Responds to requests without a body, one after another, each after `latency` seconds."""

    def __init__(self, respond: Callable[[bytes], bytes], latency: float) -> None:
        self._respond = respond
        self._latency = latency
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._unread.endswith(b"\r\n\r\n"):
            response = self._respond(self._unread[: self._unread.index(b"\r\n")])
            self._unread = b""
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, response)
            else:
                self._transport.write(response)


async def main(jobs: Path, certificate: Path, latencies: list[float]) -> None:
    """Serve until standard input is closed."""
    loop = asyncio.get_running_loop()
    examples = json.loads(jobs.read_text())
    some, many = responder(examples, SOME), responder(examples, MANY)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    wanted = {"many": (many, 0.0, None), "tls": (some, 0.0, tls)}
    wanted |= {f"{latency:g}": (some, latency, None) for latency in latencies}
    ports: dict[str, int] = {}
    for name, (respond, latency, context) in wanted.items():
        server = await loop.create_server(
            partial(CannedHttpProtocol, respond, latency), "127.0.0.1", 0, ssl=context, backlog=256
        )
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), [float(each) for each in sys.argv[3:]]))
