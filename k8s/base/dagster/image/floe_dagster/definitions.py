"""The code location: orders of a batch become totals per day."""

from decimal import Decimal

import psycopg2
from dagster import (
    AssetExecutionContext,
    Config,
    Definitions,
    Failure,
    MaterializeResult,
    asset,
    define_asset_job,
    in_process_executor,
)

from floe_dagster.database import transaction
from floe_dagster.start import wait_for_postgres
from floe_dagster.tracing import traced

REFRESH = """
WITH totals AS (
    INSERT INTO daily_orders (batch, day, orders, revenue)
    SELECT batch, day, count(*), sum(amount) FROM raw_orders WHERE batch = %s GROUP BY batch, day
    ON CONFLICT (batch, day) DO UPDATE SET orders = excluded.orders, revenue = excluded.revenue
    RETURNING orders, revenue
)
SELECT count(*), coalesce(sum(orders), 0), coalesce(sum(revenue), 0) FROM totals
"""


class Batch(Config):
    """Which orders to total."""

    batch: str


@asset
def daily_orders(context: AssetExecutionContext, config: Batch) -> MaterializeResult:
    """Total the orders of one batch per day, in the `daily_orders` table; a second run changes nothing."""
    with traced(context.run) as tracer, tracer.start_as_current_span("daily_orders") as span:
        span.set_attribute("batch", config.batch)
        rows, orders, revenue = refresh(config.batch)
        if not rows:
            raise Failure(description=f"raw_orders has no order of batch {config.batch!r}")
        span.set_attribute("rows", rows)
    return MaterializeResult(
        metadata={"batch": config.batch, "rows": rows, "orders": int(orders), "revenue": float(revenue)}
    )


def refresh(batch: str) -> tuple[int, Decimal, Decimal]:
    """Total the orders of a batch, and return the number of days and of orders, and the revenue.

    Raises:
        Failure: The database went away.
    """
    try:
        with transaction() as cursor:
            cursor.execute(REFRESH, (batch,))
            return cursor.fetchone()
    except psycopg2.OperationalError as error:
        reason = str(error).splitlines()[0]
        # Dagster keeps its own records there: until it is back, not even the failure can be recorded.
        wait_for_postgres()
        description = f"PostgreSQL went away: {reason}. It is back: launch the run again"
        raise Failure(description) from error


definitions = Definitions(
    assets=[daily_orders],
    # One step needs no process of its own.
    jobs=[define_asset_job("refresh_orders", [daily_orders], executor_def=in_process_executor)],
)
