"""`python -m metastudio.tester URL` is the command `metastudio contract-test URL`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "contract-test")
    runpy.run_module("metastudio", run_name="__main__")  # not an import: the tester does not need the command line
