"""A service is brought to another version while it is used."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from floe_testing import PollingConfig, Unmet, wait_for_condition
from floe_testing.cluster.kube import pods, service_pod
from floe_testing.conditions import deployment_available
from floe_testing.services.clients.dagster import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.client import CoreV1Api

    from floe_testing.services import DagsterConfig
    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(600)]

WEBSERVER = "dagster-webserver"
VERSION = "floe.dev/test-version"


@contextmanager
def used(config: DagsterConfig) -> Iterator[list[object]]:
    """Ask the webserver for its jobs all the time, over new connections, and yield what it answered or failed of."""
    seen: list[object] = []
    end = threading.Event()

    def ask() -> None:
        while not end.wait(0.1):
            try:
                with connect(config) as dagster:
                    seen.append(dagster.repositories())
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells of it
                seen.append(error)

    user = threading.Thread(target=ask)
    user.start()
    try:
        yield seen
    finally:
        end.set()
        user.join()


@pytest.mark.journey("upgrade")
@pytest.mark.long
def test_webserver_answers_while_it_is_upgraded(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    dagster: DagsterClient,
    dagster_config: DagsterConfig,
    kube: CoreV1Api,
    kube_namespace: str,
    new_batch: Callable[..., str],
    refresh: Callable[[str], str],
    run_id: str,
) -> None:
    """A new version of the webserver takes over without one request failing, and knows the runs of the old one."""
    jobs = dagster.repositories()
    run = refresh(new_batch(("2026-05-01", "1.00")))
    old = service_pod(kube, kube_namespace, WEBSERVER)
    version = {"spec": {"template": {"metadata": {"annotations": {VERSION: run_id}}}}}

    def old_is_gone() -> bool | Unmet:
        found = pods(kube, kube_namespace, f"app.kubernetes.io/name={WEBSERVER}")
        return all(pod.uid != old.uid for pod in found) or Unmet(f"pods of {WEBSERVER}: {found}")

    with used(dagster_config) as seen:
        client.AppsV1Api(kube.api_client).patch_namespaced_deployment(WEBSERVER, kube_namespace, version)
        rolled_out = deployment_available(kube, kube_namespace, WEBSERVER)
        wait_for_condition(rolled_out, PollingConfig(timeout=180, interval=0.5))
        wait_for_condition(old_is_gone, PollingConfig(timeout=60, interval=0.5))
        answers_before = len(seen)
        wait_for_condition(lambda: len(seen) > answers_before, PollingConfig(timeout=30, interval=0.1))

    new = service_pod(kube, kube_namespace, WEBSERVER)
    assert kube.read_namespaced_pod(new.name, kube_namespace).metadata.annotations[VERSION] == run_id
    assert [each for each in seen if each != jobs] == []
    assert dagster.wait_for_run(run) == "SUCCESS"
