"""The contract, typed.

At run time the client needs `operation`, `arguments`, `structure`, `json_pointer` and `naming`, and `body` for requests
that have one; they use the standard library alone. Reading a contract file needs the extra `spec` (PyYAML,
openapi-spec-validator): `load` (`document`) returns the document with the line and column of every value, `check`
(`validation`) reports its mistakes, `compile_contract` (`compiler`) turns it into the constants that
`metastudio_client.contract` holds. Those three are imported on first use. Sandbox and contract tester read times with
`instants`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.contract.compiler import compile_contract as compile_contract
    from metastudio.contract.document import ContractError as ContractError
    from metastudio.contract.document import Document as Document
    from metastudio.contract.document import load as load
    from metastudio.contract.validation import check as check

_HOME = {
    "ContractError": "document",
    "Document": "document",
    "check": "validation",
    "compile_contract": "compiler",
    "load": "document",
}

__all__ = ["ContractError", "Document", "check", "compile_contract", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
