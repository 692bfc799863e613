"""What services must do: answer a query, have a bucket, know a span."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

from floe_testing.extras import extra
from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import Unmet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minio import Minio

    from floe_testing.services.models import PostgresConfig


def sql_answers(
    config: PostgresConfig, query: str = "SELECT true", *, probe: float | None = None
) -> Condition[tuple[Any, ...]]:
    """Return the condition that PostgreSQL answers a query with a row; met, it gives the first row.

    A table that is missing means "not yet": wait so for a migration, with the table's `migration` as timeout.

    Raises:
        MissingExtraError: psycopg is not installed.
    """
    with extra("postgres"):
        from floe_testing.services.clients import postgres  # noqa: PLC0415 - an extra

    return postgres.answering(config, query, probe=probe)


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
