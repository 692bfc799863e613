"""Sums of what is in a bucket."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import duckdb
import pytest
from botocore.exceptions import ClientError

from lake import sum_up


@pytest.fixture
def bucket() -> Iterator[str]:
    """Yield a bucket of the test's own; boto3 finds the store by the variables that it always reads."""
    name = f"test-{uuid.uuid4()}"
    resource = boto3.resource("s3").create_bucket(Bucket=name)
    yield name
    resource.objects.all().delete()
    resource.delete()


def test_objects_are_summed_up(bucket: str, tmp_path: Path) -> None:
    """Every object below the prefix counts, and no other; the sums can be read back."""
    s3 = boto3.client("s3")
    for key, text in {
        "orders/1.csv": "item,amount\ntea,1\ncoffee,2\n",
        "orders/2.csv": "item,amount\ntea,3\n",
        "other/3.csv": "item,amount\ntea,1000\n",
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    assert sum_up(bucket, "orders/", "sums.parquet") == 2
    s3.download_file(bucket, "sums.parquet", str(tmp_path / "sums.parquet"))
    assert duckdb.read_parquet(str(tmp_path / "sums.parquet")).fetchall() == [("coffee", 2), ("tea", 4)]


def test_bucket_that_is_not_there() -> None:
    """A bucket that is not there is an error of the store, not an empty sum."""
    with pytest.raises(ClientError, match="NoSuchBucket"):
        sum_up(f"test-{uuid.uuid4()}", "orders/", "sums.parquet")
