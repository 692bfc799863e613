"""A PostgreSQL database that migrations have prepared, for others to be copies of: made once, by who comes first."""

import asyncio
import hashlib
import inspect
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from types import MappingProxyType
from typing import Any
from unittest import mock

import psycopg
from psycopg import sql

from floe_testing.errors import FloeTestingError
from floe_testing.extras import MissingExtraError
from floe_testing.services.clients.postgres import connect, create_database, databases, drop_database
from floe_testing.services.models import PostgresConfig

Migrations = Callable[[PostgresConfig], object]
"""Brings a database's schema up to date; what it returns is awaited where it can be."""


class MigrationFailedError(FloeTestingError):
    """The template can't be made, and so no test can have a copy of it."""


@contextmanager
def migrated_template(config: PostgresConfig, migrate: Migrations, name: str) -> Iterator[str]:
    """Yield the name of a database that is migrated, for `temporary_database`; the last one who uses it drops it.

    Processes that give the same name share it: one of them migrates, and the others wait.

    Args:
        config: The server, and a database of it to connect to.
        migrate: What migrates.
        name: The template's name.

    Raises:
        MigrationFailedError: The migrations raised something.
    """
    with closing(connect(config, autocommit=True)) as connection:
        # Locks of the session: the server takes them back whatever ends this process.
        connection.execute("SELECT pg_advisory_lock(%s)", [_key(name, "making")])
        try:
            # From here on somebody uses it, so that nobody drops it.
            connection.execute("SELECT pg_advisory_lock_shared(%s)", [_key(name, "using")])
            if name not in databases(connection):
                _make(connection, config, migrate, name)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_key(name, "making")])
        try:
            yield name
        finally:
            # A server that was restarted meanwhile has taken the connection with it, and the locks.
            with suppress(psycopg.OperationalError):
                connection.execute("SELECT pg_advisory_unlock_shared(%s)", [_key(name, "using")])
    with closing(connect(config, autocommit=True)) as connection:
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(name, "using")]).fetchone() == (True,):
            drop_database(connection, name)


def alembic(
    ini: str = "alembic.ini",
    revision: str = "head",
    *,
    driver: str = "psycopg",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Migrations:
    """Return what migrates with alembic, in this process.

    The database's URL is the option `sqlalchemy.url` while it does, and so what most `env.py` read.

    Args:
        ini: The configuration, from the working folder.
        revision: How far.
        driver: SQLAlchemy's name of the driver that is installed.
        environment: Variables for an `env.py` that reads those, with `{url}` where the URL belongs.

    Raises:
        MissingExtraError: alembic is not installed, when it is to migrate.
    """

    def migrate(config: PostgresConfig) -> None:
        try:
            from alembic import command  # noqa: PLC0415 - the suite's own, where it has migrations
            from alembic.config import Config  # noqa: PLC0415 - as above
        except ImportError as error:
            message = f"migrations need alembic, and it can't be imported: {error}"
            raise MissingExtraError(message) from error
        url = config.sqlalchemy_url(driver)
        settings = Config(ini)
        settings.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        variables = {name: value.replace("{url}", url) for name, value in environment.items()}
        with mock.patch.dict(os.environ, variables), _logging_kept():
            command.upgrade(settings, revision)

    return migrate


def _make(connection: psycopg.Connection, config: PostgresConfig, migrate: Migrations, name: str) -> None:
    """Make the template under another name, so that one that was left half done is none."""
    raw = f"migrating-{name}"
    drop_database(connection, raw)
    create_database(connection, raw)
    try:
        done = migrate(config.model_copy(update={"database": raw}))
        if inspect.isawaitable(done):
            asyncio.run(_awaited(done))
    except Exception as error:
        drop_database(connection, raw)
        message = f"the migrations failed, so that no test can have a database: {type(error).__name__}: {error}"
        raise MigrationFailedError(message) from error
    with ExitStack() as stack:
        stack.callback(drop_database, connection, raw)
        # Who keeps a pool of connections open to it would keep it from being copied.
        connection.execute(_alter("ALTER DATABASE {} ALLOW_CONNECTIONS false", raw))
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [raw])
        connection.execute(_alter("ALTER DATABASE {} RENAME TO {}", raw, name))
        stack.pop_all()


def _alter(query: Any, *names: str) -> sql.Composed:  # noqa: ANN401 - a literal, which psycopg insists on
    return sql.SQL(query).format(*map(sql.Identifier, names))


async def _awaited(done: Any) -> None:  # noqa: ANN401 - anything that can be awaited
    await done


def _key(name: str, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{what} {name}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Undo what an `env.py` makes of logging, as `fileConfig` disables every logger that there is."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    disabled = {
        name: each.disabled for name, each in root.manager.loggerDict.items() if isinstance(each, logging.Logger)
    }
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, was in disabled.items():
            logging.getLogger(name).disabled = was
