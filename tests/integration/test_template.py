"""Databases of tests that are copies of one that migrations prepared."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.isolation.naming import Made, unique_name
from floe_testing.services.clients.postgres import connect, databases, temporary_database
from floe_testing.services.clients.template import MigrationFailedError, migrated_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from floe_testing.services import PostgresConfig

pytestmark = [pytest.mark.requirement("REQ-645"), pytest.mark.services("postgres")]


def make_orders(config: PostgresConfig) -> None:
    """Migrate, and leave a connection open as a pool would."""
    connection = connect(config)
    connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY)")
    connection.commit()
    OPEN.append(connection)


OPEN: list[psycopg.Connection] = []


@pytest.fixture(autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    """Close what migrations left open, once the test is over: the database and the template are gone by then."""
    yield
    while OPEN:
        OPEN.pop().close()


def names(config: PostgresConfig) -> list[str]:
    """Return the names of the server's databases."""
    with closing(connect(config)) as connection:
        return databases(connection)


def count_orders(config: PostgresConfig) -> int:
    """Return how many orders a database has."""
    with closing(connect(config)) as connection:
        ((number,),) = connection.execute("SELECT count(*) FROM orders").fetchall()
    return int(number)


def test_copies(postgres_config: PostgresConfig, run_id: str) -> None:
    """Each database has the schema, and nothing of what another one's test wrote; the template is gone at the end."""
    name = unique_name("template", run_id)
    with migrated_template(postgres_config, make_orders, name) as template:
        for _ in range(2):
            with temporary_database(postgres_config, unique_name("test", run_id), template) as own:
                assert count_orders(own) == 0
                with connect(own) as connection:
                    connection.execute("INSERT INTO orders VALUES (1)")
                assert count_orders(own) == 1
    assert not [each for each in names(postgres_config) if name in each]


def test_made_once(postgres_config: PostgresConfig, run_id: str) -> None:
    """Of four who want a template at once, one migrates; it stays until the last of them needs it no more."""
    name = unique_name("template", run_id)
    calls: list[str] = []
    together, leave = threading.Barrier(5), threading.Event()

    def migrate(config: PostgresConfig) -> None:
        calls.append(config.database)
        make_orders(config)

    def use() -> None:
        with migrated_template(postgres_config, migrate, name):
            together.wait(timeout=60)
            leave.wait(timeout=60)

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    together.wait(timeout=60)
    assert name in names(postgres_config)
    leave.set()
    for user in users:
        user.join(timeout=60)
    assert len(calls) == 1
    assert name not in names(postgres_config)


def test_asynchronous_migrations(postgres_config: PostgresConfig, run_id: str) -> None:
    """Migrations may be asynchronous."""

    async def migrate(config: PostgresConfig) -> None:
        async with await psycopg.AsyncConnection.connect(config.url) as connection:
            await connection.execute("CREATE TABLE orders ()")

    with (
        migrated_template(postgres_config, migrate, unique_name("template", run_id)) as template,
        temporary_database(postgres_config, unique_name("test", run_id), template) as own,
    ):
        assert count_orders(own) == 0


def test_migrations_that_fail(postgres_config: PostgresConfig, run_id: str) -> None:
    """Migrations that fail leave nothing, and their error is told; the next try begins anew."""
    name = unique_name("template", run_id)

    def fail(config: PostgresConfig) -> None:
        make_orders(config)
        raise ZeroDivisionError

    with pytest.raises(MigrationFailedError, match="ZeroDivisionError"), migrated_template(postgres_config, fail, name):
        pass
    assert not [each for each in names(postgres_config) if name in each]
    with migrated_template(postgres_config, make_orders, name) as template:
        assert template in names(postgres_config)


def test_killed_while_it_migrates(postgres_config: PostgresConfig, run_id: str) -> None:
    """What a killed process left half made is no template, and `floe-testing cleanup` knows it for a test's."""
    name = unique_name("template", run_id)
    seen: list[str] = []

    def look(config: PostgresConfig) -> None:
        seen.append(config.database)

    with migrated_template(postgres_config, look, name):
        assert seen[0] != name
        assert Made.read(seen[0])
        assert Made.read(name)


SUITE = {
    "migrations": """
import pytest

@pytest.fixture(scope="session")
def postgres_migrations():
    def migrate(config):
        import psycopg
        with psycopg.connect(config.url) as connection:
            connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY)")
        with open("migrated", "a") as file:
            file.write("once ")
    return migrate
""",
    "alembic": """
import floe_testing
import pytest

@pytest.fixture(scope="session")
def postgres_migrations():
    return floe_testing.alembic("alembic.ini")
""",
}
TESTS = """
import logging
import pytest

log = logging.getLogger("of.the.suite")

@pytest.mark.parametrize("number", range(6))
def test_own(postgres, number, caplog):
    assert postgres.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    postgres.execute("INSERT INTO orders VALUES (1)")
    postgres.commit()
    log.warning("still heard")
    assert "still heard" in caplog.text
"""
ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n\n[loggers]\nkeys = root\n[handlers]\nkeys =\n"
    "[formatters]\nkeys =\n[logger_root]\nlevel = ERROR\nhandlers =\n",
    "migrations/env.py": """
from logging.config import fileConfig
from alembic import context
from sqlalchemy import engine_from_config

fileConfig(context.config.config_file_name)
engine = engine_from_config(context.config.get_section("alembic"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
""",
    "migrations/versions/one.py": """
from alembic import op
import sqlalchemy

revision, down_revision = "one", None

def upgrade():
    op.create_table("orders", sqlalchemy.Column("id", sqlalchemy.BigInteger, primary_key=True))
""",
}


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Callable[[str], pytest.Pytester]:
    """Return what makes a suite of one kind."""

    def make(kind: str) -> pytest.Pytester:
        pytester.makeconftest(SUITE[kind])
        pytester.makepyfile(TESTS)
        for name, text in ALEMBIC.items():
            (pytester.path / name).parent.mkdir(parents=True, exist_ok=True)
            (pytester.path / name).write_text(text, encoding="utf-8")
        return pytester

    return make


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "xdist"])
@pytest.mark.parametrize("kind", SUITE)
def test_suite(suite: Callable[[str], pytest.Pytester], kind: str, workers: list[str]) -> None:
    """A suite says what migrates, and each of its tests has a database of its own, in any number of processes."""
    folder = suite(kind)
    folder.runpytest_subprocess(*workers).assert_outcomes(passed=6)
    if kind == "migrations":
        # A worker that has nothing to do for a while may find the template gone, and make it again.
        assert 1 <= (folder.path / "migrated").read_text().split().count("once") <= max(1, len(workers))


def test_nothing_is_left(postgres_config: PostgresConfig, suite: Callable[[str], pytest.Pytester]) -> None:
    """No template outlives its session."""
    before = {each for each in names(postgres_config) if "template-" in each}
    suite("migrations").runpytest_subprocess().assert_outcomes(passed=6)
    wait_for_condition(
        lambda: {each for each in names(postgres_config) if "template-" in each} <= before, PollingConfig(timeout=20)
    )


def test_urls(postgres_config: PostgresConfig) -> None:
    """A configuration gives the URL that libraries want, whatever is in the password."""
    with closing(psycopg.connect(postgres_config.url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    odd = postgres_config.model_copy(update={"user": "a:b", "database": "ü/?"})
    assert odd.sqlalchemy_url("asyncpg").startswith("postgresql+asyncpg://a%3Ab:")
    assert odd.url.endswith("/%C3%BC%2F%3F")
