"""Orders from a bucket, summed up by DuckDB, and put back as Parquet."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import duckdb


def sum_up(bucket: str, prefix: str, target: str) -> int:
    """Sum up the CSV objects below a prefix by item, and put the sums into one Parquet object.

    Returns:
        How many items there are.
    """
    s3 = boto3.client("s3")
    with TemporaryDirectory() as folder:
        for number, page in enumerate(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)):
            for each, found in enumerate(page.get("Contents", [])):
                s3.download_file(bucket, found["Key"], str(Path(folder, f"{number}-{each}.csv")))
        database = duckdb.connect()
        database.execute(
            "CREATE TABLE sums AS "
            "SELECT item, sum(amount)::BIGINT AS amount FROM read_csv(?) GROUP BY item ORDER BY item",
            [str(Path(folder, "*.csv"))],
        )
        written = Path(folder, "sums.parquet")
        database.table("sums").write_parquet(str(written))
        s3.put_object(Bucket=bucket, Key=target, Body=io.BytesIO(written.read_bytes()))
        return database.table("sums").shape[0]
