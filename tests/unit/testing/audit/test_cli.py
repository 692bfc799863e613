"""The command `floe-testing audit`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from floe_testing.audit.rule import all_rules
from floe_testing.cli import group

if TYPE_CHECKING:
    from click.testing import Result
    from conftest import Repository

SLEEP = "import time\ndef test_a(orders):\n    time.sleep(1)\n    assert orders.open == 1\n"
LENGTH = "def test_a(shop):\n    found = shop.orders()\n    assert len(found) == 2\n"


@pytest.fixture
def here(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Return a repository with one warning, in which the command runs."""
    repository.write("pyproject.toml", "")
    repository.write("tests/unit/test_orders.py", SLEEP)
    monkeypatch.chdir(repository.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository.root.parent / "cache"))
    return repository


def run(*args: str) -> Result:
    """Run `floe-testing audit`."""
    return CliRunner().invoke(group, ["audit", *args])


@pytest.mark.parametrize(
    ("code", "args", "exit_code"),
    [
        (SLEEP, [], 1),
        (SLEEP, ["--fail-on", "error"], 0),
        (SLEEP, ["--fail-on", "never"], 0),
        (LENGTH, [], 0),
        (LENGTH, ["--fail-on", "note"], 1),
        ("def test_a(:\n", ["--fail-on", "error"], 1),
        ("def test_a(shop):\n    assert shop.open == 1\n", ["--fail-on", "note"], 0),
    ],
)
def test_exit_code(code: str, args: list[str], exit_code: int, here: Repository) -> None:
    """The command fails where something is found that is as severe as it was told."""
    here.write("tests/unit/test_orders.py", code)
    assert run(*args).exit_code == exit_code


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere", "tests", "neither"], "no such file or folder: nowhere, neither"),
        (["--explain", "FT40"], "no rule is called 'FT40'; did you mean 'FT40"),
        (["--write-baseline"], "--write-baseline needs --baseline"),
        (["--baseline", "none.json"], "none.json: can't be read"),
        (["--format", "xml"], "'xml' is not one of"),
    ],
)
def test_bad_input(args: list[str], message: str, here: Repository) -> None:
    """Input that makes no sense is told without a traceback, with exit code 2."""
    result = run(*args)
    assert here.root.exists()
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_bad_settings(here: Repository) -> None:
    """Settings that make no sense are told with their place, and exit code 2."""
    here.write("pyproject.toml", "[tool.floe-testing.audit]\nselct = []\n")
    result = run()
    assert result.exit_code == 2
    assert "tool.floe-testing.audit.selct: unknown key; did you mean 'select'?" in result.output


def test_paths_and_the_rest_of_the_suite(here: Repository) -> None:
    """What a suite lacks is told where all of it is looked at, and not for one folder of it."""
    here.write("tests/e2e/test_shop.py", "def test_login(shop):\n    assert shop.login('ada').name == 'ada'\n")
    here.write("pyproject.toml", '[tool.floe-testing.audit.journeys]\nbuy = { keyword = "buy" }\n')
    for paths in ([], ["tests"], ["."], ["tests/unit", "tests"]):
        assert "FT901 the journey 'buy' has no end-to-end test marked journey('buy')" in run(*paths).output
    for paths in (["tests/unit"], ["tests/unit/test_orders.py"], ["tests/e2e"]):
        assert "FT901" not in run(*paths).output


@pytest.mark.parametrize("form", ["json", "sarif", "markdown", "terminal"])
def test_output(form: str, here: Repository) -> None:
    """Each form is written to a file, with a summary on the terminal, or to the standard output."""
    result = run("--format", form, "--output", "out/audit.txt")
    assert result.exit_code == 1
    assert result.output == "1 tests in 1 modules: 1 warnings\n"
    written = (here.root / "out" / "audit.txt").read_text(encoding="utf-8")
    assert "FT401" in written
    direct = run("--format", form, "--root", str(here.root))
    assert direct.output.split() == written.split()


def test_baseline(here: Repository) -> None:
    """A baseline is written once, and from then on new findings alone count."""
    written = run("--baseline", "audit.json", "--write-baseline")
    assert (written.exit_code, written.output) == (0, "1 findings are in audit.json now\n")
    again = run("--baseline", "audit.json")
    assert (again.exit_code, again.output) == (0, "1 tests in 1 modules: nothing found; 1 in the baseline\n")
    here.write("tests/unit/test_more.py", SLEEP)
    assert run("--baseline", "audit.json").exit_code == 1
    assert len(json.loads((here.root / "audit.json").read_text(encoding="utf-8"))["findings"]) == 1


def test_rules_are_listed(here: Repository) -> None:
    """Every rule is listed with its severity, and explained by its id or its name."""
    assert here.root.exists()
    listed = run("--rules").output.splitlines()
    assert [line.split()[0] for line in listed] == [rule.id for rule in all_rules()]
    assert "FT401 warning sleep" in listed
    assert run("--explain", "FT401").output == run("--explain", "sleep").output
    assert "wait_for_condition" in run("--explain", "sleep").output


def test_as_a_module(here: Repository) -> None:
    """`python -m floe_testing.audit` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "floe_testing.audit", "--no-cache"],
        cwd=here.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "\ntests/unit/test_orders.py:3:5: FT401 waits a fixed time\n" in done.stdout
