"""Options and fixtures of the whole suite."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """Handle Ctrl-C even in the background of a shell, which ignores SIGINT there; child processes inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too, not only the sample of them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow: a sample of it ran, --slow runs everything")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
