"""Start one of Dagster's processes when what it needs is there.

    python -m floe_dagster.start COMMAND [ARGUMENT ...]

A process that dies because another is not up yet would end in a crash loop, and a webserver that finds
no code location tries again only much later. So it waits here, with its modules already imported, and
goes on at once.
"""

import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import entry_points
from os import environ
from pathlib import Path

import psycopg2

from floe_dagster.database import ORDER_TABLES, START_LOCK, connect

TIMEOUT = 280.0
"""Seconds to wait for each of the two: a little less than the startup probe does, so that the log says why."""

CODE_LOCATION = "dagster"
"""The command of `dagster api grpc`, which can't wait for itself."""

STARTED = Path(tempfile.gettempdir(), "started")
"""Its modification time is this start's. The folder is this process's own, and the only one it may write to."""


def wait_for(what: str, ready: Callable[[], None], error: type[Exception]) -> None:
    """Call `ready` until it doesn't raise `error`; exit with a message when it does so for too long."""
    begin = time.monotonic()
    pause = threading.Event()
    while True:
        try:
            ready()
        except error as last:
            if time.monotonic() - begin > TIMEOUT:
                sys.exit(f"{what} did not answer for {TIMEOUT:.0f} s: {last}")
            pause.wait(0.2)
        else:
            print(f"{what} answered after {time.monotonic() - begin:.1f} s", flush=True)  # noqa: T201 - the log
            return


def wait_for_postgres() -> None:
    """Wait until PostgreSQL takes a connection."""
    wait_for("PostgreSQL", lambda: connect().close(), psycopg2.OperationalError)


def code_location_answers() -> None:
    """Raise where nobody listens at the code location's address."""
    socket.create_connection((environ["DAGSTER_CODE_HOST"], int(environ["DAGSTER_CODE_PORT"])), timeout=3).close()


def create_tables() -> None:
    """Make Dagster's tables and the job's where they are missing, one process at a time."""
    from dagster import DagsterInstance  # noqa: PLC0415 - heavy, and the command has imported it by now

    with closing(connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (START_LOCK,))
            cursor.execute(ORDER_TABLES)
            with DagsterInstance.get() as instance:
                instance.get_runs_count()


def main() -> None:
    """Import the command, wait for what it needs, and become it."""
    # The first process of a container has no default action for it, and would not hear it while it waits.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    STARTED.touch()
    environ.setdefault("TMPDIR", str(STARTED.parent))  # dagster.yaml asks for it
    name = sys.argv[1]
    (script,) = entry_points(group="console_scripts", name=name)
    command = script.load()
    wait_for_postgres()
    create_tables()
    if name != CODE_LOCATION:
        wait_for("The code location", code_location_answers, OSError)
    sys.argv = sys.argv[1:]
    sys.exit(command())


if __name__ == "__main__":
    main()
