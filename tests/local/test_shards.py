"""A tier that is split on this machine comes to what it comes to as a whole."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from floe_ci import junit

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Here

SOURCE = """
def kind(number):
    if number % 2:
        return "odd"
    if number > 100:
        return "large"
    return "even"
"""
TESTS = """
import os
from pathlib import Path

import pytest
from kinds import kind

@pytest.mark.parametrize("number", range(8))
def test_kind(number):
    assert kind(number)
    with Path("run-ids.txt").open("a") as file:
        file.write(os.environ["FLOE_RUN_ID"] + "\\n")
    if os.environ.get("TZ") == "dies" and number == 3:
        os._exit(9)
"""
PLUGIN = """
import pytest
from kinds import kind

LARGE = 101 if kind(1) == "odd" else 102

@pytest.fixture
def large():
    return LARGE
"""
MORE_TESTS = """
def test_large(large):
    assert large == 101

def test_other(large):
    assert large % 2
"""
TABLE = """
[project]
name = "kinds"
version = "1"

[tool.coverage.run]
branch = true

[tool.floe-ci]
coverage = ["kinds"]

[tool.floe-ci.runner]
install = ["pytest"]

[tool.floe-ci.tiers.unit]
paths = ["tests"]
"""
COMMAND = ("test", "--on", "local", "--tier", "unit", "--fresh")


def prepare(here: Here, more: str = "") -> Path:
    """Write a repository of one package, and return where its results go."""
    for path in (here.repository / "tests").iterdir():
        path.unlink()
    (here.repository / "kinds").mkdir()
    (here.repository / "kinds" / "__init__.py").write_text(SOURCE)
    (here.repository / "tests" / "test_kinds.py").write_text(TESTS)
    (here.repository / "pyproject.toml").write_text(TABLE + more)
    return here.repository / "results" / "unit"


def measured(results: Path) -> dict[str, list[dict[str, str]]]:
    """Return the lines of a coverage report with their branches, by file."""
    files = ET.parse(results / "coverage.xml").iter("class")  # noqa: S314 - our own
    return {file.attrib["filename"]: [dict(line.attrib) for line in file.iter("line")] for file in files}


def test_shards_come_to_what_one_process_does(here: Here) -> None:
    """Shards run each test once, under run ids of their own, and cover the same lines and branches."""
    results = prepare(here)
    code, said = here.run(*COMMAND)
    assert code == 0, said
    alone, known = measured(results), json.loads((results / "durations.json").read_text())
    (here.repository / "run-ids.txt").unlink()
    code, said = here.run(*COMMAND, "--shards", "3")
    assert code == 0, said
    assert measured(results) == alone
    assert any("condition-coverage" in line for line in alone["__init__.py"])
    document = junit.read(results / "junit.xml")
    assert len(list(document.cases)) == len({case.key for case in document.cases}) == len(known)
    assert len(document.suites) == 3
    run_ids = (here.repository / "run-ids.txt").read_text().split()
    assert {re.sub(r"\A[^-]+", "", each) for each in run_ids} == {"-1", "-2", "-3"}
    assert "balanced by the durations of 8 tests" in said


def test_coverage_of_all_that_runs(here: Here) -> None:
    """Without a source of coverage, shards cover what one process does: plugins and tests, and nothing of ours."""
    results = prepare(here)
    table = here.repository / "pyproject.toml"
    table.write_text(table.read_text().replace('coverage = ["kinds"]', ""))
    (here.repository / "kinds" / "plugin.py").write_text(PLUGIN)
    (here.repository / "conftest.py").write_text('pytest_plugins = ["kinds.plugin"]\n')
    (here.repository / "tests" / "test_more.py").write_text("if not __name__:\n    pass\n\n\n" + MORE_TESTS)
    code, said = here.run(*COMMAND)
    assert code == 0, said
    alone = measured(results)
    code, said = here.run(*COMMAND, "--shards", "3")
    assert code == 0, said
    assert measured(results) == alone
    files = {"conftest.py", "kinds/__init__.py", "kinds/plugin.py", "tests/test_kinds.py", "tests/test_more.py"}
    assert set(alone) == files


def test_limit_on_coverage_is_for_the_whole(here: Here) -> None:
    """A limit that no shard reaches alone passes where all reach it together, and one that they don't reach fails."""
    prepare(here, 'pytest-args = ["--cov-fail-under=80"]\n')
    code, said = here.run(*COMMAND, "--shards", "8")
    assert code == 0, said
    code, said = here.run(*COMMAND, "--shards", "2", "--pytest-args=--cov-fail-under=99")
    assert (code, "coverage of all shards is" in said) == (1, True), said


def test_shard_that_dies(here: Here) -> None:
    """What ended before a shard died counts, its other tests are told as not run, and the exit code is not 0."""
    results = prepare(here, 'environment = { TZ = "dies" }\n')
    code, said = here.run(*COMMAND, "--shards", "2")
    assert code == 3, said
    cases = list(junit.read(results / "junit.xml").cases)
    assert len([case for case in cases if case.classname == "tests.test_kinds"]) == 8
    assert any(case.outcome == "skipped" and "not run" in case.reason for case in cases)
    assert any(case.outcome == "passed" for case in cases)


SLOW = """
import time

import pytest

@pytest.fixture(scope="session")
def shared():
    yield "shared"
    with open("session-ends.txt", "a") as file:
        file.write("once\\n")

@pytest.mark.parametrize("number", range(12))
def test_first(number, shared):
    time.sleep(3 if number == 5 else 0.05)

@pytest.mark.parametrize("number", range(12))
def test_second(number, shared):
    time.sleep(0.05)
"""
DIES = """
import os

import pytest

@pytest.mark.parametrize("number", range(24))
def test_it(number):
    if number == 7:
        os._exit(9)
"""


