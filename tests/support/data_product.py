"""What the owner of a data product does: writes a specification, has it compiled, and deploys what comes out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from kubernetes.client import ApiException, AppsV1Api

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.cluster.kube import service_pod
from floe_testing.conditions import deployment_available

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

REPOSITORY: Final = Path(__file__).parents[2] / "examples" / "product"
SPECIFICATION: Final = REPOSITORY / "products" / "daily_orders.yml"
SERVICE: Final = "products"
"""The Deployment that loads what is deployed, and the ConfigMap that this is deployed in."""
ROLLOUT: Final = PollingConfig(timeout=240, interval=0.5, description="the code location is rolled out anew")
GONE: Final = 404


def compiled(*specifications: Path) -> subprocess.CompletedProcess[str]:
    """Return what came of the command that holds specifications to the policies and compiles them."""
    command = [sys.executable, "-m", "product", "compile", *map(str, specifications)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def deploy(kube: CoreV1Api, namespace: str, config_map: str) -> None:
    """Put a ConfigMap in the place of the one that is there, and roll the code location out anew.

    It is what `kubectl replace --force` and `kubectl rollout restart` do.
    """
    withdraw(kube, namespace)
    kube.create_namespaced_config_map(namespace, yaml.safe_load(config_map))
    before = service_pod(kube, namespace, SERVICE)
    restarted = {"spec": {"template": {"metadata": {"annotations": {"product.dev/after": before.uid}}}}}
    AppsV1Api(kube.api_client).patch_namespaced_deployment(SERVICE, namespace, restarted)
    wait_for_condition(deployment_available(kube, namespace, SERVICE), ROLLOUT)


def withdraw(kube: CoreV1Api, namespace: str) -> None:
    """Delete what is deployed, if anything is; the code location keeps it until it starts anew."""
    try:
        kube.delete_namespaced_config_map(SERVICE, namespace)
    except ApiException as error:
        if error.status != GONE:
            raise
