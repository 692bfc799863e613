"""Pages that begin with services of this machine, typed line by line into a shell as their readers would."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from pages import ELSEWHERE, ROOT, blocks, commands, type_in
from tests.local.conftest import uv

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.requirement("REQ-648"), pytest.mark.timeout(2400)]

TOOLS = Path(sys.executable).parent
DOWN = "floe-ci down --on local"
WHO = "${FLOE_POSTGRES_USER}:${FLOE_POSTGRES_PASSWORD}"
WHERE = "${FLOE_POSTGRES_HOST}:${FLOE_POSTGRES_PORT}/${FLOE_POSTGRES_DATABASE}"
PROJECT = """
[project]
name = "orders"
version = "1"
dependencies = ["alembic", "psycopg[binary]"]
"""
TABLE = f"""
[tool.floe-ci.runner]
install = ["alembic", "psycopg[binary]", "pytest", "pytest-xdist"]
files = ["alembic.ini", "migrations"]

[tool.floe-ci.tiers.integration]
services = ["postgres"]
environment = {{ DATABASE_URL = "postgresql+psycopg://{WHO}@{WHERE}" }}
"""
TEST = """
import os

from sqlalchemy import create_engine, text


def test_total():
    with create_engine(os.environ["DATABASE_URL"]).connect() as database:
        assert database.execute(text("select 1 + 1")).scalar() == 2
"""
MIGRATIONS = """
import os

from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["DATABASE_URL"]).begin() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
MIGRATION = """
from alembic import op

revision, down_revision = "1", None


def upgrade():
    op.execute("create table migrated (id int)")
"""
MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"""


@dataclass(frozen=True)
class Reader:
    """Who types what a page says, with a home and a repository of their own."""

    home: Path
    repository: Path
    cache: Path

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def types(self, *lines: str, tools: Path | None = TOOLS, where: Path | None = None) -> str:
        """Type lines, each of which has to succeed, and return what the terminal showed."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COV_", "PYTEST_"))}
        own |= {
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "BROWSER": "echo opened %s",
            "PATH": f"{tools}:{os.environ['PATH']}" if tools else without_tools(os.environ["PATH"]),
        }
        code, shown = type_in(lines, where or self.repository, own, timeout=800)
        assert code == 0, shown
        return shown


def without_tools(path: str) -> str:
    """Return a `PATH` on which nothing of this project's environment is."""
    return os.pathsep.join(each for each in path.split(os.pathsep) if Path(each) != TOOLS)


