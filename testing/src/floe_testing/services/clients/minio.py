"""MinIO, through its own client."""

from collections.abc import Iterator
from contextlib import contextmanager

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError

from floe_testing.errors import FloeTestingError
from floe_testing.services.models import MinIOConfig
from floe_testing.waiting.polling import HopelessError, PollingConfig, wait_for_condition

NOT_YET = (urllib3.exceptions.HTTPError, InvalidResponseError, ServerError)
"""What a server does that is still starting: at first it answers 404, and not as S3 does. A refused key is another."""


class BucketNotEmptiedError(FloeTestingError):
    """Objects of a test's bucket could not be removed."""


@contextmanager
def connect(config: MinIOConfig) -> Iterator[Minio]:
    """Yield a client; its connections are closed after."""
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5.0, read=30.0),
        # Not where nobody listens: that is for the caller to wait for, and each try is a warning in the log.
        retries=urllib3.Retry(total=2, connect=0, backoff_factor=0.2, status_forcelist=[502, 503, 504]),
        maxsize=10,
    )
    try:
        yield Minio(
            config.address,
            access_key=config.access_key,
            secret_key=config.secret_key.get_secret_value(),
            secure=config.secure,
            http_client=pool,
        )
    finally:
        pool.clear()


def answers(client: Minio) -> bool:
    """Look once whether buckets can be listed.

    Raises:
        HopelessError: The server answers, and refuses.
    """
    try:
        client.list_buckets()
    except S3Error as error:
        message = f"MinIO refuses: {error}"
        raise HopelessError(message) from error
    return True


def wait_until_answers(config: MinIOConfig, timeout: float = 60.0) -> None:
    """Wait until buckets can be listed. A refused key is not waited for.

    Each look has a connection of its own: one that was made while the server started may answer 404 for ever.

    Raises:
        ConditionTimeoutError: No answer came for `timeout` seconds.
        minio.error.S3Error: The server answers, and refuses.
    """

    def answers() -> bool:
        with connect(config) as client:
            client.list_buckets()
        return True

    description = f"MinIO at {config.address} answers"
    wait_for_condition(
        answers,
        PollingConfig(timeout=timeout, interval=0.2, description=description),
        retry_on=NOT_YET,
    )


@contextmanager
def temporary_bucket(client: Minio, name: str) -> Iterator[str]:
    """Make a bucket and yield its name; remove it after, with all that is in it."""
    client.make_bucket(name)
    try:
        yield name
    finally:
        remove_bucket(client, name)


def remove_bucket(client: Minio, name: str) -> None:
    """Remove a bucket, with all versions of all that is in it. One that is gone already is no error.

    Raises:
        BucketNotEmptiedError: Names the objects that could not be removed.
    """
    try:
        objects = client.list_objects(name, recursive=True, include_version=True)
        listed = (DeleteObject(each.object_name, each.version_id) for each in objects if each.object_name)
        failed = [f"{error.name}: {error.message}" for error in client.remove_objects(name, listed)]
        if not failed:
            client.remove_bucket(name)
    except S3Error as error:
        if error.code == "NoSuchBucket":
            return
        raise
    if failed:
        message = f"bucket {name} could not be emptied: {'; '.join(failed)}"
        raise BucketNotEmptiedError(message)


def buckets(client: Minio) -> list[str]:
    """Return the names of the server's buckets."""
    return [each.name for each in client.list_buckets()]
