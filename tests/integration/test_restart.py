"""What is kept on a volume outlives the pod."""

import psycopg
import pytest
from kubernetes.client import CoreV1Api
from minio import Minio

from testing import PollingConfig, wait_for_condition
from testing.clients import minio as minio_client
from testing.clients import postgres as postgres_client
from testing.clients.kube import replaced, service_pod
from testing.services import MinIOConfig, PostgresConfig

pytestmark = pytest.mark.integration


@pytest.mark.requirement("REQ-637")
def test_postgres_restart_keeps_data(postgres_database: PostgresConfig, kube: CoreV1Api, kube_namespace: str) -> None:
    """A committed row is there when the PostgreSQL pod was deleted and its successor answers."""
    with postgres_client.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'before' AS written")
    open_all_along = postgres_client.connect(postgres_database)
    old = service_pod(kube, kube_namespace, "postgres")

    kube.delete_namespaced_pod(old.name, kube_namespace)
    wait_for_condition(
        replaced(kube, kube_namespace, old, "postgres"),
        PollingConfig(timeout=90, interval=0.3, description="another postgres pod is ready"),
    )
    postgres_client.wait_until_answers(postgres_database)

    with postgres_client.connect(postgres_database) as connection:
        assert connection.execute("SELECT written FROM kept").fetchall() == [("before",)]
    with pytest.raises(psycopg.OperationalError), open_all_along:
        open_all_along.execute("SELECT 1")


@pytest.mark.requirement("REQ-637")
def test_minio_restart_keeps_data(
    minio: Minio, minio_config: MinIOConfig, minio_bucket: str, kube: CoreV1Api, kube_namespace: str
) -> None:
    """An object is there when the MinIO pod was deleted and its successor answers."""
    written = minio.fput_object(minio_bucket, "kept", __file__)
    old = service_pod(kube, kube_namespace, "minio")

    kube.delete_namespaced_pod(old.name, kube_namespace)
    wait_for_condition(
        replaced(kube, kube_namespace, old, "minio"),
        PollingConfig(timeout=90, interval=0.3, description="another minio pod is ready"),
    )
    minio_client.wait_until_answers(minio, minio_config)

    assert minio.stat_object(minio_bucket, "kept").etag == written.etag
