"""Two data products at the same time, on the same platform, keep out of each other's way."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from floe_testing.isolation.naming import unique_name
from floe_testing.services.clients.minio import temporary_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection
    from minio import Minio
    from s3fs import S3FileSystem

    from floe_testing.services.clients.dagster import DagsterClient
    from tests.e2e.conftest import Barrier

pytestmark = [pytest.mark.requirement("REQ-641", "REQ-645"), pytest.mark.timeout(780)]

SHOES = b"day,amount\n2026-04-01,80.00\n2026-04-01,20.50\n2026-04-02,99.00\n"
BOOKS = b"day,amount\n2026-04-01,12.00\n2026-04-03,7.25\n"


@dataclass(frozen=True)
class Product:
    """A data product: files in a bucket, and the batch that was loaded from them."""

    bucket: str
    batch: str


@pytest.fixture
def new_product(
    minio: Minio,
    minio_files: S3FileSystem,
    duckdb: DuckDBPyConnection,
    new_batch: Callable[..., str],
    run_id: str,
) -> Iterator[Callable[[bytes], Product]]:
    """Yield a function that puts a file into a bucket of its own, and loads what is in that; both are removed after."""
    duckdb.register_filesystem(minio_files)

    with ExitStack() as stack:

        def make(file: bytes) -> Product:
            bucket = stack.enter_context(temporary_bucket(minio, unique_name("product", run_id)))
            minio.put_object(bucket, "orders.csv", io.BytesIO(file), len(file))
            orders = duckdb.sql(f"SELECT day::text, amount FROM read_csv('s3://{bucket}/*.csv')").fetchall()  # noqa: S608 - ours
            return Product(bucket, new_batch(*orders))

        yield make


@pytest.mark.requirement("T16")
@pytest.mark.journey("products")
def test_products_do_not_mix(
    dagster: DagsterClient,
    new_product: Callable[[bytes], Product],
    refresh: Callable[[str], str],
    barrier: Barrier,
    totals: Callable[[str], list[tuple[str, int, str]]],
) -> None:
    """Runs of two products that are in progress at once each total their own orders, and record only those."""
    shoes, books = new_product(SHOES), new_product(BOOKS)
    shoes_run, books_run = refresh(shoes.batch), refresh(books.batch)
    barrier.wait_for_runs(2)
    assert [dagster.status(run) for run in (shoes_run, books_run)] == ["STARTED", "STARTED"]
    barrier.lift()

    assert [dagster.wait_for_run(run) for run in (shoes_run, books_run)] == ["SUCCESS", "SUCCESS"]
    assert totals(shoes.batch) == [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]
    assert totals(books.batch) == [("2026-04-01", 1, "12.00"), ("2026-04-03", 1, "7.25")]
    recorded = [
        each.metadata for run in (shoes_run, books_run) for each in dagster.materializations("daily_orders", run)
    ]
    assert recorded == [
        {"batch": shoes.batch, "rows": 2, "orders": 3, "revenue": 199.5},
        {"batch": books.batch, "rows": 2, "orders": 2, "revenue": 19.25},
    ]


def test_failure_of_one_spares_the_other(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    dagster: DagsterClient,
    new_product: Callable[[bytes], Product],
    refresh: Callable[[str], str],
    barrier: Barrier,
    totals: Callable[[str], list[tuple[str, int, str]]],
    run_id: str,
) -> None:
    """A product whose run fails while another's is in progress does not touch it."""
    books = new_product(BOOKS)
    books_run = refresh(books.batch)
    barrier.wait_for_runs(1)
    broken_run = refresh(unique_name("nothing", run_id))
    barrier.wait_for_runs(2)
    barrier.lift()

    assert dagster.wait_for_run(broken_run) == "FAILURE"
    assert dagster.wait_for_run(books_run) == "SUCCESS"
    assert totals(books.batch) == [("2026-04-01", 1, "12.00"), ("2026-04-03", 1, "7.25")]
