"""What services must do: be found and take connections, answer a query, have a bucket, know a span."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

from floe_testing.conditions.condition import Condition
from floe_testing.conditions.network import tcp_open
from floe_testing.extras import extra
from floe_testing.polling import Unmet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minio import Minio

    from floe_testing.services import Address, PostgresConfig


def sql_answers(
    config: PostgresConfig, query: str = "SELECT true", *, probe: float | None = None
) -> Condition[tuple[Any, ...]]:
    """Return the condition that PostgreSQL answers a query with a row; met, it gives the first row.

    A table that is missing means "not yet": wait so for a migration, with the table's `migration` as timeout.

    Raises:
        MissingExtraError: psycopg is not installed.
    """
    with extra("postgres"):
        import psycopg  # noqa: PLC0415 - an extra

        from floe_testing.clients.postgres import connect  # noqa: PLC0415 - an extra

    def look(seconds: float) -> tuple[Any, ...] | Unmet:
        with connect(config) as connection:
            # Of the query alone: connecting has a limit of its own.
            connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")  # a number, so it needs no quoting
            return connection.execute(query.encode()).fetchone() or Unmet("the query found no row")

    not_yet = (psycopg.OperationalError, psycopg.errors.UndefinedTable)
    return Condition(f"PostgreSQL at {config.address} answers {query!r}", look, not_yet, probe)


def bucket_exists(minio: Minio, name: str) -> Condition[bool]:
    """Return the condition that a bucket exists. How long one look takes is up to the client's own timeouts."""

    def look(_: float) -> bool | Unmet:
        return minio.bucket_exists(name) or Unmet("there is none of that name")

    return Condition(f"bucket {name} exists", look, not_yet=(urllib3.exceptions.HTTPError,))


def span_found(
    url: str,
    service: str,
    *,
    operation: str | None = None,
    tags: Mapping[str, str] | None = None,
    probe: float | None = None,
) -> Condition[Mapping[str, Any]]:
    """Return the condition that a tracing backend knows a span of the last hour; met, it gives it as the backend does.

    Args:
        url: The backend's query API, which speaks as Jaeger's does: `http://jaeger:16686`.
        service: The service that sent the span.
        operation: The span's name; any unless given.
        tags: Attributes that its trace must have.
        probe: Seconds for one look.
    """
    fields = {"service": service, "lookback": "1h", "limit": "20"}
    fields |= {"operation": operation} if operation else {}
    fields |= {"tags": json.dumps(dict(tags))} if tags else {}

    def look(seconds: float) -> Mapping[str, Any] | Unmet:
        with urllib3.PoolManager(timeout=urllib3.Timeout(total=seconds), retries=False) as http:
            answer = http.request("GET", f"{url.rstrip('/')}/api/traces", fields=fields)
        if answer.status != HTTPStatus.OK:
            return Unmet(f"{url} answered HTTP {answer.status} {answer.reason or ''}".rstrip())
        spans = [span for trace in answer.json()["data"] or () for span in trace["spans"]]
        found = [span for span in spans if operation in {None, span["operationName"]}]
        names = sorted({span["operationName"] for span in spans})
        return found[0] if found else Unmet(f"of {service} there are the spans {names or 'none'}")

    what = f"a span {operation or ''}".rstrip()
    return Condition(f"{url} has {what} of {service}", look, (urllib3.exceptions.HTTPError,), probe)


def service_reachable(service: str, port: int, namespace: str, *, probe: float | None = None) -> Condition[Address]:
    """Return the condition that a service is found and takes connections; met, it gives its address from here."""
    from floe_testing.services import ServiceNotFoundError, locate  # noqa: PLC0415 - services are waited for with conditions
    from floe_testing.services.discovery import PORT_FORWARD  # noqa: PLC0415 - as above

    def look(seconds: float) -> Address | Unmet:
        address = locate(service, port, namespace)
        settle = 1.0 if address.how == PORT_FORWARD else 0.0
        seen = tcp_open(address.host, address.port, settle=settle, probe=seconds)()
        return Unmet(f"{address}: {seen}") if isinstance(seen, Unmet) else address

    description = f"{service}:{port} in namespace {namespace} takes connections"
    advice = f"Look closer with: kubectl --namespace {namespace} get services,pods"
    return Condition(description, look, (ServiceNotFoundError,), probe, advice)
