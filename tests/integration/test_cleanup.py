"""What a killed run leaves in the services is found by the run's id, and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from floe_testing.cleanup.cli import cleanup
from floe_testing.contract import ENV_RUN_ID
from floe_testing.isolation.naming import unique_name
from floe_testing.services.clients import postgres as postgres_client

if TYPE_CHECKING:
    from pathlib import Path

    from minio import Minio

    from floe_testing.services import PostgresConfig

pytestmark = pytest.mark.requirement("REQ-645")

DIES = """
import io, os, signal
from pathlib import Path

def test_dies(postgres, minio, minio_bucket):
    minio.put_object(minio_bucket, "left", io.BytesIO(b"x"), 1)
    Path("left").write_text(f"{postgres.info.dbname} {minio_bucket}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def there(config: PostgresConfig, minio: Minio) -> set[str]:
    """Return the names of all databases and buckets."""
    with postgres_client.connect(config) as connection:
        return {*postgres_client.databases(connection), *(each.name for each in minio.list_buckets())}


def removed(*arguments: str) -> str:
    """Run the command, and return what it tells to have removed."""
    done = CliRunner().invoke(cleanup, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.requirement("REQ-645.6")
def test_leavings_are_removed(postgres_config: PostgresConfig, minio: Minio, minio_bucket: str, tmp_path: Path) -> None:
    """The database and the bucket of a test whose process was killed are removed, and no other run's."""
    (tmp_path / "test_dies.py").write_text(DIES)
    run_id = unique_name("killed", "x")[-12:]
    killed = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)],
        env=os.environ | {ENV_RUN_ID: run_id, "PYTEST_ADDOPTS": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    database, bucket = left = (tmp_path / "left").read_text().split()
    assert set(left) <= there(postgres_config, minio)

    assert database not in removed("--run-id", run_id, "--older-than", "1h")
    told = removed("--run-id", run_id, "--dry-run")
    assert f"would remove {database}" in told
    assert f"would remove {bucket}" in told
    assert set(left) <= there(postgres_config, minio)

    told = removed("--run-id", run_id)
    assert f"removed {database}" in told
    assert f"removed {bucket}" in told
    remaining = there(postgres_config, minio)
    assert not set(left) & remaining
    assert minio_bucket in remaining
