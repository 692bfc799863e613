"""`python -m floe_testing.traceability`, the same as `floe-testing trace`."""

import sys

from floe_testing.cli import main

if __name__ == "__main__":
    main(["trace", *sys.argv[1:]])
