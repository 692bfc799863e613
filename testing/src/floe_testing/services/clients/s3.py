"""The MinIO server as a file system, for what reads files: DuckDB, PyArrow, pandas."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3fs import S3FileSystem

from floe_testing.services.models import MinIOConfig


@contextmanager
def filesystem(config: MinIOConfig) -> Iterator[S3FileSystem]:
    """Yield an fsspec file system of the protocol `s3`; its session is closed after."""
    files = S3FileSystem(
        key=config.access_key,
        secret=config.secret_key.get_secret_value(),
        endpoint_url=config.url,
        client_kwargs={"region_name": "us-east-1"},
        # One of its own: the cached one may be another test's, and closed.
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    try:
        yield files
    finally:
        if files._s3 is not None:  # noqa: SLF001 - the public property would open the session to close it
            S3FileSystem.close_session(files.loop, files._s3)  # noqa: SLF001 - as above
