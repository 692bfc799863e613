"""The greeter is asked for in `pyproject.toml`, and is there in every place."""

import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

URL = os.environ["GREETER_URL"]


def greeting(token: str) -> bytes:
    """Return what the greeter says to a holder of a token."""
    request = Request(URL, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - the service's own address
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        said: bytes = answer.read()
        return said


def test_greets() -> None:
    """Whoever has the run's token is greeted."""
    assert greeting(os.environ["GREETER_TOKEN"]) == b"hello"


def test_strangers_are_refused() -> None:
    """Whoever has another token is not."""
    with pytest.raises(HTTPError, match="401"):
        greeting("guessed")