def test_slow_test_does_not_decide(here: Here) -> None:
    """Where tests are handed out, who has a slow one runs few others; each runs once, and fixtures end once a shard."""
    results = prepare(here)
    (here.repository / "tests" / "test_slow.py").write_text(SLOW)
    code, said = here.run(*COMMAND)
    assert code == 0, said
    alone = measured(results)
    (here.repository / "session-ends.txt").unlink()
    code, said = here.run(*COMMAND, "--shards", "3", "--schedule", "dynamic")
    assert code == 0, said
    document = junit.read(results / "junit.xml")
    assert len(list(document.cases)) == len({case.key for case in document.cases}) == 32
    slow = next(suite for suite in document.suites if any(case.seconds > 2.5 for case in suite.cases))
    assert len(slow.cases) < 4
    assert measured(results) == alone
    assert len((here.repository / "session-ends.txt").read_text().split()) == sum(
        any("slow" in case.classname for case in suite.cases) for suite in document.suites
    )
    assert "handed tests as they become free, the longest first, by the durations of 32 tests" in said


def test_shard_that_dies_leaves_its_tests_to_others(here: Here) -> None:
    """Of a shard that dies where tests are handed out, the test that ran then is told, and others run what it left."""
    results = prepare(here)
    (here.repository / "tests" / "test_dies.py").write_text(DIES)
    code, said = here.run(*COMMAND, "--shards", "2", "--schedule", "dynamic")
    assert code == 3, said
    cases = {case.title: case for case in junit.read(results / "junit.xml").cases if case.classname != "floe-ci"}
    assert len(cases) == 32
    not_run = [title for title, case in cases.items() if case.outcome != "passed"]
    assert not_run == ["tests.test_dies::test_it[7]"]
    assert "of 2, 1 of its tests did not run" in said


OPEN = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def shared():
    yield
    raise RuntimeError("it stays open")

@pytest.mark.parametrize("number", range(4))
def test_open(number):
    assert number < 4
"""


def test_fixture_of_the_session_fails_at_its_end(here: Here) -> None:
    """Where tests are handed out, what fails at the end of a session is an error of each shard's last test."""
    results = prepare(here)
    (here.repository / "tests" / "test_kinds.py").write_text(OPEN)
    code, said = here.run(*COMMAND, "--shards", "2", "--schedule", "dynamic")
    assert code == 1, said
    document = junit.read(results / "junit.xml")
    errored = [[case for case in suite.cases if case.bad] for suite in document.suites]
    assert [len(each) for each in errored] == [1 if suite.cases else 0 for suite in document.suites]
    assert all("it stays open" in case.reason for cases in errored for case in cases)
    assert len(list(document.cases)) == len({case.key for case in document.cases}) == 4


def test_workers_are_refused_where_tests_are_handed_out(here: Here) -> None:
    """Workers of pytest-xdist in a shard that is handed tests are refused, and it is said what else there is."""
    prepare(here)
    table = here.repository / "pyproject.toml"
    table.write_text(table.read_text().replace('["pytest"]', '["pytest", "pytest-xdist"]'))
    code, said = here.run(*COMMAND, "--shards", "2", "--schedule", "dynamic", "--pytest-args=-n 2")
    assert (code, "leave out pytest-xdist's workers" in said) == (2, True), said


def test_tests_that_differ_in_each_process(here: Here) -> None:
    """Tests whose ids are others in each process are no green run: some of them may have run in no shard."""
    prepare(here)
    (here.repository / "tests" / "test_kinds.py").write_text(
        "import os\n\nimport pytest\n\n\n@pytest.mark.parametrize('id', [f'{os.getpid()}-{n}' for n in range(4)])\n"
        "def test_kind(id):\n    pass\n"
    )
    code, said = here.run(*COMMAND, "--shards", "2")
    assert (code, "did not collect the same tests" in said) == (2, True), said


OF_SERVICES = """
import os

import psycopg
import pytest
import redis

@pytest.mark.parametrize("number", range(3))
def test_settings(number):
    host, port, user, database, password = (
        os.environ[f"FLOE_POSTGRES_{name}"] for name in ("HOST", "PORT", "USER", "DATABASE", "PASSWORD")
    )
    with psycopg.connect(host=host, port=port, user=user, dbname=database, password=password) as connection:
        assert connection.execute("show max_connections").fetchone() == ("300",)
    variables = {name: os.environ[f"FLOE_REDIS_{name.upper()}"] for name in ("host", "port", "password")}
    assert redis.Redis(**variables).config_get("maxmemory") == {"maxmemory": str(3 * 96 * 2**20)}
"""


def test_services_are_there_for_all_shards(here: Here) -> None:
    """PostgreSQL takes the connections of each shard, and Redis its data."""
    results = prepare(here, 'services = ["postgres", "redis"]\nshards = 3\n')
    (here.repository / "tests" / "test_kinds.py").write_text(OF_SERVICES)
    packages = 'install = ["psycopg[binary]", "pytest", "redis"]'
    table = (here.repository / "pyproject.toml").read_text().replace('install = ["pytest"]', packages)
    (here.repository / "pyproject.toml").write_text(table.replace('coverage = ["kinds"]\n', ""))
    code, said = here.run(*COMMAND)
    assert code == 0, said
    assert len(list(junit.read(results / "junit.xml").cases)) == 3
