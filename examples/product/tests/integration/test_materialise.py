"""A compiled product, loaded by Dagster and made into a table of the catalog."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.io.fsspec import FsspecFileIO

from product.artifacts import compile_files
from runtime.definitions import FOLDER, definitions

ORDERS = Path(__file__).parents[2] / "products" / "daily_orders.yml"


@pytest.fixture
def catalog() -> Catalog:
    """Return the catalog; its bucket is there."""
    found = load_catalog("products")
    files, warehouse = FsspecFileIO(found.properties).get_fs("s3"), found.properties["warehouse"]
    if not files.exists(warehouse):
        files.mkdir(warehouse)
    return found


@pytest.fixture
def bucket(catalog: Catalog) -> Iterator[str]:
    """Yield a bucket of the test's own."""
    files, name = FsspecFileIO(catalog.properties).get_fs("s3"), f"s3://test-{uuid.uuid4()}"
    files.mkdir(name)
    yield name
    files.rm(name, recursive=True)


@pytest.fixture
def namespace(catalog: Catalog) -> Iterator[str]:
    """Yield a namespace of the test's own."""
    name = f"shop_{uuid.uuid4().hex[:8]}"
    yield name
    for table in catalog.list_tables(name):
        catalog.drop_table(table)
    catalog.drop_namespace(name)


def test_product_becomes_a_table(
    catalog: Catalog, bucket: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are what its query makes of all files, and a later run puts others in their place."""
    files = FsspecFileIO(catalog.properties).get_fs("s3")
    text = ORDERS.read_text().replace("s3://shop", bucket).replace("namespace: shop", f"namespace: {namespace}")
    (tmp_path / "orders.yml").write_text(text)
    for name, content in compile_files([tmp_path / "orders.yml"]).items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    job = definitions().get_job_def("make_daily_orders")

    def rows() -> list[tuple[object, ...]]:
        table = catalog.load_table((namespace, "daily_orders"))
        (task,) = table.scan().plan_files()
        files.get_file(task.file.file_path, str(tmp_path / "rows.parquet"))
        query = "SELECT day::text, orders, revenue::text FROM read_parquet(?) ORDER BY 1"
        return duckdb.execute(query, [str(tmp_path / "rows.parquet")]).fetchall()

    files.pipe_file(f"{bucket}/orders/1.csv", b"day,amount\n2026-04-01,80.00\n2026-04-02,99.00\n")
    files.pipe_file(f"{bucket}/orders/2.csv", b"day,amount\n2026-04-01,20.50\n")
    with DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        assert rows() == [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]
        files.rm(f"{bucket}/orders/1.csv")
        assert job.execute_in_process(instance=instance).success
    assert rows() == [("2026-04-01", 1, "20.50")]
    table = catalog.load_table((namespace, "daily_orders"))
    assert (len(table.snapshots()), table.properties["owner"]) == (2, "shop@example.com")


def test_product_without_files(
    catalog: Catalog, bucket: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product whose files are not there fails with their place, and no table is made."""
    (tmp_path / "orders.yml").write_text(ORDERS.read_text().replace("s3://shop", bucket))
    for name, content in compile_files([tmp_path / "orders.yml"]).items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with DagsterInstance.ephemeral() as instance:
        done = (
            definitions().get_job_def("make_daily_orders").execute_in_process(instance=instance, raise_on_error=False)
        )
    assert not done.success
    (failure,) = [event for event in done.all_node_events if event.is_failure]
    assert "there is no CSV file below s3://" in str(failure.event_specific_data)
    catalog.create_namespace(namespace)
    assert not catalog.table_exists((namespace, "daily_orders"))
