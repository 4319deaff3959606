"""The sandbox on a local port: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from metastudio.sandbox import gateway
from metastudio.sandbox.accounts import Account
from metastudio.sandbox.app import SandboxApp, create_app
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.settings import SandboxSettings

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """The port cannot be listened on, usually because another program does."""


class Sandbox:
    """A sandbox on 127.0.0.1 that runs inside a `with` block, in a thread.

    `stores` has the items of each list operation, by operation ID. They may be changed while the server runs.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        port: Port to listen on; 0 selects a free one.
        overrides: Functions that replace those of the conforming server.

    Raises:
        ContractError: The contract cannot be read or is invalid.
        PortTakenError: The port cannot be listened on; raised on entering the `with` block.
    """

    def __init__(
        self, settings: SandboxSettings | None = None, *, port: int = 0, overrides: Overrides = CONFORMING
    ) -> None:
        self.settings = settings or SandboxSettings()
        self.app: SandboxApp = create_app(self.settings, overrides)
        self.stores = self.app.stores
        self._port = port
        self._server: _UvicornServer | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    @property
    def main(self) -> Account:
        """The account whose project has `jobs` items in each list."""
        return self.settings.accounts[0]

    @property
    def other(self) -> Account:
        """A second account, with a project of its own."""
        return self.settings.accounts[1]

    @property
    def access_key(self) -> str:
        """The access key of the main account."""
        return self.main.keys.access_key

    @property
    def secret_key(self) -> str:
        """The secret key of the main account."""
        return self.main.keys.secret_key

    @property
    def project_id(self) -> str:
        """The project ID of the main account."""
        return self.main.project_id

    @property
    def token(self) -> str:
        """A token of the main account that does not expire."""
        return self.main.token

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that connect the client to this server."""
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
        # No need to wait for the thread: connections queue on the listening socket.
        self._server = _UvicornServer(self.app)
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


def serve(*, port: int = 0, overrides: Overrides = CONFORMING, **settings: Any) -> Sandbox:
    """Return a sandbox to use as a context manager: `with serve(jobs=5) as sandbox: ...`.

    Args:
        port: Port to listen on; 0 selects a free one.
        overrides: Functions that replace those of the conforming server.
        **settings: Fields of `SandboxSettings`.

    Raises:
        ValueError: A setting is out of range.
        ContractError: The contract cannot be read or is invalid.
        PortTakenError: The port cannot be listened on; raised on entering the `with` block.
    """
    return Sandbox(SandboxSettings(**settings), port=port, overrides=overrides)


def run_with(command: Sequence[str], settings: SandboxSettings | None = None, *, port: int = 0) -> int:
    """Serve while a command runs, with the environment variables for the client, and return its exit code.

    Ctrl-C reaches the command; the sandbox ends with it.

    Args:
        command: The program and its arguments.
        settings: Settings of the sandbox; the defaults if None.
        port: Port to listen on; 0 selects a free one.

    Raises:
        OSError: The program cannot be started.
        ContractError: The contract cannot be read or is invalid.
        DataFileError: The file for the items cannot be used.
        PortTakenError: The port cannot be listened on.
    """
    with Sandbox(settings, port=port) as sandbox:
        process = subprocess.Popen(list(command), env={**os.environ, **sandbox.environment})  # noqa: S603
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda sent, _frame: process.send_signal(sent) if sent != signal.SIGINT else None)
        code = process.wait()
        return code if code >= 0 else 128 - code


def run(settings: SandboxSettings | None = None, *, port: int = 0) -> None:
    """Serve in the foreground until SIGINT or SIGTERM.

    Prints the environment variables for the client as `export` lines once it listens.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        port: Port to listen on; 0 selects a free one.

    Raises:
        ContractError: The contract cannot be read or is invalid.
        DataFileError: The file for the items cannot be used.
        PortTakenError: The port cannot be listened on.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    with Sandbox(settings, port=port) as sandbox:
        for name, value in sandbox.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        print(f"Serving {sandbox.url}; press Ctrl-C to stop.", file=sys.stderr, flush=True)
        stopped.wait()


class _HttpProtocol(H11Protocol):
    """HTTP/1.1 protocol that lets the application reset the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "reset": lambda: _reset_connection(transport)}

    def send_400_response(self, msg: str) -> None:
        """Respond to invalid HTTP with an error of the gateway instead of uvicorn's plain text."""
        request_id = uuid.uuid4().hex
        body = json.dumps(gateway.REFUSALS["bad_request"].body(request_id, {"reason": msg})).encode()
        headers = [("content-type", "application/json"), ("connection", "close"), ("x-request-id", request_id)]
        response = h11.Response(status_code=400, headers=[*headers, ("content-length", str(len(body)))])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _UvicornServer(Server):
    """A uvicorn server that another thread can stop without delay."""

    def __init__(self, app: SandboxApp) -> None:
        super().__init__(
            Config(
                app,
                http=_HttpProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="critical",  # the application logs its own failures
                server_header=False,
                date_header=False,  # the application sends the date of its configurable clock
                timeout_keep_alive=60,
                timeout_graceful_shutdown=1,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._running = threading.Event()

    def serve_on(self, listening: socket.socket) -> None:
        """Serve on a listening socket until `stop` is called."""
        asyncio.run(self.serve(sockets=[listening]))

    def stop(self) -> None:
        """Stop the server, from another thread."""
        self._running.wait()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        """Wait until `stop` is called, instead of polling every 100 ms as uvicorn does."""
        self._loop = asyncio.get_running_loop()
        self._running.set()
        await self._stopped.wait()


def _listen(port: int) -> socket.socket:
    # The explicit protocol makes asyncio set TCP_NODELAY, without which a response waits 40 ms for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(256)
    except (OSError, OverflowError) as error:
        listening.close()
        raise PortTakenError(
            f"cannot listen on port {port} of {HOST}: {getattr(error, 'strerror', None) or error}; "
            "choose another port, or 0 for any free one"
        ) from None
    return listening


def _reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection with a TCP reset."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
