"""One test, those that failed last, a debugger: what a developer does all day, with `floe-ci test --on local`."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Here

PYPROJECT = """
[project]
name = "orders"
version = "1"

[tool.floe-ci.runner]
install = ["pytest"]
"""
TESTS = """
def test_right():
    pass


def test_wrong():
    assert 1 == 2


def test_stops():
    answer = 41
    breakpoint()
"""
TEST = "tests/unit/test_orders.py::test_"
BESIDE_SERVICES = """
import os
import pytest


@pytest.mark.parametrize("number", range(6))
def test_table(postgres, number):
    postgres.execute("CREATE TABLE t (i int)")
    assert os.environ["DATABASE_URL"].startswith("postgresql://")


def test_stops():
    url = os.environ["DATABASE_URL"]
    assert not url
"""
PATIENCE = 120
"""Seconds for a run with a debugger."""


@pytest.fixture
def unit(here: Here) -> Here:
    """Return the repository, with a unit tier that needs no service."""
    (here.repository / "pyproject.toml").write_text(PYPROJECT)
    (here.repository / "tests" / "unit").mkdir()
    (here.repository / "tests" / "unit" / "test_orders.py").write_text(TESTS)
    return here


def counts(here: Here, *arguments: str) -> tuple[int, int]:
    """Run tests on this machine, and return how many passed and failed."""
    code, said = here.run("test", "--on", "local", "--json", *arguments)
    assert code in {0, 1}, said
    unit = json.loads(said[said.index("\n{") :])["suites"]["unit"]
    return unit["passed"], unit["failed"]


def test_single_test_runs_in_its_tier(unit: Here) -> None:
    """A test that is named is all that runs, in the tier that its path belongs to, and without coverage."""
    assert counts(unit, f"{TEST}right") == (1, 0)
    assert "test_orders" not in (unit.repository / "results" / "unit" / "coverage.xml").read_text()


def test_last_failed_tests_are_remembered(unit: Here) -> None:
    """`--lf` runs what failed in the run before, `--sw` stops there, and the repository has no cache of it."""
    arguments = ("--tier", "unit", "--", "-k", "right or wrong")
    assert counts(unit, *arguments) == (1, 1)
    assert counts(unit, "--lf", *arguments) == (0, 1)
    assert counts(unit, "--sw", *arguments) == (1, 1)
    assert counts(unit, "--sw", *arguments) == (0, 1)
    assert unit.wait_until_clean() == ([], [])


def test_debugger_has_the_terminal(unit: Here) -> None:
    """With `--pdb` a `breakpoint()` stops in the terminal of who called, is answered there, and no line disturbs it."""
    said, code = in_terminal(
        unit, "p answer + 1\nc\n", "-m", "floe_ci", "test", "--on", "local", "--pdb", f"{TEST}stops"
    )
    assert code == 0, said
    asked = said[said.index("(Pdb)") : said.index("1 passed")]
    assert "\n42" in asked.replace("\r", "")
    assert "tests since" not in asked
    assert unit.wait_until_clean() == ([], [])


def test_debugger_needs_a_terminal(unit: Here) -> None:
    """Without a terminal `--pdb` is refused, and `breakpoint()` fails with what hands one over."""
    code, said = unit.run("test", "--on", "local", "--pdb", f"{TEST}stops")
    assert (code, "--pdb: needs a terminal" in said) == (2, True), said
    code, said = unit.run("test", "--on", "local", f"{TEST}stops")
    assert (code, "`floe-ci test --on local --pdb` hands them one" in said) == (1, True), said


def test_arguments_for_pytest_take_the_services_addresses(here: Here) -> None:
    """A tier's arguments reach pytest with the addresses of this run's services in them."""
    argument = 'pytest-args = ["--base=pg://${FLOE_POSTGRES_HOST}:${FLOE_POSTGRES_PORT}"]\n'
    pyproject = here.repository / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(', "minio"', "") + argument)
    option = "def pytest_addoption(parser):\n    parser.addoption('--base')\n"
    (here.repository / "tests" / "conftest.py").write_text(option)
    (here.repository / "tests" / "test_base.py").write_text(
        "import os\n\ndef test_base(request):\n"
        "    host, port = (os.environ['FLOE_POSTGRES_' + x] for x in ('HOST', 'PORT'))\n"
        "    assert request.config.getoption('--base') == f'pg://{host}:{port}'\n"
    )
    code, said = here.run("test", "--on", "local", "tests/test_base.py")
    assert code == 0, said


def test_up_needs_no_packages(here_kept: Here) -> None:
    """A repository that says nothing of what to install gets its services: none of its tests are run."""
    here = here_kept
    pyproject = here.repository / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('install = ["pytest"]', "").replace(', "minio"', ""))
    code, said = here.run("up", "--on", "local")
    assert (code, "services are up" in said) == (0, True), said


def test_workers_and_debugger_of_plain_pytest(here_kept: Here) -> None:
    """Beside services that are up, workers of plain pytest have databases of their own, and `--pdb` stops."""
    here = here_kept
    pyproject = here.repository / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(', "minio"', ""))
    (here.repository / "tests" / "test_workers.py").write_text(BESIDE_SERVICES)
    code, said = here.run("up", "--on", "local")
    assert code == 0, said
    pytest_options = ("-m", "pytest", "-p", "no:cacheprovider", "tests/test_workers.py")
    said, code = in_terminal(here, "", *pytest_options, "-n", "2", "-k", "table", "--verbose")
    assert (code, "6 passed" in said) == (0, True), said
    assert "[gw0]" in said
    assert "[gw1]" in said
    said, code = in_terminal(here, "p 'in', url.partition(':')[0]\nc\n", *pytest_options, "--pdb", "-k", "stops")
    assert (code, "('in', 'postgresql')" in said) == (1, True), said


def test_debugger_in_place_of_the_workers_of_a_tier(unit: Here) -> None:
    """Where a tier's tests run in workers, `--pdb` stops in a process without, which has the terminal."""
    table = unit.repository / "pyproject.toml"
    text = table.read_text().replace('["pytest"]', '["pytest", "pytest-xdist"]')
    table.write_text(f'{text}[tool.floe-ci.tiers.unit]\npytest-args = ["-n2"]\n')
    said, code = in_terminal(unit, "p answer\nc\n", "-m", "floe_ci", "test", "--on", "local", "--pdb", f"{TEST}stops")
    assert (code, "\n41" in said.replace("\r", "")) == (0, True), said


def in_terminal(here: Here, typed: str, *arguments: str) -> tuple[str, int]:
    """Run Python in a terminal, type a text when the debugger asks, and return all that was shown and the code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(here.repository)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COV_"))}
        environment |= {"TMPDIR": str(here.temporary), "XDG_CACHE_HOME": str(here.cache), "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606
    said, typed_at = b"", 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            more = os.read(terminal, 4096)
        except OSError:  # it is closed
            break
        if not more:
            break
        said += more
        if b"(Pdb)" in said and not typed_at:
            typed_at = os.write(terminal, typed.encode())
    return said.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
