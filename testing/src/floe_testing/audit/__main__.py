"""`python -m floe_testing.audit`, the same as `floe-testing audit`."""

import sys

from floe_testing.cli import main

if __name__ == "__main__":
    main(["audit", *sys.argv[1:]])
