"""Conditions of services, against servers of this machine."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from minio import Minio
from minio.error import S3Error
from pydantic import SecretStr

from floe_testing import Unmet
from floe_testing.conditions import bucket_exists, service_reachable, span_found, sql_answers
from floe_testing.services import PostgresConfig

if TYPE_CHECKING:
    from tests.functional.testing.answering import Answers

TRACES = json.dumps(
    {
        "data": [
            {"traceID": "1", "spans": [{"operationName": "load", "spanID": "a"}]},
            {
                "traceID": "2",
                "spans": [{"operationName": "load", "spanID": "b"}, {"operationName": "sum", "spanID": "c"}],
            },
        ]
    }
)


def state(seen: object) -> str:
    """Return what an unmet condition saw."""
    assert isinstance(seen, Unmet), seen
    return seen.state


@pytest.fixture
def minio(server: Answers) -> Minio:
    """Return a client of the test's server."""
    return Minio(f"127.0.0.1:{server.port}", access_key="a", secret_key="b", secure=False, region="us-east-1")  # noqa: S106 - of nothing


def test_span_by_name(server: Answers) -> None:
    """A span is found by its service and its name, and given as the backend has it."""
    server.objects["/api/traces"] = TRACES
    assert span_found(f"{server.url}/", "shop", operation="sum")() == {"operationName": "sum", "spanID": "c"}
    assert parse_qs(urlsplit(server.asked[0]).query) == {
        "service": ["shop"],
        "operation": ["sum"],
        "lookback": ["1h"],
        "limit": ["20"],
    }


def test_any_span(server: Answers) -> None:
    """Without a name any span of the service will do; attributes are asked for as the backend takes them."""
    server.objects["/api/traces"] = TRACES
    found = span_found(server.url, "shop", tags={"run": "1"})()
    assert found == {"operationName": "load", "spanID": "a"}
    assert parse_qs(urlsplit(server.asked[0]).query)["tags"] == ['{"run": "1"}']


def test_span_that_is_missing(server: Answers) -> None:
    """Where the span is not there yet, the state names those that are."""
    server.objects["/api/traces"] = TRACES
    assert state(span_found(server.url, "shop", operation="save")()) == "of shop there are the spans ['load', 'sum']"
    server.objects["/api/traces"] = '{"data": null}'
    assert state(span_found(server.url, "shop")()) == "of shop there are the spans none"


def test_tracing_backend_that_fails(server: Answers) -> None:
    """A backend that doesn't answer well may do so later."""
    server.objects["/api/traces"] = HTTPStatus.BAD_GATEWAY
    assert state(span_found(server.url, "shop")()) == f"{server.url} answered HTTP 502 Bad Gateway"


def test_sql_nobody_answers() -> None:
    """A database that takes no connection doesn't answer yet; the condition is called after it and the query."""
    config = PostgresConfig(host="127.0.0.1", port=1, user="u", password=SecretStr("p"), database="d")
    condition = sql_answers(config, "SELECT 1 FROM orders")
    assert condition.description == "PostgreSQL at 127.0.0.1:1 answers 'SELECT 1 FROM orders'"
    assert "Connection refused" in state(condition())


def test_bucket_that_is_missing(minio: Minio) -> None:
    """A bucket that doesn't exist may be made later."""
    assert state(bucket_exists(minio, "shop")()) == "there is none of that name"


def test_bucket(server: Answers, minio: Minio) -> None:
    """A bucket that the server has exists."""
    server.objects["/shop"] = ""
    assert bucket_exists(minio, "shop")() is True


def test_bucket_that_is_anothers(server: Answers, minio: Minio) -> None:
    """A server that refuses ends the wait."""
    server.objects["/shop"] = HTTPStatus.FORBIDDEN
    with pytest.raises(S3Error, match="AccessDenied"):
        bucket_exists(minio, "shop")()


@pytest.mark.requirement("T010")
def test_reachable_service(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that takes connections gives its address from here, and how it was found."""
    monkeypatch.setenv("FLOE_SHOP_HOST", "127.0.0.1")
    monkeypatch.setenv("FLOE_SHOP_PORT", str(server.port))
    assert str(service_reachable("shop", 80, "ns")()) == f"127.0.0.1:{server.port} (environment)"


@pytest.mark.requirement("T010")
def test_service_that_takes_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is found and takes no connection is told with its address."""
    monkeypatch.setenv("FLOE_SHOP_HOST", "127.0.0.1")
    monkeypatch.setenv("FLOE_SHOP_PORT", "1")
    assert "127.0.0.1:1 (environment): ConnectionRefusedError" in state(service_reachable("shop", 80, "ns")())
