"""The command `floe-testing audit`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from floe_testing.audit.registry import all_rules
from floe_testing.cli import group

if TYPE_CHECKING:
    from click.testing import Result
    from conftest import Repository

SLEEP = "import time\ndef test_a(orders):\n    time.sleep(1)\n    assert orders.open == 1\n"
LENGTH = "def test_a(shop):\n    found = shop.orders()\n    assert len(found) == 2\n"


@pytest.fixture
def here(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Return a repository with one warning, in which the command runs."""
    repository.write("pyproject.toml", '[tool.floe-testing.audit]\nseverity = { FT401 = "warning" }\n')
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
    ("args", "shown", "exit_code"),
    [
        ([], ["FT401"], 1),
        (["--level", "note"], ["FT401", "FT203"], 1),
        (["--level", "error"], [], 1),
        (["--fail-on", "note"], ["FT401", "FT203"], 1),
        (["--fail-on", "error"], ["FT401"], 0),
        (["--fail-on", "never"], ["FT401"], 0),
        (["--fail-on", "error", "--level", "note"], ["FT401", "FT203"], 0),
        (["--fail-on", "note", "--level", "error"], [], 1),
    ],
)
def test_level(args: list[str], shown: list[str], exit_code: int, here: Repository) -> None:
    """Errors and warnings are shown, and what --level or --fail-on asks for; what is not shown fails all the same."""
    here.write("tests/unit/test_more.py", LENGTH)
    result = run(*args, "--format", "json")
    assert {finding["rule"] for finding in json.loads(result.output)["findings"]} == set(shown)
    assert result.exit_code == exit_code


def test_a_baseline_has_notes_too(here: Repository) -> None:
    """A baseline lists what is not shown as well, so that --level shows nothing old later."""
    here.write("tests/unit/test_orders.py", LENGTH)
    written = run("--baseline", "audit.json", "--write-baseline")
    assert written.output == "1 findings are in audit.json now\n"
    assert run("--baseline", "audit.json", "--level", "note").output.endswith("nothing found; 1 in the baseline\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere", "tests", "neither"], "no such file or folder: nowhere, neither"),
        (["x" * 300], "no such file or folder: xxx"),
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
    assert result.output == "1 test in 1 module: 1 warning\n"
    written = (here.root / "out" / "audit.txt").read_text(encoding="utf-8")
    assert "FT401" in written
    direct = run("--format", form, "--root", str(here.root))
    assert direct.output.split() == written.split()


def test_output_tells_what_it_leaves_out(here: Repository) -> None:
    """Beside a file, the terminal says how many notes are not in it."""
    here.write("tests/unit/test_orders.py", LENGTH)
    result = run("--format", "json", "--output", "audit.json")
    assert result.output == "1 test in 1 module: 1 note not shown: --level note\n"


LEFT_OUT = "1 file not read, and taken for no test of the suite: tests/unit/data/test_lines.py"


def test_files_that_are_no_tests_are_named_in_a_line(here: Repository) -> None:
    """A broken file among the data of tests fails nothing, and is named; one that is a test is an error, and fails."""
    here.write("tests/unit/test_orders.py", "def test_a(shop):\n    assert shop.open == 1\n")
    here.write("tests/unit/data/test_lines.py", "def test_a(:\n")
    result = run()
    assert (result.exit_code, LEFT_OUT in result.output.splitlines()) == (0, True)
    assert LEFT_OUT in run("--output", "audit.txt").stderr.splitlines()
    shown = run("--level", "note").output
    assert "FT000 not read, and taken for no test (in a folder of data, data): invalid syntax" in shown
    assert LEFT_OUT not in shown
    here.write("tests/unit/test_more.py", "def test_a(:\n")
    result = run()
    assert (result.exit_code, "FT000 unreadable: 1 error" in result.output.splitlines()) == (1, True)


def test_nothing_but_files_that_are_no_tests(here: Repository) -> None:
    """Where nothing was looked at but data that can't be read, that is no success, and says so."""
    (here.root / "tests/unit/test_orders.py").unlink()
    here.write("tests/unit/data/test_lines.py", "def test_a(:\n")
    result = run()
    assert (result.exit_code, LEFT_OUT in result.stderr) == (2, True)


def test_baseline(here: Repository) -> None:
    """A baseline is written once, and from then on new findings alone count."""
    written = run("--baseline", "audit.json", "--write-baseline")
    assert (written.exit_code, written.output) == (0, "1 findings are in audit.json now\n")
    again = run("--baseline", "audit.json")
    assert (again.exit_code, again.output) == (0, "1 test in 1 module: nothing found; 1 in the baseline\n")
    here.write("tests/unit/test_more.py", SLEEP)
    assert run("--baseline", "audit.json").exit_code == 1
    assert len(json.loads((here.root / "audit.json").read_text(encoding="utf-8"))["findings"]) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[tool.floe-testing.audit]\nexclude = ["tests/*"]\n', "exclude leaves out 1 files"),
        ("[tool.pytest.ini_options]\npython_files = 3\n", "1 more modules have tests and are not collected"),
        ('[tool.pytest.ini_options]\npython_files = "check_*.py"\n', "(python_files: check_*.py): tests/unit/test_ord"),
        ('[tool.pytest.ini_options]\npython_functions = "check"\n', "no test was looked at in"),
    ],
)
def test_nothing_looked_at(settings: str, message: str, here: Repository) -> None:
    """An audit that looked at no test is no success: it says why there was none."""
    here.write("pyproject.toml", settings)
    result = run()
    assert result.exit_code == 2
    assert "no test was looked at" in result.output
    assert message in result.output


