"""Proves a server against the contract, meaning included (extra `contract`).

    from metastudio.contract import prove

    report = prove("http://127.0.0.1:8080", project_id="...", keys=Credentials("AK", "SK"))
    report.raise_for_breaches()

`prove` takes an ASGI application as well, and the keyword arguments of `Options`. docs/contract-testing.md tells what
is looked at, and what the page leaves open.
"""

from metastudio.contract.options import Options
from metastudio.contract.runner import prove, run
from metastudio.contract.verdicts import Evidence, Place, Property, Report, Result, Suite, Verdict
from metastudio.credentials import Credentials

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
