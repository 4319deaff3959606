"""A sandbox, its environment, and the comparison with stored screens."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_runs import ScreenMatcher
from metastudio.sandbox import Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SCREENS = Path(__file__).parent / "screens"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def env(sandbox: Sandbox) -> dict[str, str]:
    return sandbox.environment


@pytest.fixture(scope="session")
def screen_matches() -> ScreenMatcher:
    def matches(name: str, screen: str) -> None:
        shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:50000", screen)
        shown = re.sub(r"(?<=equest id )[0-9a-f]{32}", "0123456789abcdef" * 2, shown)
        stored = SCREENS / f"{name}.txt"
        if os.environ.get("REMAKE_SCREENS"):
            stored.write_text(shown, encoding="utf-8")
        assert shown == stored.read_text(encoding="utf-8"), f"differs from {stored.name}"

    return matches
