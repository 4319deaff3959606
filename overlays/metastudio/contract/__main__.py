"""`python -m metastudio.contract URL`."""

from metastudio.contract.command import contract_test

if __name__ == "__main__":
    contract_test(prog_name="python -m metastudio.contract")
