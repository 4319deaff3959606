"""A pytest plugin, loaded where metastudio-client is installed: the fixture `metastudio_sandbox`.

Nothing but pytest is imported until a test uses the fixture, which needs the extra `sandbox`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metastudio.sandbox import Sandbox


@pytest.fixture
def metastudio_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A fresh sandbox for one test. `MetaStudio()` without arguments calls it, because the environment says so."""
    from metastudio.sandbox import serve

    with serve() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
