"""`python -m floe_ci.local.standby`: a process that has loaded what a worker needs, and becomes one for each run.

To load it takes longer than most runs of one test. So whoever keeps services has a standby beside them, which forks a
worker when it is asked, with the caller's files, folder and variables: from there on it is a worker as any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

from floe_ci import contract
from floe_ci.errors import UserError
from floe_ci.local.files import cache
from floe_ci.product import product

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LONGEST: Final = 92
"""Bytes that the path of a socket may have on every system, and a number behind it."""
INTERPRETER: Final = ("PYTHON", "LC_", "LANG", "TZ")
"""What variables begin with that an interpreter reads when it starts: one that has read others is of no use."""
LATER: Final = (
    "floe_ci.local.__main__",
    "anyio._backends._asyncio",
)
"""What a worker loads when it needs it."""
REACHING: Final = 2.0
"""Seconds that a standby may take to answer; without it a caller has a worker of its own."""
MOST_FILES: Final = 8
FIRST: Final = 100
"""A file's number that is none of those that it is to have."""


class Worker:
    """A worker that a standby has become."""

    def __init__(self, connection: socket.socket) -> None:
        """Take what the standby tells its end through."""
        self._connection = connection

    def wait(self) -> int:
        """Return its exit code once it has ended, negative for a signal; 1 where its standby is gone too."""
        with self._connection, suppress(OSError):
            return int(self._connection.recv(16) or 1)
        return 1


def path_of(source: Path) -> Path | None:
    """Return the socket of a repository's standby of this program and interpreter; None where there can't be one."""
    own = {name: value for name, value in os.environ.items() if name.startswith(INTERPRETER)}
    # One that was started by a path such as ../.venv/bin/python is the same without the dots.
    interpreter = os.path.abspath(sys.executable)  # noqa: PTH100 - and without following links, which lead out of .venv
    told = json.dumps([str(source.resolve()), product(), interpreter, own], sort_keys=True)
    try:
        folder = cache(*contract.UP_FOLDER[1:])
    except UserError:  # the run that needs it says what is wrong with it, in its results too
        return None
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.socket"
    return path if len(os.fsencode(path)) <= LONGEST else None


def ask(source: Path, files: Mapping[int, int]) -> Worker | None:
    """Have the standby of a repository become a worker; return None where there is none.

    Args:
        source: The repository.
        files: This process's open files that the worker gets, by the number that each has there.
    """
    path = path_of(source)
    if path is None or not path.exists():
        return None
    os.umask(mask := os.umask(0))
    given = {"files": list(files), "folder": os.getcwd(), "umask": mask, "environment": dict(os.environ)}  # noqa: PTH109 - as it is
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(REACHING)
    try:
        connection.connect(str(path))
        socket.send_fds(connection, [b"\0"], list(files.values()))
        connection.sendall(json.dumps(given).encode())
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        connection.close()
        return None
    connection.settimeout(None)
    return Worker(connection)


@contextmanager
def beside(source: Path) -> Iterator[None]:
    """Have a standby for a repository as long as this lasts."""
    path = path_of(source)
    if path is None:
        yield
        return
    # -P: as for a worker.
    command = [sys.executable, "-P", "-m", "floe_ci.local.standby", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as standby:  # noqa: S603 - its own
        try:
            yield
        finally:
            standby.kill()
            path.unlink(missing_ok=True)


def serve(path: str) -> None:
    """Become a worker whenever somebody asks, until whoever has this process is gone."""
    load()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    workers: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as server:
        os.umask(0o077)
        server.bind(draft := f"{path}.{os.getpid()}")
        server.listen()
        os.replace(draft, path)  # noqa: PTH105 - a killed one may have left its own
        while sys.stdin.fileno() not in (ready := select.select([server, woken, sys.stdin], [], [])[0]):
            if server in ready:
                connection, _ = server.accept()
                if child := os.fork():
                    workers[child] = connection
                else:
                    for each in (server, *workers.values()):
                        each.close()
                    become_worker(connection)
            if woken in ready:
                os.read(woken, 4096)
                tell_ends(workers)


def load() -> None:
    """Load whatever a worker is going to need."""
    for name in LATER:
        import_module(name)
    list(import_module("floe_ci.local.lookup").every())
    import_module("floe_ci.local.session").load_end()


def tell_ends(workers: dict[int, socket.socket]) -> None:
    """Tell whoever has asked for workers how those ended that did."""
    for child in list(workers):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with workers.pop(child) as connection, suppress(OSError):
                connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def become_worker(connection: socket.socket) -> NoReturn:
    """Take the files, the folder and the variables of whoever asks, and be their worker to its end."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with connection:
            _, numbers, _, _ = socket.recv_fds(connection, 1, MOST_FILES)
            given = json.loads(connection.makefile("rb").read())
        take_files(dict(zip(given["files"], numbers, strict=True)))
        os.environ.clear()
        os.environ.update(given["environment"])
        os.umask(given["umask"])
        os.chdir(given["folder"])
        tempfile.tempdir = None
        import_module("floe_ci.local.__main__").main()
        code = 0
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def take_files(files: Mapping[int, int]) -> None:
    """Put open files to the numbers that they are to have; the first three are standard input, output and errors."""
    import fcntl  # noqa: PLC0415 - not for Windows, where a caller asks nobody

    aside = {place: fcntl.fcntl(number, fcntl.F_DUPFD, FIRST) for place, number in files.items()}
    for number in files.values():
        os.close(number)
    for place, number in aside.items():
        os.dup2(number, place)
        os.close(number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))


if __name__ == "__main__":
    serve(sys.argv[1])