def test_folder_without_tests(here: Repository) -> None:
    """An empty folder, and one that has no test, are told with what would be one."""
    (here.root / "empty").mkdir()
    here.write("shop/orders.py", "def place(): ...\n")
    for folder in ("empty", "shop"):
        result = run(folder)
        assert result.exit_code == 2
        assert "nothing there matches python_files: test_*.py *_test.py" in result.output


def test_modules_that_are_not_collected(here: Repository) -> None:
    """Modules with tests that pytest would not collect are told beside the findings, and in the JSON."""
    here.write("tests/unit/tests.py", "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): ...\n")
    here.write("tests/unit/helpers.py", "class A:\n    def test_a(self): ...\n")
    assert "1 more modules have tests and are not collected" in run().output
    assert json.loads(run("--format", "json").output)["summary"]["uncollected"] == ["tests/unit/tests.py"]


def test_a_part_keeps_the_baseline_of_the_rest(here: Repository) -> None:
    """Entries of files that were not looked at are not gone, and stay where the baseline is written anew."""
    here.write("tests/unit/test_more.py", SLEEP)
    run("--baseline", "audit.json", "--write-baseline")
    part = run("tests/unit/test_more.py", "--baseline", "audit.json")
    assert part.output.endswith("nothing found; 1 in the baseline; 1 in the baseline are of files not looked at\n")
    here.write("tests/unit/test_more.py", SLEEP.replace("time.sleep(1)", "pass"))
    written = run("tests/unit/test_more.py", "--baseline", "audit.json", "--write-baseline")
    assert written.output == "0 findings are in audit.json now, and 1 of files that were not looked at\n"
    assert run("--baseline", "audit.json").exit_code == 0


def test_limit(here: Repository) -> None:
    """Of a rule that finds much, the first findings are shown and the others counted; on demand, all are."""
    for number in range(11, 41):
        here.write(f"tests/unit/test_{number}.py", SLEEP)
    lines = run().output.splitlines()
    assert lines[0] == "FT401 sleep: 31 warnings"
    assert lines[20:23] == ["tests/unit/test_30.py:3:5: FT401 waits a fixed time", SHOWN, ""]
    assert len(run("--limit", "0").output.splitlines()) == 34


SHOWN = "… and 11 more: --limit 0 shows all"


@pytest.mark.parametrize("args", [["--output", "file/out.txt"], ["--baseline", "file/b.json", "--write-baseline"]])
def test_a_place_that_cannot_be_written(args: list[str], here: Repository) -> None:
    """A file that can't be written is told with the reason and exit code 2."""
    here.write("file", "")
    result = run(*args)
    assert result.exit_code == 2
    assert "can't be written: " in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("project = 3\n", "pyproject.toml: project: must be a table, not 3"),
        ("[project]\nentry-points = 3\n", "pyproject.toml: project.entry-points: must be a table, not 3"),
        ("[project.entry-points]\nshop = 3\n", "project.entry-points.shop: must be a table of names"),
        ("[project.entry-points.shop]\na = 3\n", "project.entry-points.shop: must be a table of names"),
    ],
)
def test_project_that_makes_no_sense(text: str, message: str, here: Repository) -> None:
    """Entry points that are none are told by name, with exit code 2."""
    here.write("pyproject.toml", text)
    result = run()
    assert (result.exit_code, message in result.output) == (2, True), result.output


MENDED = [
    ("FT208", "def test_a():\n    total(7) == 7\n", "    assert total(7) == 7"),
    ("FT208", "def test_a(bus):\n    place(7)\n    bus.send.assert_called_once\n", "    bus.send.assert_called_once()"),
    (
        "FT208",
        "def test_a(bus):\n    place(7)\n    assert bus.send.called_once_with(7, to='x')\n",
        "    bus.send.assert_called_once_with(7, to='x')",
    ),
    ("FT204", "def test_a():\n    assert (total(7) == 7, 'wrong')\n", "    assert total(7) == 7, 'wrong'"),
    (
        "FT205",
        (
            "import pytest\nfrom shop import place\ndef test_a():\n    with pytest.raises(Exception):\n"
            "        place(-1)\n"
        ),
        '    with pytest.raises(Exception, match=r"must not be \\(\\) negative"):',
    ),
]


@pytest.mark.parametrize(("rule", "code", "line"), MENDED)
def test_fix(rule: str, code: str, line: str, here: Repository) -> None:
    """What can safely be mended is, and is no finding afterwards; nothing else of the file changes."""
    here.write("shop.py", "def place(amount):\n    raise ValueError('must not be () negative')\n")
    file = here.write("tests/unit/test_orders.py", f"# ä\n{code}# end\n")
    before = file.read_text(encoding="utf-8").splitlines()
    result = run("--fix")
    after = file.read_text(encoding="utf-8").splitlines()
    assert f": {rule} mended: {line.strip()}" in result.output
    assert line in after
    assert len([each for each in after if each not in before]) == 1
    assert rule not in run().output


def test_fix_leaves_what_is_not_safe(here: Repository) -> None:
    """What only a person can mend stays as it is: an error whose message is not known, and a comparison over lines."""
    code = (
        "import pytest\nfrom elsewhere import place\ndef test_a():\n    with pytest.raises(Exception):\n"
        "        place(-1)\n    (total(7)\n     == 7)\n"
    )
    file = here.write("tests/unit/test_orders.py", code)
    run("--fix")
    assert "pytest.raises(Exception):" in file.read_text(encoding="utf-8")


def test_rules_are_listed(here: Repository) -> None:
    """Every rule is listed with its severity, and explained by its id or its name."""
    assert here.root.exists()
    listed = run("--rules").output.splitlines()
    assert [line.split()[0] for line in listed] == [rule.id for rule in all_rules()]
    assert "FT401 note    sleep" in listed
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
