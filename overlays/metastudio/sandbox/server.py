"""The sandbox on a local port: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self

from anyio.from_thread import start_blocking_portal
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from metastudio.sandbox.app import SandboxApp
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.settings import SandboxSettings

HOST = "127.0.0.1"
GRACE = 10.0
"""Seconds that a command may take to end after an interrupt, before it is terminated."""


class PortTakenError(Exception):
    """The port cannot be listened on, usually because another program does."""


class Sandbox:
    """A sandbox on 127.0.0.1 that runs inside a `with` block, in a thread.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        port: Port to listen on; 0 selects a free one.
        overrides: Functions that replace those of the conforming server.

    Attributes:
        url: URL of the server, without a slash at its end.
        main: The account whose project has `jobs` items in each list.
        other: The last account, with a project of its own.
        access_key, secret_key, project_id: Those of the main account.
        token: A token of the main account that does not expire.
        stores: The items of each list operation, by operation ID. They may be changed while the server runs.

    Raises:
        ContractError: The contract cannot be read or is invalid.
        PortTakenError: The port cannot be listened on; raised on entering the `with` block.
    """

    def __init__(
        self, settings: SandboxSettings | None = None, *, port: int = 0, overrides: Overrides = CONFORMING
    ) -> None:
        self.app = SandboxApp(settings, overrides)
        self.settings, self.stores = self.app.settings, self.app.stores
        self.main, self.other = self.settings.accounts[0], self.settings.accounts[-1]
        self.access_key, self.secret_key = self.main.keys.access_key, self.main.keys.secret_key
        self.project_id, self.token = self.main.project_id, self.main.token
        self.url = ""
        self._port = port
        self._running = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that connect the client to this server."""
        return {
            "METASTUDIO_BASE_URL": self.url,
            "HUAWEICLOUD_SDK_AK": self.access_key,
            "HUAWEICLOUD_SDK_SK": self.secret_key,
            "HUAWEICLOUD_SDK_SECURITY_TOKEN": "",
            "HUAWEICLOUD_SDK_PROJECT_ID": self.project_id,
            "METASTUDIO_TOKEN": self.token,
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": self.url,
        }

    def __enter__(self) -> Self:
        listening = _listen(self._port)
        self.url = f"http://{HOST}:{listening.getsockname()[1]}"
        server = _UvicornServer(self.app)
        portal = self._running.enter_context(start_blocking_portal())
        # No need to wait until it serves: connections queue on the listening socket.
        serving = portal.start_task_soon(server.serve, [listening])
        self._running.callback(serving.result)
        self._running.callback(portal.call, server.stopped.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
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
        DataFileError: The file for the items cannot be used.
        PortTakenError: The port cannot be listened on; raised on entering the `with` block.
    """
    return Sandbox(SandboxSettings(**settings), port=port, overrides=overrides)


def run(settings: SandboxSettings | None = None, *, port: int = 0, command: Sequence[str] = ()) -> int:
    """Serve in the foreground until SIGINT or SIGTERM, or while a command runs.

    Prints the environment variables for the client as `export` lines once it listens. A command gets them, and both
    signals. If it has not ended `GRACE` seconds after a SIGINT that came from no terminal, it gets SIGTERM.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        port: Port to listen on; 0 selects a free one.
        command: The program to run and its arguments; none if empty.

    Returns:
        The exit code of the command, or 0.

    Raises:
        OSError: The program cannot be started.
        ContractError: The contract cannot be read or is invalid.
        DataFileError: The file for the items cannot be used.
        PortTakenError: The port cannot be listened on.
    """
    with Sandbox(settings, port=port) as sandbox:
        if not command:
            stopped = threading.Event()
            _on_signals(lambda _number, _frame: stopped.set())
            for name, value in sandbox.environment.items():
                print(f"export {name}={shlex.quote(value)}", flush=True)
            print(f"Serving {sandbox.url}; press Ctrl-C to stop.", file=sys.stderr, flush=True)
            stopped.wait()
            return 0
        process = subprocess.Popen(list(command), env={**os.environ, **sandbox.environment})  # noqa: S603
        _on_signals(lambda number, _frame: _pass_on(number, process))
        code = process.wait()
        return code if code >= 0 else 128 - code


def _pass_on(number: int, process: subprocess.Popen[bytes]) -> None:
    """Send a signal on to a command, unless a terminal has sent it to both."""
    if number == signal.SIGINT:
        if _in_foreground():
            return
        timer = threading.Timer(GRACE, process.terminate)
        timer.daemon = True
        timer.start()
    process.send_signal(number)


def _in_foreground() -> bool:
    """Return whether Ctrl-C in a terminal reaches this process and its command."""
    if sys.platform == "win32":
        return True
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False  # there is no terminal


def _on_signals(handler: Callable[[int, object], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


class _HttpProtocol(H11Protocol):
    """HTTP/1.1 protocol that lets the application reset the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)

        def reset() -> None:
            """Close the connection with a TCP reset."""
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

        self.app_state = {**self.app_state, "reset": reset}


class _UvicornServer(Server):
    """A uvicorn server that stops when `stopped` is set, instead of polling every 100 ms as uvicorn does."""

    def __init__(self, app: SandboxApp) -> None:
        super().__init__(
            Config(
                app,
                http=_HttpProtocol,
                ws="none",
                log_config=None,
                log_level="critical",  # the application logs its own failures
                server_header=False,
                date_header=False,  # the application sends the date of its configurable clock
                timeout_keep_alive=60,
                timeout_graceful_shutdown=1,
            )
        )
        self.stopped = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait until `stopped` is set."""
        await self.stopped.wait()


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
