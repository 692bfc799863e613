"""An object store that speaks S3, in MinIO's place: SeaweedFS, from a package that carries its binary.

No package index has MinIO's own server. SeaweedFS is as real a one: it keeps objects on disk, checks
signatures, and takes uploads in parts.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.local.files import write_whole
from floe_ci.local.local_service import NOT_INSTALLED, LocalService
from floe_ci.local.probes import HOST, answers
from floe_ci.local.processes import Process
from floe_ci.local.site import free_ports

if TYPE_CHECKING:
    from floe_ci.local.probes import Probe
    from floe_ci.local.site import Site

NAME: Final = "minio"
PARTS: Final = ("master", "volume", "filer", "admin")
"""Its other servers, each with a port for HTTP; all of them, and the one for S3, have one for gRPC too."""
OUTSIDE: Final = "outside"
"""The file that names what the server has outside of its folder."""
LONGEST_SOCKET: Final = 100
"""Bytes of a socket's path that every system takes: Linux 107, macOS 103."""
SHORT: Final = "/tmp"  # noqa: S108 - a folder of its own is made there
"""Where sockets are if the run's folder is too deep for them."""
_SHORT_PREFIX: Final = "floe-ci-"
OFF: Final = ("-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0")


def installation() -> Path | None:
    """Return the path of the server's binary; None where it isn't installed."""
    found = shutil.which("weed", path=sysconfig.get_path("scripts"))
    return Path(found) if found else None


async def processes(site: Site) -> list[Process]:
    """Return the server's process."""
    home = site.folder / NAME
    home.mkdir()
    settings = site.settings("minio-connection")
    credentials = {
        "accessKey": settings["FLOE_MINIO_ACCESS_KEY"],
        "secretKey": site.passwords["FLOE_MINIO_SECRET_KEY"],
    }
    identity = {"name": "floe", "credentials": [credentials], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    config = home / "s3.json"
    write_whole(config, json.dumps({"identities": [identity]}))

    names = [*(f"{part}.port" for part in PARTS), *(f"{part}.port.grpc" for part in (*PARTS, "s3"))]
    ports = {**dict(zip(names, free_ports(len(names)), strict=True)), "s3.port": site.ports[NAME]}
    binary = installation()
    assert binary is not None, "the place has checked it"  # noqa: S101 - a programmer's mistake, not the user's
    (home / "data").mkdir()
    sockets = _folder_for_sockets(home)
    grpc = [_socket(part, ports[f"{part}.port.grpc"]) for part in (*PARTS, "s3")]
    write_whole(home / OUTSIDE, "".join(f"{path}\n" for path in (*grpc, *([] if sockets == home else [sockets]))))
    command = (
        str(binary),
        "mini",
        f"-dir={home / 'data'}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        f"-s3.config={config}",
        f"-s3.localSocket={sockets / 's3.sock'}",
        f"-filer.localSocket={sockets / 'filer.sock'}",
        *(f"-{name}={port}" for name, port in ports.items()),
        *OFF,
    )
    # One volume for a bucket, not seven: a volume is a file that it makes when the first object comes.
    environment = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    ready = _writable(ports["filer.port"], ports["s3.port"])
    return [Process(NAME, command, environment, home, ready)]


def give_back(folder: Path) -> None:
    """Remove the sockets that a server of a run has left."""
    with suppress(OSError):
        for path in map(Path, (folder / NAME / OUTSIDE).read_text(encoding="utf-8").splitlines()):
            if path.name.startswith(_SHORT_PREFIX):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _folder_for_sockets(home: Path) -> Path:
    """Return a private folder whose path is short enough for a socket in it: the server's own, or else a new one."""
    if len(os.fsencode(home / "filer.sock")) <= LONGEST_SOCKET:
        return home
    return Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=SHORT))


def _socket(part: str, port: int) -> str:
    """Return the path that the server makes up for a socket; none can be set."""
    return f"/tmp/seaweedfs-{part}-grpc-{port}.sock"  # noqa: S108 - as above


def _writable(filer: int, s3: int) -> Probe:
    """Return a probe of whether an object can be kept, not only whether the server listens."""
    written, open_to_clients = answers(filer, "/.ready", method="PUT", body=b"ready"), answers(s3, "/healthz")

    async def look() -> str | None:
        return await written() or await open_to_clients()

    return look


SERVICE = LocalService(
    name=NAME,
    origin=lambda: "SeaweedFS in MinIO's place, which is in no package index; it speaks S3 as well",
    lacking=lambda: None if installation() else NOT_INSTALLED.format(NAME),
    processes=processes,
    give_back=give_back,
)
