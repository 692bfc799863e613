"""A product that breaks a policy is not deployed; the mended one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_product import compiled
from floe_testing.services.clients.dagster import DagsterRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from s3fs import S3FileSystem

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(840)]

VIOLATIONS = {
    "naming": ("name: weekly_orders", "name: Weekly-Orders"),
    "required-metadata": ("owner: shop@example.com\n", ""),
    "forbidden-classification": ("classification: internal", "classification: personal"),
}
"""What is changed in a specification that keeps to every rule, by the rule that it breaks then."""


@pytest.mark.requirement("T15")
@pytest.mark.journey("governance")
def test_broken_policy_keeps_a_product_out(
    specification: Path,
    deployed: Callable[[str], DagsterClient],
    minio_bucket: str,
    minio_files: S3FileSystem,
) -> None:
    """Each broken rule is named, and keeps a good product back too; Dagster has only what was mended, and makes it."""
    weekly = specification.with_name("weekly_orders.yml")
    kept = specification.read_text().replace("daily_orders", "weekly_orders")
    for rule, (before, after) in VIOLATIONS.items():
        weekly.write_text(kept.replace(before, after))
        refused = compiled(specification, weekly)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"{weekly.name}: " in refused.stderr
        assert f": {rule}: " in refused.stderr

    without = compiled(specification)
    assert without.returncode == 0, without.stderr
    dagster = deployed(without.stdout)
    with pytest.raises(DagsterRefusedError) as unknown:
        dagster.launch("make_weekly_orders")
    assert unknown.value.kind == "PipelineNotFoundError"

    weekly.write_text(kept)
    mended = compiled(specification, weekly)
    assert mended.returncode == 0, mended.stderr
    deployed(mended.stdout)
    minio_files.pipe_file(f"{minio_bucket}/orders/1.csv", b"day,amount\n2026-04-01,80.00\n")
    run = dagster.launch("make_weekly_orders")
    assert dagster.wait_for_run(run) == "SUCCESS", dagster.failures(run)
