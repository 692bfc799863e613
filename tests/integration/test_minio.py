"""MinIO keeps objects, and gives them to nobody without a key or a signature."""

import hashlib
import io

import httpx
import pytest
from minio import Minio
from minio.error import S3Error
from pydantic import SecretStr

from floe_testing.services import MinIOConfig
from floe_testing.services.clients.minio import connect

pytestmark = pytest.mark.requirement("REQ-640")

PART = 5 * 1024 * 1024
"""Bytes. The smallest part that S3 allows, but for the last."""


def put(minio: Minio, bucket: str, name: str, content: bytes) -> None:
    """Put bytes as an object."""
    minio.put_object(bucket, name, io.BytesIO(content), len(content))


def test_object_comes_back_as_it_was_put(minio: Minio, minio_bucket: str) -> None:
    """An object's bytes, type and metadata are those it was put with."""
    content = bytes(range(256)) * 4
    minio.put_object(
        minio_bucket,
        "folder/täst.bin",
        io.BytesIO(content),
        len(content),
        content_type="application/x-floe",
        metadata={"origin": "test"},
    )
    with minio.get_object(minio_bucket, "folder/täst.bin") as response:
        assert response.read() == content
        assert response.headers["content-type"] == "application/x-floe"
        assert response.headers["x-amz-meta-origin"] == "test"


def test_list_finds_what_has_the_prefix(minio: Minio, minio_bucket: str) -> None:
    """Listing a prefix finds the objects below it, and folds deeper ones into folders unless asked not to."""
    for name in ("raw/1.csv", "raw/2.csv", "raw/old/0.csv", "rawer.csv"):
        put(minio, minio_bucket, name, b"x")
    found = [each.object_name for each in minio.list_objects(minio_bucket, prefix="raw/")]
    assert sorted(filter(None, found)) == ["raw/1.csv", "raw/2.csv", "raw/old/"]
    found = [each.object_name for each in minio.list_objects(minio_bucket, prefix="raw/", recursive=True)]
    assert sorted(filter(None, found)) == ["raw/1.csv", "raw/2.csv", "raw/old/0.csv"]


def test_removed_object_is_gone(minio: Minio, minio_bucket: str) -> None:
    """An object that was removed can't be read."""
    put(minio, minio_bucket, "x", b"x")
    minio.remove_object(minio_bucket, "x")
    with pytest.raises(S3Error) as refused:
        minio.stat_object(minio_bucket, "x")
    assert refused.value.code == "NoSuchKey"


def test_multipart_upload_is_one_object(minio: Minio, minio_bucket: str) -> None:
    """What is uploaded in parts is read as one object, whole and over the parts' border."""
    content = hashlib.shake_256(b"floe").digest(PART + PART // 2)
    written = minio.put_object(minio_bucket, "big", io.BytesIO(content), length=-1, part_size=PART)
    assert written.etag is not None
    assert written.etag.strip('"').endswith("-2")
    with minio.get_object(minio_bucket, "big") as response:
        assert hashlib.sha256(response.read()).digest() == hashlib.sha256(content).digest()
    with minio.get_object(minio_bucket, "big", offset=PART - 8, length=16) as response:
        assert response.read() == content[PART - 8 : PART + 8]


def test_presigned_url_gives_that_object_and_no_other(minio: Minio, minio_bucket: str) -> None:
    """A presigned URL fetches its object, and is refused for another or with another signature."""
    put(minio, minio_bucket, "open", b"content")
    put(minio, minio_bucket, "shut", b"secret")
    url = httpx.URL(minio.presigned_get_object(minio_bucket, "open"))
    with httpx.Client(trust_env=False) as http:
        assert http.get(url).content == b"content"
        assert http.get(url.copy_with(path=f"/{minio_bucket}/shut")).status_code == 403
        assert http.get(url.copy_set_param("X-Amz-Signature", "0" * 64)).status_code == 403
        assert http.get(url.copy_with(query=None)).status_code == 403


def test_wrong_key_is_refused(minio_config: MinIOConfig, minio_bucket: str) -> None:
    """Neither a wrong secret nor an unknown access key gets anything."""
    wrong_secret = minio_config.model_copy(update={"secret_key": SecretStr("not-the-secret")})
    with connect(wrong_secret) as client, pytest.raises(S3Error) as refused:
        list(client.list_objects(minio_bucket))
    assert refused.value.code == "SignatureDoesNotMatch"
    stranger = minio_config.model_copy(update={"access_key": "stranger"})
    with connect(stranger) as client, pytest.raises(S3Error) as refused:
        list(client.list_objects(minio_bucket))
    assert refused.value.code == "InvalidAccessKeyId"
