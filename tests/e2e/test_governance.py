"""A product that breaks a policy is not deployed; the mended one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.client import ApiException

from data_product import SERVICE, compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubernetes.client import CoreV1Api
    from s3fs import S3FileSystem

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = pytest.mark.requirement("REQ-641")

VIOLATIONS = {
    "naming": ("name: daily_orders", "name: Weekly-Orders"),
    "required-metadata": ("owner: shop@example.com\n", ""),
    "forbidden-classification": ("classification: internal", "classification: personal"),
}
"""What is changed in a specification that keeps to every rule, by the rule that it breaks then."""


@pytest.mark.requirement("T15")
@pytest.mark.journey("governance")
def test_broken_policy_keeps_a_product_out(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    specification: Path,
    deployed: Callable[[str], DagsterClient],
    kube: CoreV1Api,
    kube_namespace: str,
    minio_bucket: str,
    minio_files: S3FileSystem,
) -> None:
    """Each rule that is broken is named, and nothing comes out to be deployed; the mended product is made."""
    kept = specification.read_text()
    for rule, (before, after) in VIOLATIONS.items():
        specification.write_text(kept.replace(before, after))
        refused = compiled(specification)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f": {rule}: " in refused.stderr
    with pytest.raises(ApiException) as nothing:
        kube.read_namespaced_config_map(SERVICE, kube_namespace)
    assert nothing.value.status == 404

    specification.write_text(kept)
    mended = compiled(specification)
    assert mended.returncode == 0, mended.stderr
    dagster = deployed(mended.stdout)
    minio_files.pipe_file(f"{minio_bucket}/orders/1.csv", b"day,amount\n2026-04-01,80.00\n")
    run = dagster.launch("make_daily_orders")
    assert dagster.wait_for_run(run) == "SUCCESS", dagster.failures(run)
