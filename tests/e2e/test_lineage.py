"""Lineage: what a run of Dagster's and one of dbt's read and wrote is in Marquez, where the tier has one."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from data_product import compiled
from floe_testing import PollingConfig, Unmet, wait_for_condition
from floe_testing.isolation.naming import unique_name
from floe_testing.services import locate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from s3fs import S3FileSystem

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(540)]

SOON = PollingConfig(timeout=30, interval=0.5)


@pytest.fixture(scope="session")
def marquez() -> str:
    """Return the URL of Marquez' API under the namespace that the demo product tells its runs in."""
    if "FLOE_MARQUEZ_HOST" not in os.environ:
        pytest.skip("there is no Marquez in the tier: where its image can be had, add ../base/marquez to k8s/e2e")
    address = locate("marquez", 5000)
    return f"http://{address.host}:{address.port}/api/v1/namespaces/products"


def wait_for_outputs(marquez: str, job: str) -> set[str]:
    """Return the names of what the job with that end of its name has written, once Marquez knows of it."""

    def look() -> set[str] | Unmet:
        with urllib3.PoolManager(timeout=10.0, retries=False) as http:
            answer = http.request("GET", f"{marquez}/jobs?limit=1000")
        if answer.status != HTTPStatus.OK:  # until the first run, it does not know the namespace
            return Unmet(f"Marquez answers {answer.status}: {answer.data[:200]!r}")
        jobs: list[dict[str, Any]] = answer.json()["jobs"]
        found = [each for each in jobs if each["name"].endswith(job) and each["latestRun"]]
        ended = [each for each in found if each["latestRun"]["state"] == "COMPLETED"]
        names = {output["name"] for each in ended for output in each["outputs"]}
        return names or Unmet(f"jobs in Marquez: {sorted(each['name'] for each in jobs)}")

    return wait_for_condition(look, SOON, retry_on=(urllib3.exceptions.HTTPError,))


@pytest.mark.journey("lineage")
@pytest.mark.requirement("T14")
def test_product_is_told_of(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    marquez: str,
    specification: Path,
    deployed: Callable[[str], DagsterClient],
    polaris_namespace: str,
    minio_bucket: str,
    minio_files: S3FileSystem,
) -> None:
    """The run that makes a product is in Marquez, with the table that it wrote."""
    minio_files.pipe_file(f"{minio_bucket}/orders/1.csv", b"day,amount\n2026-04-01,80.00\n")
    dagster = deployed(compiled(specification).stdout)
    run = dagster.launch("make_daily_orders")
    assert dagster.wait_for_run(run) == "SUCCESS", dagster.failures(run)
    assert f"{polaris_namespace}.daily_orders" in wait_for_outputs(marquez, "make_daily_orders")


def test_dbt_is_told_of(marquez: str, shop: DagsterClient, run_id: str) -> None:
    """The models that dbt has run are in Marquez, each with its table."""
    schema = unique_name("lineage", run_id).replace("-", "_")
    config = {"target": "duckdb", "db_schema": schema, "build": True}
    run = shop.launch("make_shop", {"ops": {"shop": {"config": config}}})
    assert shop.wait_for_run(run) == "SUCCESS", shop.failures(run)
    assert f"shop.{schema}.daily_orders" in wait_for_outputs(marquez, "shop.daily_orders.build.run")
