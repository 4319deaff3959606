"""Authentication for httpx: signed requests and tokens.

Every class here is an ordinary `httpx.Auth` or helps one, and works with any httpx client and any service of this
cloud. To read the package, start at `signature` (the recipe) and `aksk` (which applies it), then go to `flow` and
`refresh`, which `token` and `iam` share. `chain` finds credentials, with `metadata` as its last resort, `project`
looks up a project ID, `clock` corrects the time to sign with, and `origin_policy` says where secrets may be sent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.auth.aksk import AkSkAuth as AkSkAuth
    from metastudio.auth.clock import Clock as Clock
    from metastudio.auth.credentials import Credentials as Credentials
    from metastudio.auth.iam import IamTokenAuth as IamTokenAuth
    from metastudio.auth.metadata import InstanceMetadata as InstanceMetadata
    from metastudio.auth.token import TokenAuth as TokenAuth
    from metastudio.auth.token import TokenFlow as TokenFlow

_MODULES = {
    "AkSkAuth": "aksk",
    "Clock": "clock",
    "Credentials": "credentials",
    "IamTokenAuth": "iam",
    "InstanceMetadata": "metadata",
    "TokenAuth": "token",
    "TokenFlow": "token",
}

__all__ = [
    "AkSkAuth",
    "Clock",
    "Credentials",
    "IamTokenAuth",
    "InstanceMetadata",
    "TokenAuth",
    "TokenFlow",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because most programs use one way to authenticate."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
