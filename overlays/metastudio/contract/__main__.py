"""`python -m metastudio.contract URL`."""

import sys

if __name__ == "__main__":
    try:
        from metastudio.contract.command import contract_test

        contract_test(prog_name="python -m metastudio.contract")
    except ModuleNotFoundError as error:
        if (error.name or "metastudio").startswith("metastudio"):
            raise
        sys.exit(f"error: this needs {error.name}, which is not installed: pip install 'metastudio-client[contract]'")
