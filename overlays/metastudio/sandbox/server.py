"""The server on a port of this machine: in a thread for tests, in the foreground for the command."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import struct
import sys
import threading
import uuid
from types import TracebackType
from typing import Any, Self

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from metastudio.sandbox import gateway
from metastudio.sandbox.app import App, create_app
from metastudio.sandbox.overrides import PARTS, Parts
from metastudio.sandbox.settings import Account, Settings

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Another program listens on the port."""


class Sandbox:
    """A server on 127.0.0.1, from `with` to its end. Port 0 is any free one. Raises PortTakenError, ContractError.

    `main` may use the jobs, `other` has a project of its own: every way in is an attribute of both. Each `stores`
    entry has the items of a list operation, to be changed while the server runs.
    """

    def __init__(self, settings: Settings | None = None, *, port: int = 0, parts: Parts = PARTS) -> None:
        self.settings = settings or Settings()
        self.app: App = create_app(self.settings, parts)
        self.stores = self.app.stores
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    @property
    def main(self) -> Account:
        """The account whose project has the jobs."""
        return self.settings.accounts[0]

    @property
    def other(self) -> Account:
        """An account with another project."""
        return self.settings.accounts[1]

    @property
    def access_key(self) -> str:
        """The access key of the main account."""
        return self.main.keys.access_key

    @property
    def secret_key(self) -> str:
        """Its secret key."""
        return self.main.keys.secret_key

    @property
    def project_id(self) -> str:
        """The project of the main account."""
        return self.main.project_id

    @property
    def token(self) -> str:
        """A token of the main account that does not expire."""
        return self.main.token

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the client to this server."""
        return {
            "METASTUDIO_BASE_URL": self.url,
            "HUAWEICLOUD_SDK_AK": self.access_key,
            "HUAWEICLOUD_SDK_SK": self.secret_key,
            "HUAWEICLOUD_SDK_PROJECT_ID": self.project_id,
            "METASTUDIO_TOKEN": self.token,
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": self.url,
        }

    def __enter__(self) -> Self:
        listening = _listen(self._port)
        self.url = f"http://{HOST}:{listening.getsockname()[1]}"
        # A connection waits in the socket's queue until the thread has come so far: nobody needs to wait here.
        self._server = _Server(self.app)
        self._thread = threading.Thread(target=self._server.serve_on, args=(listening,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.stop()
        self._thread.join()
        self.app.close()


def serve(*, port: int = 0, parts: Parts = PARTS, **settings: Any) -> Sandbox:
    """Return a Sandbox with these settings: `with serve(jobs=5) as sandbox: ...`."""
    return Sandbox(Settings(**settings), port=port, parts=parts)


def run(settings: Settings | None = None, *, port: int = 0) -> None:
    """Serve in the foreground until SIGINT or SIGTERM; both end it without a word.

    Prints the environment as `export` lines once it listens. Raises PortTakenError, ContractError.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    with Sandbox(settings, port=port) as sandbox:
        for name, value in sandbox.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        print(f"Serving {sandbox.url}; Ctrl-C ends it.", file=sys.stderr, flush=True)
        ended.wait()


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application reset its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "reset": lambda: _reset(transport)}

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the words of the gateway, instead of plain text without an id."""
        request_id = uuid.uuid4().hex
        body = json.dumps(gateway.REFUSALS["bad_request"].body(request_id, {"reason": msg})).encode()
        headers = [("content-type", "application/json"), ("connection", "close"), ("x-request-id", request_id)]
        response = h11.Response(status_code=400, headers=[*headers, ("content-length", str(len(body)))])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Server(Server):
    """A uvicorn server that stops at once when told so from another thread."""

    def __init__(self, app: App) -> None:
        super().__init__(
            Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # what fails in the application is logged there
                server_header=False,
                date_header=False,  # the application sends the date of its own clock
                timeout_keep_alive=60,
                timeout_graceful_shutdown=1,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._running = threading.Event()

    def serve_on(self, listening: socket.socket) -> None:
        """Serve on a listening socket until `stop`."""
        asyncio.run(self.serve(sockets=[listening]))

    def stop(self) -> None:
        """End it, from another thread."""
        self._running.wait()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        """Wait for the end, without looking every tenth of a second."""
        self._loop = asyncio.get_running_loop()
        self._running.set()
        await self._stopped.wait()


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what connects; without, an answer waits 40 ms for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(256)
    except (OSError, OverflowError) as error:
        listening.close()
        raise PortTakenError(
            f"port {port} of {HOST} cannot be used: {getattr(error, 'strerror', None) or error}; "
            "choose another one, or 0 for any that is free"
        ) from None
    return listening


def _reset(transport: asyncio.Transport) -> None:
    """Close a connection so that the other side sees it reset, not ended."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
