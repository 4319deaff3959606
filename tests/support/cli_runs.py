"""Runs the command with pipes, in this process or one of its own, or in a pseudo-terminal.

A screen is a text in which colours are marked: `‹red:TRAIN_FAILED›`.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from unittest import mock

import pyte
from metastudio.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

COMMAND = str(Path(sys.executable).with_name("metastudio"))
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
TIMEOUT = 30.0  # seconds
_COLOURS = {"brown": "yellow"}  # pyte's name for it


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without this machine's settings: a fixed time zone (UTC+8), no home, a plain terminal."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    fixed = {"TZ": "CST-8", "LANG": "C.UTF-8", "HOME": "/nonexistent", "TERM": "xterm-256color"}
    return {**inherited, **fixed, **more}


@dataclass(frozen=True)
class CompletedCommand:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def run(
    *arguments: str | Path,
    env: Mapping[str, str],
    command: Sequence[str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
) -> CompletedCommand:
    """Run a command with pipes until it ends.

    Args:
        *arguments: Its arguments.
        env: Environment variables, in addition to those of `environment`.
        command: The program. Without one, `metastudio` runs in this process, which takes a tenth of the time.
        stdin: The text of standard input.
        cwd: The working directory.
    """
    words = [*map(str, arguments)]
    if command is None:
        return _run_here(words, env, stdin, cwd or Path.cwd())
    completed = subprocess.run(
        [*command, *words],
        env=environment(env),
        capture_output=True,
        input=stdin,
        text=True,
        timeout=TIMEOUT,
        cwd=cwd,
        check=False,
    )
    return CompletedCommand(completed.returncode, completed.stdout, completed.stderr)


def _run_here(arguments: Sequence[str], env: Mapping[str, str], stdin: str, cwd: Path) -> CompletedCommand:
    with contextlib.chdir(cwd):
        streams = [io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="\n") for text in (stdin.encode(), b"", b"")]
        code = _call_main(arguments, env, streams)
    out, err = (_written(stream) for stream in streams[1:])
    return CompletedCommand(code, out, err)


def _call_main(arguments: Sequence[str], env: Mapping[str, str], streams: Sequence[io.TextIOWrapper]) -> int:
    """Call the entry point with the given standard streams. A signal that it raises ends the tests."""
    stdin, stdout, stderr = streams
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    words = ["metastudio", *arguments]
    try:
        with (
            mock.patch.dict(os.environ, environment(env), clear=True),
            mock.patch.multiple(sys, argv=words, stdin=stdin, stdout=stdout, stderr=stderr, __stdout__=stdout),
        ):
            time.tzset()
            code = main()
    except SystemExit as end:  # contract-test ends so
        code = int(end.code or 0)
    finally:
        time.tzset()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for stream in (stdout, stderr):
        stream.flush()
    return code


def _written(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


class Screen:
    """What a terminal shows. `raw` is all that was written to it."""

    def __init__(self, columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""

    def feed(self, data: bytes) -> None:
        """Show output."""
        self.raw += data
        self._stream.feed(data)

    def text(self) -> str:
        """Return the screen without colours and trailing empty lines."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip() + "\n"

    def marked(self) -> str:
        """Return the screen with marked colours."""
        lines = [_marked(self._screen.buffer[row], self._screen.columns) for row in range(self._screen.lines)]
        return "\n".join(lines).rstrip() + "\n"


