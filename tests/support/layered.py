"""A layer more on an image in a registry, without any engine: files for the tests to be run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
TIMEOUT = 60.0


def with_files(image: str, tag: str, files: Mapping[str, str]) -> str:
    """Push an image with further files under another tag, and return its name.

    Args:
        image: HOST/NAME:TAG, in a registry that speaks plain HTTP.
        tag: The other tag.
        files: Their texts, by their paths without the first slash.
    """
    where, _, old = image.rpartition(":")
    host, _, name = where.partition("/")
    base = f"http://{host}/v2/{name}"
    manifest = read(f"{base}/manifests/{old}")
    if "manifests" in manifest:
        manifest = read(f"{base}/manifests/{manifest['manifests'][0]['digest']}")
    config = read(f"{base}/blobs/{manifest['config']['digest']}")
    raw = archive(files)
    layer, history = gzip.compress(raw), config.get("history")
    config["rootfs"]["diff_ids"].append(digest(raw))
    if history:
        history.append({"created_by": "files of a test"})
    manifest["layers"].append({"mediaType": LAYER, **push(base, layer)})
    manifest["config"] |= push(base, json.dumps(config).encode())
    send("PUT", f"{base}/manifests/{tag}", json.dumps(manifest).encode(), manifest["mediaType"])
    return f"{where}:{tag}"


def archive(files: Mapping[str, str]) -> bytes:
    """Return files as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def read(url: str) -> dict[str, Any]:
    """Return a manifest or a configuration."""
    request = Request(url, headers={"Accept": ", ".join((*INDEXES, *MANIFESTS))})  # noqa: S310 - plain HTTP is meant
    with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        found: dict[str, Any] = json.load(answer)
        return found


def push(base: str, blob: bytes) -> dict[str, Any]:
    """Push a blob, and return how a manifest names it."""
    begun = send("POST", f"{base}/blobs/uploads/", b"", "application/octet-stream")
    url = begun if begun.startswith("http") else "/".join(base.split("/")[:3]) + begun
    together = "&" if "?" in url else "?"
    send("PUT", f"{url}{together}digest={digest(blob)}", blob, "application/octet-stream")
    return {"digest": digest(blob), "size": len(blob)}


def send(method: str, url: str, body: bytes, kind: str) -> str:
    """Send something, and return where the registry says it is."""
    request = Request(url, data=body, method=method, headers={"Content-Type": kind})  # noqa: S310 - plain HTTP is meant
    with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        return str(answer.headers.get("Location", ""))


def digest(blob: bytes) -> str:
    """Return what a blob is known by."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
