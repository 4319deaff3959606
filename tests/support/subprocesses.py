"""Programs run in a process of their own, with what the tests can import."""

from __future__ import annotations

import os
import subprocess
import sys


def run_script(code: str, *arguments: str) -> None:
    """Run Python code; fails with what it says when it does not end well."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, *arguments],  # of forking beside threads
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