def run_in_terminal(*arguments: str, env: Mapping[str, str], columns: int = 100, rows: int = 80) -> tuple[int, Screen]:
    """Run `metastudio` in this process with a pseudo-terminal as its streams. Returns the exit code and the screen.

    Args:
        *arguments: The arguments.
        env: Environment variables, in addition to those of `environment`.
        columns: Width of the terminal.
        rows: Its height.
    """
    screen = Screen(columns, rows)
    master, slave = _open_terminal(columns, rows)

    def read() -> None:
        with contextlib.suppress(OSError):  # on Linux, the other end is closed
            while data := os.read(master, 65536):
                screen.feed(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with contextlib.ExitStack() as stack:
            streams = [
                stack.enter_context(open(os.dup(slave), mode, encoding="utf-8", buffering=1))
                for mode in ("r", "w", "w")
            ]
            code = _call_main(arguments, env, streams)
    finally:
        os.close(slave)
        reader.join(TIMEOUT)
        os.close(master)
    return code, screen


def _open_terminal(columns: int, rows: int) -> tuple[int, int]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return master, slave


class PseudoTerminal(Screen):
    """A command that runs in a process and a pseudo-terminal of its own."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        columns: int = 100,
        rows: int = 60,
        command: Sequence[str] = (COMMAND,),
        cwd: Path | None = None,
    ) -> None:
        super().__init__(columns, rows)
        self._master, slave = _open_terminal(columns, rows)
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=environment(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=cwd,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )
        os.close(slave)

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Send keys; "\x03" is Ctrl-C."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until the command ends: one before it waits for a key is lost, as in any shell."""
        for _ in range(20):
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
                return

    def until(self, seen: Callable[[str], bool]) -> str:
        """Read until a condition on the screen holds. Returns the screen."""
        deadline = time.monotonic() + TIMEOUT
        while not seen(self.text()):
            assert self._read(deadline), f"the command ended before the condition held:\n{self.text()}"
        return self.text()

    def end(self) -> int:
        """Read until the command ends. Returns its exit code, 128 plus the number for a signal."""
        deadline = time.monotonic() + TIMEOUT
        while self._read(deadline):
            pass
        code = self.process.wait(TIMEOUT)
        return 128 - code if code < 0 else code

    def _read(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        assert left > 0, f"timed out:\n{self.text()}"
        readable, _, _ = select.select([self._master], [], [], left)
        if not readable:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # on Linux, the other end is closed
            return False
        self.feed(data)
        return bool(data)


def _marked(row: Mapping[int, pyte.screens.Char], columns: int) -> str:
    line, style = "", ""
    for column in range(columns):
        char = row[column]
        now = "+".join(
            [*(["bold"] if char.bold else []), *([_COLOURS.get(char.fg, char.fg)] if char.fg != "default" else [])]
        )
        now = now if char.data.strip() or style == now else ""
        if now != style:
            line += ("›" if style else "") + (f"‹{now}:" if now else "")
            style = now
        line += char.data
    return (line.rstrip() if not style else line.rstrip() + "›").rstrip()


_LOOP = """
import json, sys
from cli_runs import run
for line in sys.stdin:
    done = (lambda arguments, **rest: run(*arguments, **rest))(**json.loads(line))
    print(json.dumps([done.code, done.out, done.err]), flush=True)
"""


class CommandOfCopy:
    """`metastudio` of a copy of the repository, whose contract differs. Its commands run in one other process."""

    def __init__(self, root: Path) -> None:
        folders = [str(root / name) for name in ("overlays", "generated", "tests/support")]
        self.path = {"PYTHONPATH": os.pathsep.join(folders)}
        self.command = (sys.executable, "-c", "import sys; from metastudio.cli import main; sys.exit(main())")
        """The command as a process of its own. It needs `path`."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            env=environment(self.path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )

    def __enter__(self) -> CommandOfCopy:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=TIMEOUT)

    def __call__(self, *arguments: str, env: Mapping[str, str], stdin: str = "") -> CompletedCommand:
        """Run a command with pipes until it ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "env": {**env}, "stdin": stdin}) + "\n")
        self._process.stdin.flush()
        return CompletedCommand(*json.loads(self._process.stdout.readline()))


class ScreenMatcher(Protocol):
    """Compares a screen with the stored one. With REMAKE_SCREENS=1 it is stored instead; review the difference."""

    def __call__(self, name: str, screen: str) -> None: ...
