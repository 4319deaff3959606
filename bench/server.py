"""A server of canned answers, so cheap that what is measured is the client. Run as a process of its own.

    python server.py jobs.json cert.pem LATENCY...

Reads JSON objects of jobs, answers any GET with the page that `offset` and `limit` say, and ignores everything else.
Prints its ports as a JSON object and ends with its standard input. `many` serves ten times as many jobs as the others.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from pathlib import Path

MANY = 100_000
SOME = 10_000

_offset = re.compile(rb"[?&]offset=(\d+)").search
_limit = re.compile(rb"[?&]limit=(\d+)").search


class Pages:
    """Whole HTTP answers by request line, each made once."""

    def __init__(self, examples: list[dict[str, object]], count: int) -> None:
        self._count = count
        self._jobs = [
            json.dumps(examples[number % len(examples)] | {"job_id": f"{number:032x}", "name": f"Name {number}"})
            for number in range(count)
        ]
        self._answers: dict[bytes, bytes] = {}

    def answer(self, request_line: bytes) -> bytes:
        """The answer to a request line."""
        made = self._answers.get(request_line)
        if made is None:
            made = self._answers[request_line] = self._make(request_line)
        return made

    def _make(self, request_line: bytes) -> bytes:
        offset, limit = _offset(request_line), _limit(request_line)
        first = int(offset[1]) if offset else 0
        jobs = self._jobs[first : first + (int(limit[1]) if limit else 10)]
        body = b'{"count": %d, "jobs": [%s]}' % (self._count, ", ".join(jobs).encode())
        return (
            b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Nov 2025 00:00:00 GMT\r\nContent-Type: application/json\r\n"
            b"X-Request-Id: %032x\r\nContent-Length: %d\r\n\r\n" % (first, len(body))
        ) + body


class Connection(asyncio.Protocol):
    """Answers requests without a body, one after another, each after `latency` seconds."""

    def __init__(self, pages: Pages, latency: float) -> None:
        self._pages = pages
        self._latency = latency
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._unread.endswith(b"\r\n\r\n"):
            answer = self._pages.answer(self._unread[: self._unread.index(b"\r\n")])
            self._unread = b""
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def main(jobs: Path, certificate: Path, latencies: list[float]) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    examples = json.loads(jobs.read_text())
    some, many = Pages(examples, SOME), Pages(examples, MANY)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    wanted = {"many": (many, 0.0, None), "tls": (some, 0.0, tls)}
    wanted |= {f"{latency:g}": (some, latency, None) for latency in latencies}
    ports: dict[str, int] = {}
    for name, (pages, latency, context) in wanted.items():
        server = await loop.create_server(
            lambda pages=pages, latency=latency: Connection(pages, latency), "127.0.0.1", 0, ssl=context, backlog=256
        )
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), [float(each) for each in sys.argv[3:]]))
