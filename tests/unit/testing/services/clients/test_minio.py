"""Waiting for a MinIO that is still starting, over real HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from minio.error import S3Error
from pydantic import SecretStr

from floe_testing.services import MinIOConfig
from floe_testing.services.clients.minio import wait_until_answers
from serving import HOST, Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.requirement("REQ-642")

LISTING = b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
REFUSAL = b"<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"


@contextmanager
def server(*answers: tuple[int, bytes]) -> Iterator[tuple[MinIOConfig, list[str]]]:
    """Yield how to reach a server that gives these answers, the last one again and again, and what it was asked."""
    asked: list[str] = []

    class Answer(Handler):
        first: int | None = None

        def do_GET(self) -> None:
            # As MinIO does: a connection from before the server was ready gets no better answer after.
            if self.first is None:
                self.first = min(len(asked), len(answers) - 1)
            status, body = answers[self.first]
            asked.append(self.path)
            self.send(body, status, {"Content-Type": "application/xml"} if body else None)

    with serving(Server(Answer)) as http:
        config = MinIOConfig(host=HOST, port=http.server_port, access_key="floe", secret_key=SecretStr("any"))
        yield config, asked


@pytest.mark.parametrize("status", [404, 500])
def test_server_that_does_not_speak_s3_yet(status: int) -> None:
    """A server that has just started answers without a body; it is waited for until a new connection lists buckets."""
    with server((status, b""), (200, LISTING)) as (config, asked):
        wait_until_answers(config, timeout=10)
    assert len(asked) == 2


def test_refused_key_is_not_waited_for() -> None:
    """A key that the server refuses ends the wait at the first answer."""
    with server((403, REFUSAL)) as (config, asked):
        with pytest.raises(S3Error, match="InvalidAccessKeyId"):
            wait_until_answers(config, timeout=10)
        assert len(asked) == 1
