"""A real server that answers as the contract says, on this machine (extra `sandbox`).

    from metastudio.sandbox import serve

    with serve(jobs=5, latency=0.05) as sandbox:  # the fields of Settings
        print(sandbox.url, sandbox.access_key, sandbox.secret_key, sandbox.project_id, sandbox.token)
        (jobs,) = sandbox.stores.values()  # the items of each list operation: add, replace, remove while it runs

`create_app(settings)` is the same server as an ASGI application in process; `run(settings, port=...)` serves in the
foreground, for the command. Whatever list operations the contract has are served: nothing here knows their names.

A server that differs in one thing is built by exchanging one part; `PARTS` are the right ones to build it from:

    def ignores_state(rule, column, values):
        return None if rule.parameter == "state" else PARTS.condition(rule, column, values)

    serve(parts=Parts(condition=ignores_state))
    serve(parts=PARTS.without("date_is_near"))

| what differs | part of `Parts` |
| --- | --- |
| a filter: ignored, inverted, compared otherwise | `condition` (SQL; another `op`: `replace(rule, op="gt")`) |
| whose items are listed | `scope` |
| the order, ties, the default direction | `order` (SQL) |
| the page: offset, limit, its default, a clamp | `window`; with `check` where the contract forbids the value |
| the total; the items, their fields and number | `total`; `items` |
| a rule of authentication | `without(name)`, `with_rule(name, rule)`; names: `metastudio.sandbox.authentication` |
| the form of the Authorization header | `read_authorization` |
| status, code and words of a refusal | `refusals`, by reason: `metastudio.sandbox.gateway` |
| what a parameter may be, how it is read | `split_query`, `choose` (given twice), `convert`, `check`, `check_all` |
| the methods of a path | `methods` |
| anything of the answer: status, headers, body | `finish`, which sees the request too |

Every part is a pure function, except that it may raise `RefusedError(reason)` where it refuses. Data in motion are
calls of the stores, from another thread or from within a part. Starting takes some milliseconds: a contract is read
once in a process.
"""

from metastudio.sandbox.app import App, create_app
from metastudio.sandbox.faults import KINDS, Fault
from metastudio.sandbox.overrides import PARTS, Parts
from metastudio.sandbox.server import PortTakenError, Sandbox, run, serve
from metastudio.sandbox.settings import MAIN, OTHER, Account, Keys, Settings

__all__ = [
    "KINDS",
    "MAIN",
    "OTHER",
    "PARTS",
    "Account",
    "App",
    "Fault",
    "Keys",
    "Parts",
    "PortTakenError",
    "Sandbox",
    "Settings",
    "create_app",
    "run",
    "serve",
]
