"""The code location: an asset and a job for each product that is deployed, and the shop's dbt project."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    Config,
    Definitions,
    Failure,
    MaterializeResult,
    asset,
    define_asset_job,
    in_process_executor,
)

from runtime import lifecycle, lineage, tables

FOLDER = "PRODUCTS_FOLDER"
"""The variable that says where compiled products are; a folder that is not there has none."""


def definitions() -> Definitions:
    """Return what Dagster is to know: a product that is no JSON is told by name, and nothing is loaded."""
    products = [_asset(each) for each in deployed(Path(os.environ[FOLDER]))]
    jobs = [
        define_asset_job(f"make_{each.key.to_user_string()}", [each], executor_def=in_process_executor)
        for each in (*products, shop)
    ]
    return Definitions(assets=[*products, shop], jobs=jobs)


def deployed(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the products in a folder."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            reason = f"{path.name}: is no compiled product: {error}"
            raise ValueError(reason) from error


def _asset(product: dict[str, Any]) -> AssetsDefinition:
    @asset(name=product["name"], description=product["description"], metadata={"owner": product["owner"]})
    def table(context: AssetExecutionContext) -> MaterializeResult[None]:
        name = ".".join(product["table"])
        try:
            with lineage.told(context.run.job_name, context.run.run_id, product["source"], name):
                made = tables.make(product)
        except tables.NoSourceError as error:
            raise Failure(description=str(error)) from error
        return MaterializeResult(metadata={"rows": made.rows, "table": name})

    return table


class Shop(Config):
    """How the shop's dbt project is run."""

    target: str
    """`duckdb` or `postgres`."""
    db_schema: str
    """Where its tables are put."""
    orders: str | None = None
    """CSV in the place of its seed."""
    build: bool = False
    """Whether by `dbt build`, in place of one step after the other."""


@asset
def shop(context: AssetExecutionContext, config: Shop) -> MaterializeResult[None]:
    """Seed, run, test and snapshot the shop's tables, and make their documentation."""
    try:
        with lifecycle.Shop(config.target, config.db_schema, config.orders) as project:
            if config.build:
                return MaterializeResult(metadata={"passed": project.build()})
            lived = project.live()
    except lifecycle.FailedError as error:
        raise Failure(description=str(error)) from error
    context.log.info("the snapshot holds %s versions", lived.versions)
    return MaterializeResult(metadata={**lived.passed, "versions": lived.versions})
