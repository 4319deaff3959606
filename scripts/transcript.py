"""Record the terminal sessions in docs/cli.md and the picture of the table from real runs against the sandbox.

    .venv/bin/python scripts/transcript.py           writes docs/cli.md and docs/images/jobs.svg
    .venv/bin/python scripts/transcript.py --check   writes nothing; fails if the files are out of date

In a ```console block, each line that begins with `$ ` is run, and the lines below it are replaced by its output.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from cli_runs import COMMAND, PseudoTerminal  # noqa: E402
from metastudio.auth.signature import EMPTY_PAYLOAD_HASH  # noqa: E402
from metastudio.sandbox import Sandbox, serve  # noqa: E402

PAGE, PICTURE = ROOT / "docs" / "cli.md", ROOT / "docs" / "images" / "jobs.svg"
COLUMNS = 100
PICTURED = "metastudio jobs --limit 24"

SERVING = "metastudio sandbox"
"""This command is stopped with Ctrl-C as soon as it serves."""
WATCHING = "metastudio watch 646682facddb4912976f19a4d61c6a91 efc5300ecdba4ea48d1ff13a9d907bc0"
MOVES = (
    ("TRAINING for", "646682facddb4912976f19a4d61c6a91", "TRAIN_SUCCESS"),
    ("TRAIN_SUCCESS for", "efc5300ecdba4ea48d1ff13a9d907bc0", "MANUAL_VERIFY_FAILED"),
    ("MANUAL_VERIFY_FAILED", "646682facddb4912976f19a4d61c6a91", "JOB_FINISH"),
)
"""State changes during the watch: text to wait for on the screen, job, new state."""

SIGNATURE = "9c1f3b5a7e2d4c6f8091a2b3c4d5e6f70812233445566778899aabbccddeeff0"
PLACEHOLDERS = {
    r"127\.0\.0\.1:\d{5}": "127.0.0.1:8080",
    r"port \d{5}": "port 8080",
    r"(?<=request id )[0-9a-f]{32}": "4f0c1d2a9b7e46d58c3f6a1b0e9d8c7f",
    r"\d{8}T\d{6}Z": "20240704T080910Z",
    r"(?<=Signature=)[0-9a-f]{64}": SIGNATURE,
    rf"^(?!{EMPTY_PAYLOAD_HASH})[0-9a-f]{{64}}(?=\r?$)": SIGNATURE[::-1],
    r"(?<![T\d])\d\d:\d\d:\d\d(?= )": "16:20:00",
    r"\^C": "",
}
"""Patterns of what differs from run to run, and fixed replacements."""


def main() -> int:
    """Write both files, or compare them with --check. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/cli.md and docs/images/jobs.svg from real runs.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the files are out of date")
    check = parser.parse_args().check
    with serve() as sandbox, tempfile.TemporaryDirectory() as folder:
        shell = RecordedShell(sandbox, Path(folder))
        recorded = {PAGE: shell.page(PAGE.read_text(encoding="utf-8")), PICTURE: picture(shell)}
    stale = [path for path, text in recorded.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        if not check:
            path.write_text(recorded[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'out of date' if check else 'written'}")
    return 1 if check and stale else 0


class RecordedShell:
    """Runs command lines in a terminal and a directory of its own, with the environment of the sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        path = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
        self._env = {**sandbox.environment, "PATH": path, "HOME": str(folder)}

    def page(self, text: str) -> str:
        """Return a page with the output of its command lines replaced."""

        def block(match: re.Match[str]) -> str:
            lines = [line for line in match[1].splitlines() if line.startswith("$ ")]
            return "```console\n" + "\n".join(f"{line}\n{self.screen(line[2:])}" for line in lines) + "```"

        return re.sub(r"```console\n(.*?)```", block, text, flags=re.DOTALL)

    def screen(self, line: str) -> str:
        """Run a line and return the text of the screen at the end."""
        screen = pyte.Screen(10 * COLUMNS, 300)  # wide, because users copy long lines
        pyte.ByteStream(screen).feed(self.raw(line))
        return "\n".join(row.rstrip() for row in screen.display).rstrip() + "\n"

    def raw(self, line: str) -> bytes:
        """Run a line and return its output with placeholders."""
        port = self._sandbox.url.rpartition(":")[2]
        told = ["-c", line.replace("8080", port)]
        with PseudoTerminal(
            *told, env=self._env, columns=COLUMNS, rows=300, command=("bash",), cwd=self._folder
        ) as terminal:
            if line == SERVING:
                terminal.until(lambda text: "press Ctrl-C to stop" in text)
                terminal.type("\x03")
            if line.startswith(WATCHING):
                self._move(terminal)
            terminal.end()
        text = terminal.raw.decode()
        for pattern, placeholder in PLACEHOLDERS.items():
            text = re.sub(pattern, placeholder, text, flags=re.MULTILINE)
        return text.encode()

    def _move(self, terminal: PseudoTerminal) -> None:
        (store,) = self._sandbox.stores.values()
        before = {item["job_id"]: item for item in store.items()}
        for seen, job_id, state in MOVES:
            terminal.until(lambda text, seen=seen: seen in text)  # type: ignore[misc]
            store.replace(job_id, {**before[job_id], "state": state})
        terminal.end()
        for _, job_id, _ in MOVES:
            store.replace(job_id, before[job_id])


def picture(shell: RecordedShell) -> str:
    """Return an SVG picture of a table in a terminal, with the fonts of the reader."""
    written = shell.raw(PICTURED).decode().replace("\r\n", "\n")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.from_ansi(f"$ {PICTURED}\n{written}"), end="")
    template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = template.replace("Fira Code, monospace", "monospace")
    svg = console.export_svg(title="metastudio", code_format=template, unique_id="jobs")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
