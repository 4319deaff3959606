"""A real server that answers as the contract says, on this machine (extra `sandbox`).

    from metastudio.sandbox import serve

    with serve(jobs=5) as sandbox:
        print(sandbox.url, sandbox.access_key, sandbox.secret_key, sandbox.project_id, sandbox.token)

`create_app(settings)` is the same server as an ASGI application, in process.
"""

from metastudio.sandbox.app import App, create_app
from metastudio.sandbox.faults import KINDS, Fault
from metastudio.sandbox.parts import PARTS, Parts
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
