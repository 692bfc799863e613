"""A product's table: made of its files by DuckDB, and kept in an Iceberg catalog."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

CATALOG = "products"
"""PyIceberg finds it by its own variables, PYICEBERG_CATALOG__PRODUCTS__…"""


class NoSourceError(Exception):
    """There is nothing to make a product of."""


@dataclass(frozen=True)
class Made:
    """What came of it."""

    rows: int
    snapshot: int


def make(product: Mapping[str, Any]) -> Made:
    """Make a product's table anew of its files; whoever reads it meanwhile sees the rows of before.

    Raises:
        NoSourceError: There are no files.
        duckdb.Error: Its query fails with what is in them.
    """
    catalog = load_catalog(CATALOG)
    files = FsspecFileIO(catalog.properties).get_fs("s3")
    schema = Schema.model_validate(product["schema"])
    with TemporaryDirectory() as folder:
        result = Path(folder, "result.parquet")
        rows = _query(product, files, schema, result)
        table = _table(catalog, product, schema)
        return Made(rows, _replace(table, files, result, rows))


def _query(product: Mapping[str, Any], files: AbstractFileSystem, schema: Schema, result: Path) -> int:
    """Write what the query makes of all files, and return how many rows that are."""
    found = files.glob(f"{product['source'].rstrip('/')}/*.csv")
    if not found:
        reason = f"{product['name']}: there is no CSV file below {product['source']}"
        raise NoSourceError(reason)
    for number, path in enumerate(found):
        files.get_file(path, str(result.with_name(f"{number}.csv")))
    database = duckdb.connect()
    database.read_csv(str(result.with_name("*.csv"))).create_view("source")
    made = database.sql(product["query"])
    ids = {field.name: field.field_id for field in schema.fields}
    made.write_parquet(str(result), field_ids=ids)  # by which Iceberg knows a column
    return int(database.read_parquet(str(result)).shape[0])


def _table(catalog: Catalog, product: Mapping[str, Any], schema: Schema) -> Table:
    identifier = tuple(product["table"])
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        catalog.create_namespace_if_not_exists(identifier[:-1])
        about = {"owner": product["owner"], "comment": product["description"]}
        return catalog.create_table_if_not_exists(identifier, schema, properties=about)


def _replace(table: Table, files: AbstractFileSystem, result: Path, rows: int) -> int:
    """Put a file in the place of those that the table has, in one snapshot, and return its id."""
    before = [task.file for task in table.scan().plan_files()]
    path = f"{table.location()}/data/{uuid.uuid4()}.parquet"
    files.put_file(str(result), path)
    made = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows,
        file_size_in_bytes=result.stat().st_size,
    )
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
        for file in before:
            snapshot.delete_data_file(file)
        snapshot.append_data_file(made)
    current = table.current_snapshot()
    return current.snapshot_id if current else 0
