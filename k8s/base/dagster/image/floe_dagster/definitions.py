"""The code location: orders of a batch become totals per day."""

from contextlib import closing

from dagster import (
    Config,
    Definitions,
    Failure,
    MaterializeResult,
    asset,
    define_asset_job,
    in_process_executor,
)

from floe_dagster.database import connect

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
def daily_orders(config: Batch) -> MaterializeResult:
    """Total the orders of one batch per day, in the `daily_orders` table; a second run changes nothing."""
    with closing(connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(REFRESH, (config.batch,))
        rows, orders, revenue = cursor.fetchone()
        if not rows:
            raise Failure(description=f"raw_orders has no order of batch {config.batch!r}")
    return MaterializeResult(
        metadata={"batch": config.batch, "rows": rows, "orders": int(orders), "revenue": float(revenue)}
    )


definitions = Definitions(
    assets=[daily_orders],
    # One step needs no process of its own.
    jobs=[define_asset_job("refresh_orders", [daily_orders], executor_def=in_process_executor)],
)
