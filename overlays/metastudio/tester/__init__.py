"""Proves a server against the contract, meaning included (extra `contract`).

    from metastudio.tester import prove

    report = prove("http://127.0.0.1:8080", project_id="...", keys=Credentials("AK", "SK"))
    report.raise_for_breaches()

`prove` takes an ASGI application as well, and the keyword arguments of `Options`. docs/contract-testing.md tells what
is looked at, and what the page leaves open. Names are loaded when they are first used: schemathesis and the validators
cost more than all the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.auth.credentials import Credentials as Credentials
    from metastudio.tester.options import Options as Options
    from metastudio.tester.runner import prove as prove
    from metastudio.tester.runner import run as run
    from metastudio.tester.verdicts import Evidence as Evidence
    from metastudio.tester.verdicts import Place as Place
    from metastudio.tester.verdicts import Property as Property
    from metastudio.tester.verdicts import Report as Report
    from metastudio.tester.verdicts import Result as Result
    from metastudio.tester.verdicts import Suite as Suite
    from metastudio.tester.verdicts import Verdict as Verdict

_HOME = {
    "Credentials": "metastudio.auth.credentials",
    "Evidence": "metastudio.tester.verdicts",
    "Options": "metastudio.tester.options",
    "Place": "metastudio.tester.verdicts",
    "Property": "metastudio.tester.verdicts",
    "Report": "metastudio.tester.verdicts",
    "Result": "metastudio.tester.verdicts",
    "Suite": "metastudio.tester.verdicts",
    "Verdict": "metastudio.tester.verdicts",
    "prove": "metastudio.tester.runner",
    "run": "metastudio.tester.runner",
}

__all__ = [
    "Credentials",
    "Evidence",
    "Options",
    "Place",
    "Property",
    "Report",
    "Result",
    "Suite",
    "Verdict",
    "prove",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'metastudio.tester' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