@pytest.fixture
def reader(tmp_path: Path, shared_cache: Path, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Yield a reader, whose services are ended afterwards."""
    # Not below pytest's own, which is closed to the account that root's PostgreSQL runs under.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        repository = tmp_path / re.sub(r"\W+", "-", request.node.name)
        repository.mkdir()
        there = Reader(Path(folder), repository, shared_cache)
        yield there
        # The first page begins a repository of its own.
        for each in (repository, tmp_path / "orders"):
            if each.is_dir():
                there.types(f"{DOWN} || true", where=each)


@pytest.fixture
def orders(reader: Reader) -> Reader:
    """Return a reader with a repository that has a database, migrations of Alembic's, and a test in each tier."""
    reader.write("pyproject.toml", PROJECT + TABLE)
    reader.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    reader.write("migrations/env.py", MIGRATIONS)
    reader.write("migrations/versions/0001_migrated.py", MIGRATION)
    reader.write("tests/integration/test_orders.py", TEST)
    reader.write("tests/unit/test_sum.py", "def test_sum():\n    assert 1 + 1 == 2\n")
    return reader


def here(page: str) -> list[str]:
    """Return what a page gives to type that is for this machine, and is typed by no other test."""
    return [each for each in commands(page) if each not in ELSEWHERE.get(page, {})]


def test_local_testing(orders: Reader) -> None:
    """Of the guide to testing on one's machine, each command for this machine works while services are up."""
    lines = here("docs/guides/local-testing.md")
    init = lines.pop(lines.index("floe-ci init"))
    lines.remove(DOWN)
    shown = orders.types(*lines, DOWN)
    assert shown.count("passed: tier integration, 1 passed") >= 4
    assert shown.count("passed: tier unit, 1 passed") == 2
    assert "postgresql+psycopg://" in (orders.repository / ".env").read_text(encoding="utf-8")
    orders.write("pyproject.toml", PROJECT)
    assert 'services = ["postgres"]' in orders.types(init)


def test_editors(orders: Reader) -> None:
    """Of the guide to editors, each command gives an editor what it reads."""
    orders.types(*here("docs/guides/editors.md"))
    assert "DATABASE_URL=" in (orders.repository / ".env").read_text(encoding="utf-8")


def test_test_debugging(orders: Reader) -> None:
    """Of the guide to failed tests, each command that looks at results shows those of the run before."""
    lines = here("docs/guides/test-debugging.md")
    run = [each for each in lines if each.startswith(("floe-ci up", "floe-ci test"))]
    before = str(orders.home / "before")
    looks = [each.replace("/tmp/before", before) for each in lines if each not in run]  # noqa: S108 - the guide's
    shown = orders.types(*run, *looks)
    assert "opened file://" in shown
    assert "**Passed**: tier integration, 1 passed" in shown
    assert (orders.home / "before" / "report.html").is_file()


def test_django(reader: Reader) -> None:
    """Of Django's guide, each command works in its repository, with the environment that its tests have."""
    example = ROOT / "examples" / "django"
    shutil.copytree(example, reader.repository, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "results"))
    reader.write("manage.py", MANAGE)
    up, test, *rest = here("docs/guides/django.md")
    reader.types(up, test)
    (environment,) = reader.cache.glob(f"floe-ci/environments/{reader.repository.name}-*/bin")
    shown = reader.types(f'export PATH="{environment}:$PATH"', *rest)
    assert re.search(r"Applying shop\.0001_initial\.\.\. OK", shown)


def test_first_page(reader: Reader, tmp_path: Path) -> None:
    """The first page leads from nothing to a run of one's own, in its order, with its table and its test."""
    page = "docs/index.md"
    ((table,), (test,)) = (blocks(page, language) for language in ("toml", "python"))
    project = '[project]\nname = "orders"\nversion = "1"\n[project.optional-dependencies]\n'
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    wheel = '[tool.hatch.build.targets.wheel]\nonly-include = ["orders"]\n'
    needs = 'test = ["psycopg[binary]", "pytest"]\n'
    folder = tmp_path / "orders"
    (folder / "orders").mkdir(parents=True)
    (folder / "orders" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(f"{project}{needs}{build}{wheel}", encoding="utf-8")
    (folder / "tests" / "integration").mkdir(parents=True)
    (folder / "tests" / "integration" / "test_orders.py").write_text(test.text, encoding="utf-8")
    install, look, first, stay = (block.commands for block in blocks(page, "sh"))
    environment, pip, export = (each.replace("<this repository>", str(ROOT)) for each in install)
    reader.types(environment, tools=None)
    # What floe-ci depends on comes from uv's cache: pip takes minutes for it.
    python = str(reader.home / ".floe-ci" / "bin" / "python")
    uv("pip", "install", "--quiet", "--python", python, f"{ROOT / 'ci'}[local]", "hatchling")
    uv("pip", "uninstall", "--quiet", "--python", python, "floe-ci")
    reader.types(pip, export, *look, tools=None, where=tmp_path)
    assert "[tool.floe-ci" in (folder / "pyproject.toml").read_text(encoding="utf-8")

    (folder / "pyproject.toml").write_text(f"{project}{needs}{build}{wheel}{table.text}", encoding="utf-8")
    (picture,) = blocks(page, "console")
    shown = reader.types(export, *first, *stay, *picture.commands, tools=None, where=folder)
    (told,) = blocks(page, "text")
    verdict = told.text.splitlines()[0].rpartition(",")[0]
    assert shown.count(f"{verdict}, ") == 3
    assert "opened file://" in shown
