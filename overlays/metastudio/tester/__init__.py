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
   bodies of seed requests and of requests that schemathesis generates) and `matrix` (suite `auth`: the requests of
   `cases`, with valid credentials and with `forgeries`).
3. What the suites share: `reading` (any contract), `operation_under_test` (an operation with its schemas), `access`
   (security schemes), `caller` (credentials and signing), `http_client` (requests, retries, rate limit, total timeout),
   `inprocess` (an ASGI application as the server), `values` (comparing values), `schema_validator`.
4. `reports`: terminal, HTML, JUnit and JSON. `causes` groups breaches, `curl` writes requests as commands. `sign` signs
   a request for curl, `hooks` adds signing to plain schemathesis. The command line is `metastudio.cli.testing`.

Names are imported on first use, because the readers and validators of contracts are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.auth.credentials import Credentials
    from metastudio.tester.options import RunOptions
    from metastudio.tester.runner import prove, run
    from metastudio.tester.verdicts import ContractLocation, Evidence, Property, PropertyResult, Report, Suite, Verdict

__all__ = [
    "ContractLocation", "Credentials", "Evidence", "Property", "PropertyResult", "Report", "RunOptions", "Suite",
    "Verdict", "prove", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("verdicts", "options", "runner"):  # the slowest last
            if hasattr(found := import_module(f"metastudio.tester.{module}"), name):
                return getattr(found, name)
    raise AttributeError(f"module 'metastudio.tester' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
