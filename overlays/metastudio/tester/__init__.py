"""Tests a server against the contract: response structure, list semantics and authentication (extra `contract`).

    from metastudio.tester import Credentials, prove

    report = prove("http://127.0.0.1:8080", project_id="...", keys=Credentials("AK", "SK"))
    report.raise_for_breaches()

`prove` also takes an ASGI application, and the fields of `RunOptions` as keyword arguments. docs/contract-testing.md
lists every property that is tested and everything that the API reference leaves open.

Reading order:

1. `verdicts`: properties, verdicts, evidence and the report. `options`: the settings of a run.
2. `plan`: the selected checks of each operation, made once from contract and options. `runner` walks it;
   `operation_run` holds what the checks of an operation share. After a first request (`preflight`) there are three
   suites: `relations` (suite `meaning`: metamorphic relations between list responses), `shapes` (statuses, headers and
   bodies of seed requests and of requests that schemathesis generates) and `matrix` (suite `auth`: valid and forged
   credentials).
3. What the suites share: `reading` (any contract), `operation_under_test` (an operation with its schemas), `access`
   (security schemes), `http_client` (requests, retries,
   rate limit), `caller` (credentials and signing), `values` (comparing values), `schema_validator`.
4. `reports`: terminal, HTML, JUnit and JSON. `sign` signs a request for curl, `hooks` adds signing to plain
   schemathesis. The command line is `metastudio.cli.contract_test`.

Names are imported on first use, because schemathesis and the schema validators are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.auth.credentials import Credentials as Credentials
    from metastudio.tester.options import RunOptions as RunOptions
    from metastudio.tester.runner import prove as prove
    from metastudio.tester.runner import run as run
    from metastudio.tester.verdicts import ContractLocation as ContractLocation
    from metastudio.tester.verdicts import Evidence as Evidence
    from metastudio.tester.verdicts import Property as Property
    from metastudio.tester.verdicts import PropertyResult as PropertyResult
    from metastudio.tester.verdicts import Report as Report
    from metastudio.tester.verdicts import Suite as Suite
    from metastudio.tester.verdicts import Verdict as Verdict

_MODULES = {
    "ContractLocation": "metastudio.tester.verdicts",
    "Credentials": "metastudio.auth.credentials",
    "Evidence": "metastudio.tester.verdicts",
    "Property": "metastudio.tester.verdicts",
    "PropertyResult": "metastudio.tester.verdicts",
    "Report": "metastudio.tester.verdicts",
    "RunOptions": "metastudio.tester.options",
    "Suite": "metastudio.tester.verdicts",
    "Verdict": "metastudio.tester.verdicts",
    "prove": "metastudio.tester.runner",
    "run": "metastudio.tester.runner",
}

__all__ = [
    "ContractLocation",
    "Credentials",
    "Evidence",
    "Property",
    "PropertyResult",
    "Report",
    "RunOptions",
    "Suite",
    "Verdict",
    "prove",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'metastudio.tester' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
