"""What is kept on a volume outlives the service's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from floe_testing.services.clients import minio as minio_client
from floe_testing.services.clients import postgres as postgres_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from minio import Minio

    from floe_testing.services import MinIOConfig, PostgresConfig

pytestmark = pytest.mark.requirement("REQ-637")


def test_postgres_restart_keeps_data(postgres_database: PostgresConfig, restart_service: Callable[[str], None]) -> None:
    """A committed row is there when PostgreSQL was restarted, and what was connected to it is not."""
    with postgres_client.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'before' AS written")
    open_all_along = postgres_client.connect(postgres_database)

    restart_service("postgres")
    postgres_client.wait_until_answers(postgres_database)

    with postgres_client.connect(postgres_database) as connection:
        assert connection.execute("SELECT written FROM kept").fetchall() == [("before",)]
    with pytest.raises(psycopg.OperationalError), open_all_along:
        open_all_along.execute("SELECT 1")


@pytest.mark.requirement("REQ-641.2")
def test_minio_restart_keeps_data(
    minio: Minio, minio_config: MinIOConfig, minio_bucket: str, restart_service: Callable[[str], None]
) -> None:
    """An object is there when MinIO was restarted."""
    written = minio.fput_object(minio_bucket, "kept", __file__)

    restart_service("minio")
    minio_client.wait_until_answers(minio_config)

    assert minio.stat_object(minio_bucket, "kept").etag == written.etag
