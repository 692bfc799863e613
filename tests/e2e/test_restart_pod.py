"""Restarting a service in a cluster replaces its pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.cluster.kube import service_pod
from floe_testing.services.clients import postgres as postgres_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import CoreV1Api

    from floe_testing.services import PostgresConfig

pytestmark = pytest.mark.requirement("REQ-637")


def test_restart_is_another_pod(
    postgres_config: PostgresConfig, kube: CoreV1Api, kube_namespace: str, restart_service: Callable[[str], None]
) -> None:
    """A service that was restarted runs in another pod, which is ready and answers."""
    before = service_pod(kube, kube_namespace, "postgres")
    restart_service("postgres")
    after = service_pod(kube, kube_namespace, "postgres")
    assert after.uid != before.uid
    assert after.ready
    postgres_client.wait_until_answers(postgres_config, timeout=10)
