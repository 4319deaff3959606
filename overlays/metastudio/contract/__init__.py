"""Proves a server against the contract, meaning included (extra `contract`).

    from metastudio.contract import prove

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
    from metastudio.contract.options import Options as Options
    from metastudio.contract.runner import prove as prove
    from metastudio.contract.runner import run as run
    from metastudio.contract.verdicts import Evidence as Evidence
    from metastudio.contract.verdicts import Place as Place
    from metastudio.contract.verdicts import Property as Property
    from metastudio.contract.verdicts import Report as Report
    from metastudio.contract.verdicts import Result as Result
    from metastudio.contract.verdicts import Suite as Suite
    from metastudio.contract.verdicts import Verdict as Verdict
    from metastudio.credentials import Credentials as Credentials

_HOME = {
    "Credentials": "metastudio.credentials",
    "Evidence": "metastudio.contract.verdicts",
    "Options": "metastudio.contract.options",
    "Place": "metastudio.contract.verdicts",
    "Property": "metastudio.contract.verdicts",
    "Report": "metastudio.contract.verdicts",
    "Result": "metastudio.contract.verdicts",
    "Suite": "metastudio.contract.verdicts",
    "Verdict": "metastudio.contract.verdicts",
    "prove": "metastudio.contract.runner",
    "run": "metastudio.contract.runner",
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
    raise AttributeError(f"module 'metastudio.contract' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
