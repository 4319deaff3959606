"""Reads, checks and compiles an OpenAPI contract. Needs the extra `spec` (PyYAML, openapi-spec-validator).

`load` gives the document with the line and column of everything in it, `check` says what is wrong with it, `compile`
turns it into the plain constants that `metastudio_client._contract` holds. `generate.sh` and the contract tester use
all three; the client itself never reads YAML.
"""

from metastudio.spec.check import check
from metastudio.spec.compile import compile_contract
from metastudio.spec.load import ContractError, Document, load

__all__ = ["ContractError", "Document", "check", "compile_contract", "load"]
