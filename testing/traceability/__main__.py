"""`python -m testing.traceability`, the same as `floe-testing trace`."""

import sys

from testing.cli import main

if __name__ == "__main__":
    main(["trace", *sys.argv[1:]])
