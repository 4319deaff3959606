"""A local server that implements the contract, for tests and for trying the client out (extra `sandbox`).

    from metastudio.sandbox import serve

    with serve(jobs=5, latency=0.05) as sandbox:  # keywords are the fields of SandboxSettings
        print(sandbox.url, sandbox.access_key, sandbox.secret_key, sandbox.project_id, sandbox.token)
        (jobs,) = sandbox.stores.values()  # items of each list operation: add, replace, remove while it runs

`SandboxApp(settings)` is the same server as an ASGI application; `run(settings, port=...)` serves in the
foreground. All operations of the contract are served; nothing here is specific to one of them.

Where to read, in the order in which a request passes:

1. `server`, `app`: the port, the Starlette application, its endpoints and faults; `settings`. `http`: requests,
   responses and refusals.
2. `service`: one operation of any kind. It uses `authentication` (`signature`), `parameters` and `store`, which has the
   rules of `x-list` in SQL.
3. `listing`: what is read from the contract. `fixtures`: the items generated from it, and tasks that move.
4. `docs`: Swagger UI. IAM is part of `authentication`.
5. `overrides`: how to build a server that deviates in one point, for testing clients and the contract tester.

For example, a server that ignores the filter `state`:

    def ignore_state(rule, column, values):
        return None if rule.parameter == "state" else CONFORMING.condition(rule, column, values)

    serve(overrides=Overrides(condition=ignore_state))

and a server that accepts old signatures:

    serve(overrides=CONFORMING.without("date_is_within_tolerance"))

| what deviates | field of `Overrides` |
| --- | --- |
| a filter: ignored, inverted, another comparison | `condition` (SQL) |
| which project's items are listed | `scope` |
| sort order, ties, default direction | `order` (SQL) |
| page: offset, limit, default limit, a clamp | `window`, and `check` if the contract forbids the value |
| total; items, their properties and number | `total`; `items` |
| an authentication rule | `without(name)`, `with_rule(name, rule)`; the rules are in `authentication` |
| form of the Authorization header | `parse_authorization` |
| status, code and message of an error | `refusals`; the reasons are in `http` |
| how parameters are parsed | `split_query`, `choose` (repeated values), `convert` |
| which parameter values are valid | `check`, `check_all` |
| allowed methods | `methods` |
| anything in the response: status, headers, body | `finish`, which also gets the request |
"""

from metastudio.sandbox.app import SandboxApp
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.server import PortTakenError, Sandbox, run, serve
from metastudio.sandbox.settings import FAULT_KINDS, MAIN, OTHER, Account, Fault, KeyPair, SandboxSettings
from metastudio.sandbox.store import DataFileError

__all__ = [
    "CONFORMING",
    "FAULT_KINDS",
    "MAIN",
    "OTHER",
    "Account",
    "DataFileError",
    "Fault",
    "KeyPair",
    "Overrides",
    "PortTakenError",
    "Sandbox",
    "SandboxApp",
    "SandboxSettings",
    "run",
    "serve",
]
