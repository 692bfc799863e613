"""DuckDB reads and writes Parquet that is kept in MinIO."""

import pytest
from duckdb import DuckDBPyConnection, IOException
from minio import Minio
from s3fs import S3FileSystem

pytestmark = pytest.mark.requirement("REQ-640")

ORDERS = """
COPY (SELECT range AS id, range % 10 AS customer, CAST(range AS DECIMAL(10, 2)) / 4 AS amount
      FROM range({start}, {stop})) TO '{path}' (FORMAT parquet)
"""


@pytest.fixture(autouse=True)
def registered(duckdb: DuckDBPyConnection, minio_files: S3FileSystem) -> None:
    """Have DuckDB read s3:// paths from that MinIO."""
    duckdb.register_filesystem(minio_files)


def test_written_parquet_is_an_object(duckdb: DuckDBPyConnection, minio: Minio, minio_bucket: str) -> None:
    """What DuckDB writes to an s3:// path is a Parquet object in the bucket."""
    duckdb.execute(ORDERS.format(start=0, stop=1000, path=f"s3://{minio_bucket}/orders.parquet"))
    with minio.get_object(minio_bucket, "orders.parquet") as response:
        content = response.read()
    assert content[:4] == content[-4:] == b"PAR1"


@pytest.mark.requirement("REQ-640.2")
def test_query_spans_all_files_of_a_pattern(duckdb: DuckDBPyConnection, minio_bucket: str) -> None:
    """A query over a pattern sees the rows of every file that matches it, with their types."""
    for part in range(3):
        path = f"s3://{minio_bucket}/orders/{part}.parquet"
        duckdb.execute(ORDERS.format(start=part * 1000, stop=(part + 1) * 1000, path=path))
    orders = f"read_parquet('s3://{minio_bucket}/orders/*.parquet')"
    rows = duckdb.sql(f"SELECT count(*), sum(amount), count(DISTINCT customer) FROM {orders}").fetchall()  # noqa: S608 - the test's own bucket
    assert rows == [(3000, sum(range(3000)) / 4, 10)]
    assert duckdb.sql(f"SELECT amount FROM {orders} WHERE id = 2001").fetchall() == [(2001 / 4,)]  # noqa: S608 - as above


def test_missing_file_is_an_error(duckdb: DuckDBPyConnection, minio_bucket: str) -> None:
    """A pattern that matches nothing is refused, not read as an empty table."""
    with pytest.raises(IOException, match="No files found"):
        duckdb.sql(f"SELECT * FROM read_parquet('s3://{minio_bucket}/none/*.parquet')").fetchall()  # noqa: S608 - as above
