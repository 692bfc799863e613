"""`python -m testing`, the same as `floe-testing`."""

from testing.cli import main

if __name__ == "__main__":
    main()
