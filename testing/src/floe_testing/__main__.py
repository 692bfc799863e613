"""`python -m floe_testing`, the same as `floe-testing`."""

from floe_testing.cli import main

if __name__ == "__main__":
    main()
