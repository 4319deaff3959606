"""Run Python code in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run_script(code: str, *arguments: str) -> None:
    """Run Python code that can import everything the tests can.

    Args:
        code: The program.
        *arguments: Its command line arguments.

    Raises:
        AssertionError: The program failed; the message is its stderr.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, *arguments],  # warnings about fork and threads
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
