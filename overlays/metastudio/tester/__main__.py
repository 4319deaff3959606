"""Runs the command as `python -m metastudio.tester URL`."""

from metastudio.tester.command import contract_test

if __name__ == "__main__":
    contract_test(prog_name="python -m metastudio.tester")
