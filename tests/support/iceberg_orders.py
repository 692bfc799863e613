"""An Iceberg table of orders, whatever its catalog is: DuckDB writes and reads its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, StringType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.table import Table
    from s3fs import S3FileSystem

ORDERS = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "customer", StringType()))


def append(table: Table, lake: DuckDBPyConnection, files: S3FileSystem, name: str, *rows: tuple[int, str]) -> None:
    """Write rows to a Parquet file of the table, and commit it."""
    path = f"{table.location()}/data/{name}.parquet"
    columns = lake.values(*rows).project("col0::BIGINT AS id, col1 AS customer")
    columns.write_parquet(path, field_ids={"id": 1, "customer": 2})
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=len(rows),
        file_size_in_bytes=files.size(path),
    )
    # What a table's own `append` does, which needs PyArrow: half the size of the whole runner image.
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as snapshot:
        snapshot.append_data_file(file)


def rows(table: Table, lake: DuckDBPyConnection, **scan: int) -> list[tuple[int, str]]:
    """Return the rows of the files that a scan of the table names."""
    files = [task.file.file_path for task in table.scan(**scan).plan_files()]
    return lake.execute("SELECT id, customer FROM read_parquet(?) ORDER BY id", [files]).fetchall()
