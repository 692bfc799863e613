"""Waiting for what services do: examples, against real ones."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from floe_testing import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition, wait_for_service_async
from floe_testing.conditions import bucket_exists, http_ok, sql_answers
from floe_testing.services.clients.postgres import connect
from floe_testing.services.reaching import wait_for_service
from floe_testing.waiting.polling import wait_for_condition_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from minio import Minio

    from floe_testing.services import DagsterConfig, PostgresConfig
    from floe_testing.waiting.timeouts import Timeouts

pytestmark = pytest.mark.requirement("T061")


class Later:
    """Does something while the test waits: when it is told to, and never before."""

    def __init__(self, work: Callable[[], object]) -> None:
        """Prepare to do it."""
        self._told = threading.Event()
        self._thread = threading.Thread(target=lambda: self._told.wait(30) and work())

    def __enter__(self) -> threading.Event:
        """Return the event that tells it to."""
        self._thread.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        """Wait until it is done."""
        self._told.set()
        self._thread.join()


@pytest.mark.requirement("REQ-646.5")
def test_migration_is_waited_for(postgres_database: PostgresConfig, timeouts: Timeouts) -> None:
    """A query whose table is still missing is waited for, for as long as a migration may take."""

    def migrate() -> None:
        with connect(postgres_database) as connection:
            connection.execute("CREATE TABLE orders AS SELECT 7 AS id")

    migrated = sql_answers(postgres_database, "SELECT id FROM orders")
    missing = migrated()
    assert isinstance(missing, Unmet)
    assert "UndefinedTable" in missing.state
    with Later(migrate) as go:
        go.set()
        assert wait_for_condition(migrated, PollingConfig(timeout=timeouts.migration)) == (7,)


def test_query_that_is_wrong_is_not_waited_for(postgres_database: PostgresConfig) -> None:
    """A query that no migration mends ends the wait at once."""
    with pytest.raises(psycopg.errors.SyntaxError):
        wait_for_condition(sql_answers(postgres_database, "SELEKT 1"))


def test_slow_query_is_given_up(postgres_database: PostgresConfig) -> None:
    """A query that hangs ends with the look's time, and the timeout tells it."""
    slow = sql_answers(postgres_database, "SELECT pg_sleep(60)", probe=1.0)
    with pytest.raises(ConditionTimeoutError, match="statement timeout"):
        wait_for_condition(slow, PollingConfig(timeout=1.5))


def test_bucket_is_waited_for(minio: Minio, minio_bucket: str) -> None:
    """A bucket that is removed and made again is waited for, both ways."""
    exists = bucket_exists(minio, minio_bucket)
    assert exists() is True
    minio.remove_bucket(minio_bucket)
    assert wait_for_condition(~exists)
    with Later(lambda: minio.make_bucket(minio_bucket)) as go:
        go.set()
        assert wait_for_condition(exists)


def test_services_take_connections(postgres_config: PostgresConfig, dagster_config: DagsterConfig) -> None:
    """Services are found wherever they are, one after the other or together."""
    wait_for_service("postgres", postgres_config.port)
    wait_for_condition(http_ok(f"{dagster_config.url}/server_info"))

    async def together() -> None:
        await asyncio.gather(
            wait_for_service_async("postgres", postgres_config.port),
            wait_for_condition_async(http_ok(f"{dagster_config.url}/server_info")),
        )

    asyncio.run(together())
