"""`python -m floe_ci`: the same as `floe-ci`."""

from floe_ci.cli import main

if __name__ == "__main__":
    main(prog_name="floe-ci")
