"""`python -m metastudio` is the command `metastudio`."""

import sys

from metastudio.cli import main

if __name__ == "__main__":
    sys.exit(main())
