"""Looking up what is locked, in a database that is here and speaks as OSV does."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving import Handler, Server, serving

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "checks" / "vulnerabilities.py"
IMAGE = "k8s/base/dagster/image"
LOCK = f"{IMAGE}/uv.lock"
POM = "k8s/base/iceberg-rest/image/pom.xml"
EXCUSES = '[tool.floe-checks.vulnerabilities]\nPYSEC-1 = "is not called"\nGHSA-1 = "is not called"\n'
JETTY = "org.eclipse.jetty:jetty-servlet"

pytestmark = pytest.mark.requirement("T052")


class Database(Server):
    """Answers for each package with what it knows against it, and remembers what was asked."""

    def __init__(self) -> None:
        """Listen on a port of its own."""
        super().__init__(Answer)
        self.known: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.broken = False

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return what is known against one version of a package."""
        package = query["package"]
        self.asked.append((package["ecosystem"], package["name"], query["version"]))
        name = self.known.get(package["name"])
        return {"vulns": [{"id": name, "summary": "a flaw", "affected": [{"package": package}]}]} if name else {}


class Answer(Handler):
    """One question to the database."""

    server: Database

    def do_POST(self) -> None:
        """Answer one query, or a batch of them."""
        asked = json.loads(self.body())
        batch = self.path == "/v1/querybatch"
        told = {"results": [self.server.answer(query) for query in asked["queries"]]} if batch else None
        self.send_json(told if batch else self.server.answer(asked), 500 if self.server.broken else 200)


@pytest.fixture
def database() -> Iterator[Database]:
    """Return a database that knows nothing yet."""
    with serving(Database()) as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a repository with one lock file and one `pom.xml`."""
    for file in (LOCK, f"{IMAGE}/pyproject.toml", POM):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "pyproject.toml").write_text("[tool.floe-checks.vulnerabilities]\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path


def look_up(source: Path, database: str, *options: str) -> tuple[int, str]:
    """Return the exit code of the check, and what it said."""
    command = [sys.executable, str(SCRIPT), "--database", database, *options]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        command,
        cwd=source,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_every_locked_version_is_looked_up(source: Path, database: Database) -> None:
    """Each package of a lock file, whatever its platform, and each artifact of a `pom.xml` is asked for."""
    code, said = look_up(source, database.url)
    packages = tomllib.loads((source / LOCK).read_text(encoding="utf-8"))["package"]
    locked = {(item["name"], item["version"]) for item in packages if "registry" in item["source"]}
    asked = {(name, version) for ecosystem, name, version in database.asked if ecosystem == "PyPI"}
    assert asked == locked
    assert ("Maven", JETTY, "11.0.26") in database.asked
    assert ("Maven", "org.apache.hadoop:hadoop-client-runtime", "3.4.2") in database.asked
    assert code == 0, said


@pytest.mark.parametrize(("package", "name"), [("alembic", "PYSEC-1"), (JETTY, "GHSA-1")])
def test_what_is_vulnerable_is_a_failure(source: Path, database: Database, package: str, name: str) -> None:
    """A version that the database knows something against fails the check, with the name of what is known."""
    database.known[package] = name
    code, said = look_up(source, database.url)
    assert code == 1
    assert name in said


def test_what_is_excused_with_a_reason_is_none(source: Path, database: Database) -> None:
    """A vulnerability that the configuration gives a reason for does not fail the check."""
    database.known = {"alembic": "PYSEC-1", JETTY: "GHSA-1"}
    (source / "pyproject.toml").write_text(EXCUSES, encoding="utf-8")
    code, said = look_up(source, database.url)
    assert code == 0, said


def test_a_database_that_breaks_is_a_failure(source: Path, database: Database) -> None:
    """An answer that is an error of the database's own fails the check for the lock file and the `pom.xml` alike."""
    database.broken = True
    code, said = look_up(source, database.url)
    assert code == 1
    assert {f"{LOCK}:", f"{POM}:"} <= set(said.split())


def test_a_database_out_of_reach_is_a_failure(source: Path) -> None:
    """Without an answer nothing has been looked up, which fails, and says how to leave it out."""
    code, said = look_up(source, "http://127.0.0.1:9/")
    assert code == 1
    assert {f"{LOCK}:", f"{POM}:"} <= set(said.split())
    assert "`make check OFFLINE=1` leaves this out" in said


def test_offline_nothing_is_asked(source: Path, database: Database) -> None:
    """Told that there is no network, the check passes, asks nothing, and says that it did not look."""
    database.known["alembic"] = "PYSEC-1"
    code, said = look_up(source, database.url, "--offline")
    assert code == 0
    assert database.asked == []
    assert "not looked up" in said
    assert LOCK in said
    assert POM in said
