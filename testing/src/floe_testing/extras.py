"""Clients that are installed on demand."""

from collections.abc import Iterator
from contextlib import contextmanager

from floe_testing.errors import FloeTestingError


class MissingExtraError(FloeTestingError):
    """A client library is not installed."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import clients in this block: where one is missing, the error names the extra that installs it.

    Raises:
        MissingExtraError: A module that is not of this package could not be found.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "floe_testing":
            raise
        message = f"{error.name} is not installed. Install it with: pip install 'floe-testing[{name}]'"
        raise MissingExtraError(message) from error
