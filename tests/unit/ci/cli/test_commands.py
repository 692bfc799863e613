"""The command line hands a request to a place, and its exit code is the run's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.cli import COMMANDS
from floe_ci.errors import RunError, UserError
from floe_ci.places import choice
from floe_ci.places.choice import Choice
from floe_ci.request import TAKEN, RunRequest
from floe_ci.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from conftest import Somewhere

    Call = Callable[..., Result]

HEAVY = {"dagger", "kubernetes", "rich", "tomlkit", "junitparser", "anyio"}


def modules_after(statement: str) -> set[str]:
    """Return the packages that a new Python has imported after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_help_imports_nothing_heavy() -> None:
    """`floe-ci --help` answers without importing what only a run needs."""
    script = "from click.testing import CliRunner; from floe_ci.cli import main; CliRunner().invoke(main, ['--help'])"
    assert not modules_after(script) & (HEAVY | {"pydantic"})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_explain_themselves(call: Call, command: str) -> None:
    """Every command has a help, whose first line the list of commands repeats in substance."""
    told = call(command, "--help")
    assert told.exit_code == 0
    assert f"Usage: main {command}" in told.output


def test_request_has_every_option(call: Call, somewhere: Somewhere) -> None:
    """What is asked for on the command line is what the place is asked for."""
    options = {
        "--tier": "unit", "--keyword": "orders", "--marker": "not slow", "--pytest-args": "-x", "--timeout": "9",
        "--registry": "mirror.example.com", "--context": "c",
        "--kubeconfig": "k", "--image": "i", "--push": "p", "--results": "out", "--source": ".",
    }  # fmt: skip
    call("test", "--on", "cluster", "--keep", *(part for pair in options.items() for part in pair))
    (request,) = somewhere.requests
    assert somewhere.name == "cluster"
    assert request == RunRequest(
        tier="unit",
        source=Path(),
        results=Path("out"),
        selection=Selection("orders", "not slow", "-x"),
        timeout=9,
        registry="mirror.example.com",
        keep=True,
        kubeconfig=Path("k"),
        context="c",
        image="i",
        push="p",
        run_id=request.run_id,
    )


def test_request_has_the_options_of_an_engine(call: Call, somewhere: Somewhere) -> None:
    """What is asked of Kind's nodes is what the engine is asked for."""
    call("test", "--on", "dagger", "--node-image", "n", "--kubernetes-version", "1.31.6")
    assert [(each.node_image, each.kubernetes_version) for each in somewhere.requests] == [("n", "1.31.6")]


@pytest.mark.parametrize("command", ["test", "up"])
@pytest.mark.parametrize(
    ("place", "option", "value", "wanted"),
    [
        *(("local", f"--{name}", "x", "cluster") for name in ("kubeconfig", "context", "image", "push")),
        ("local", "--images", "a=b", "cluster"),
        ("local", "--addon", "a=there", "cluster"),
        ("local", "--registry", "mirror.example.com", "dagger or cluster"),
        ("local", "--node-image", "n", "dagger"),
        ("cluster", "--kubernetes-version", "1.31.6", "dagger"),
        ("dagger", "--push", "registry.example.com/x", "cluster"),
        ("dagger", "--context", "c", "cluster"),
    ],
)
def test_option_of_another_place_is_refused(  # noqa: PLR0913, PLR0917 - a row of the table
    call: Call, somewhere: Somewhere, command: str, place: str, option: str, value: str, wanted: str
) -> None:
    """An option that means nothing where a command goes is refused before anything begins, with where it is for."""
    told = call(command, "--on", place, option, value)
    assert told.exit_code == 2
    assert f"floe-ci: --on {place}: {option}: for --on {wanted}; leave it out\n" in told.stderr
    assert not somewhere.requests


def test_options_of_another_place_are_told_at_once(call: Call, somewhere: Somewhere) -> None:
    """All of them are in one message; those that a script hands on empty are as if they were not there."""
    told = call("up", "--on", "local", "--idle", "2", "--context", "c", "--registry", "", "--image", "")
    assert "--on local: 2 problems\n  --idle: for --on dagger; leave it out\n  --context: for" in told.stderr
    assert call("up", "--on", "local", "--registry", "", "--image", "").exit_code == 0
    assert len(somewhere.requests) == 1


@pytest.mark.parametrize("hours", ["nan", "inf", "1e999", "-1", "0"])
def test_idle_that_is_no_time_is_refused(call: Call, somewhere: Somewhere, hours: str) -> None:
    """A time that never comes, or is none, is refused before anything begins."""
    told = call("up", "--on", "local", "--idle", hours)
    assert (told.exit_code, "Invalid value for '--idle'" in told.stderr) == (2, True), told.output
    assert not somewhere.requests


@pytest.mark.parametrize("command", ["test", "up", "down", "env", "exec", "shell", "doctor", "init"])
@pytest.mark.parametrize("named", [True, False])
def test_folder_that_is_no_text_is_refused_alike(  # noqa: PLR0913, PLR0917 - two parameters, and what is used
    call: Call,
    somewhere: Somewhere,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    named: bool,  # noqa: FBT001
) -> None:
    """Each command says the same of a repository whose path no run takes, also where it is called in it."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    (folder / "tests" / "unit").mkdir(parents=True)
    (folder / "requirements.txt").write_text("pytest\n")
    monkeypatch.chdir(tmp_path if named else folder)
    told = call(command, *(["--source", str(folder)] if named else []), *(["true"] if command == "exec" else []))
    assert told.exit_code == 2
    assert told.stderr == f"floe-ci: {str(folder)!a} is not UTF-8: rename it, or name another\n"
    assert not somewhere.requests
    assert not (folder / "floe-ci.toml").exists()


OF_OTHERS = ("--context", "c", "--registry", "mirror.example.com", "--registry-password", "env://P", "--bundle", "b")
LEFT_ASIDE = (
    "--context (for --on cluster)",
    "--registry (for --on dagger or cluster)",
    "--registry-password (for --on dagger or cluster)",
    "--bundle (for --on dagger)",
)


@pytest.mark.parametrize("command", ["test", "up", "down"])
def test_option_of_another_place_is_left_aside_where_nobody_named_one(
    call: Call, somewhere: Somewhere, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Where the place was chosen for want of an engine, what is for others is told in one line, and not asked for."""
    monkeypatch.setattr("floe_ci.places.choice.choose", lambda: Choice("local", "no engine"))
    told = call(command, *OF_OTHERS)
    assert told.exit_code == (1 if command == "test" else 0), told.stderr
    (line,) = (each for each in told.stderr.splitlines() if "left aside" in each)
    assert all(each in line for each in LEFT_ASIDE), line
    (asked,) = somewhere.requests
    assert (asked.context, asked.registry, asked.registry_password, asked.bundle) == ("", "", "", None)


def test_end_is_refused_for_no_option(call: Call, somewhere: Somewhere) -> None:
    """Who cleans up with the options of `up` ends what is up, also where the place is named."""
    assert call("down", "--on", "local", "--context", "c").exit_code == 0
    assert len(somewhere.requests) == 1


@pytest.mark.parametrize("command", ["doctor", "init", "test", "up", "down", "env", "exec", "shell"])
def test_folder_that_cannot_be_looked_into(call: Call, somewhere: Somewhere, tmp_path: Path, command: str) -> None:
    """A repository that nothing can be read of is refused in one message by each command."""
    (tmp_path / "loop").symlink_to("loop")
    rest = ["true"] if command == "exec" else []
    for folder, reason in (("x" * 5000, "File name too long"), (str(tmp_path / "loop"), "Too many levels of symbolic")):
        told = call(command, "--source", folder, *rest)
        assert (told.exit_code, f"can't be looked into: {reason}" in told.stderr) == (2, True), told.stderr
    assert not somewhere.requests


ORDERS = "tests/unit/test_orders.py::test_total"


@pytest.fixture
def orders(somewhere: Somewhere, tmp_path: Path) -> Somewhere:
    """Return the place, with a repository in this folder that has a test of the unit tier."""
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "test_orders.py").touch()
    (tmp_path / "other.py").touch()
    return somewhere


def test_named_test_runs_in_its_tier(call: Call, orders: Somewhere) -> None:
    """The tier of a test that is named is the one whose paths it is in, and `--tier` wins."""
    call("test", "--on", "local", ORDERS)
    call("test", "--on", "local", "--tier", "integration", ORDERS)
    call("test", "--on", "local", "--tier", "integration", "other.py")
    asked = [(each.tier, each.selection.tests, each.results.name) for each in orders.requests]
    assert asked == [
        ("unit", (ORDERS,), "unit"),
        ("integration", (ORDERS,), "integration"),
        ("integration", ("other.py",), "integration"),
    ]


def test_named_test_from_another_folder(call: Call, orders: Somewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may be named as the caller sees it, or as the repository does."""
    root = str(Path.cwd())
    monkeypatch.chdir("tests")
    call("test", "--on", "local", "--source", root, "unit/test_orders.py::test_total")
    call("test", "--on", "local", "--source", root, ORDERS)
    assert [each.selection.tests for each in orders.requests] == [(ORDERS,), (ORDERS,)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tests/unit/test_no.py::test_x", "there is no file or folder 'tests/unit/test_no.py' in"),
        ("../..", "there is no file or folder '../..' in"),
        ("a\0b", "there is no file or folder"),
        ("other.py", "other.py: is in no tier's paths (unit has tests/unit; integration has tests/integration;"),
    ],
)
def test_named_test_that_is_none_of_the_repository(call: Call, orders: Somewhere, name: str, reason: str) -> None:
    """A name without a file in the repository, or of no tier, is refused in one message before anything runs."""
    told = call("test", "--on", "local", name)
    assert told.exit_code == 2
    assert reason in told.stderr
    assert not orders.requests


def test_options_of_pytest_are_passed_on(call: Call, somewhere: Somewhere) -> None:
    """The options that are pytest's are handed to it, and so is what stands behind `--`, as it is."""
    call("test", "--on", "local", "--lf", "--ff", "--sw", "-x", "-n", "2", "--pdb", "--", "-vv", "-k", "a b", "--lf")
    assert somewhere.requests[0].selection.options == (
        "--lf", "--ff", "--sw", "-x", "--pdb", "-n", "2", "-vv", "-k", "a b", "--lf"
    )  # fmt: skip


GONE = "the engine is gone\nand more"
"""Why a run broke: a line, and what follows it."""


def test_what_broke_before_its_tests_is_begun_again(call: Call, somewhere: Somewhere) -> None:
    """A run that broke before its first test is begun again as a run of its own, which tells of the one before."""
    somewhere.broken = [GONE]
    assert call("test", "--on", "local", "--attempts", "3").exit_code == 1
    first, second = somewhere.requests
    assert (first.earlier, len({first.run_id, second.run_id})) == ((), 2)
    told = "attempt 1 of 3 broke before its first test: the engine is gone; what it left is in logs/attempt-1/"
    assert second.earlier == (told,)


@pytest.mark.parametrize(
    ("arguments", "broken", "times"),
    [
        ((), 1, 1),
        (("--attempts", "3"), 9, 3),
        (("--attempts", "2"), 9, 2),
        (("--attempts", "3", "--keep"), 9, 1),
        (("--attempts", "3"), 0, 1),
    ],
    ids=["not-asked", "twice-at-most", "once", "kept-for-a-look", "tests-failed"],
)
def test_how_often_a_run_is_begun(
    call: Call, somewhere: Somewhere, arguments: tuple[str, ...], broken: int, times: int
) -> None:
    """A run is begun again only where it was asked for, broke before its tests, and is not kept for a look."""
    somewhere.broken = [GONE] * broken
    done = call("test", "--on", "local", *arguments)
    assert done.exit_code == (3 if broken else 1)
    assert len(somewhere.requests) == times
    assert ("what --keep leaves for a look is not begun again" in done.stderr) == ("--keep" in arguments)


def test_run_whose_tests_had_begun_is_not_begun_again(call: Call, somewhere: Somewhere) -> None:
    """What broke while tests ran may have cost an hour, and have left something: it is told, and not done again."""
    somewhere.broken, somewhere.breaks_late = [GONE], True
    assert call("test", "--on", "local", "--attempts", "3").exit_code == 3
    assert len(somewhere.requests) == 1


def test_what_would_break_again_is_not_begun_again(call: Call, somewhere: Somewhere) -> None:
    """A command that ends by itself, or a manifest that is refused, costs the minutes of one attempt."""
    somewhere.broken, somewhere.lasts = [GONE] * 9, True
    assert call("test", "--on", "local", "--attempts", "3").exit_code == 3
    assert len(somewhere.requests) == 1


def test_more_attempts_than_there_may_be_are_refused(call: Call, somewhere: Somewhere) -> None:
    """Infrastructure that has broken three times is broken: more is no attempt of the option's."""
    done = call("test", "--on", "local", "--attempts", "4")
    assert (done.exit_code, somewhere.requests) == (2, [])
    assert "--attempts" in done.stderr


def test_results_are_beside_those_of_other_tiers(call: Call, somewhere: Somewhere) -> None:
    """Where nobody says otherwise, a tier's results are in a folder of its name."""
    call("test", "--on", "local", "--tier", "unit")
    assert somewhere.requests[0].results == Path("results/unit")


def test_exit_code_is_the_runs(call: Call, somewhere: Somewhere) -> None:
    """A failed run is exit code 1, its failures are told, and then its results' folder."""
    told = call("test", "--on", "local")
    assert somewhere.requests
    assert told.exit_code == 1
    assert "tests.test_orders::test_empty assert 1 == 2\n    more\n" in told.stdout
    assert told.stdout.endswith(
        "failed: tier integration, 1 passed, 1 failed, 1 skipped, 0 s\nresults: results/integration\n"
    )


def test_progress_goes_to_standard_error(call: Call, somewhere: Somewhere) -> None:
    """Steps and notes are on standard error, line by line where that is no terminal; the place comes first."""
    told = call("test", "--on", "local")
    assert somewhere.requests
    lines = told.stderr.splitlines()
    assert lines[:2] == ["on local: as asked", "a note"]
    assert lines[2].endswith(" s  tests …")
    assert lines[3].endswith(" s  tests: done after 4.5 s")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_exit_code_of_a_run_whose_results_cannot_be_written(
    call: Call, somewhere: Somewhere, options: tuple[str, ...]
) -> None:
    """Where results are lost for want of room, that is told beside the verdict, and changes neither it nor its code."""
    somewhere.loses = ("exit-code", "timings.json", "summary.md")
    told = call("test", "--on", "local", *options)
    assert told.exit_code == 1
    assert "Failed: tier integration, 1 passed, 1 failed, 1 skipped" in told.stderr
    assert "no results of a run" in told.stderr


def test_json_is_all_of_standard_output(call: Call, somewhere: Somewhere) -> None:
    """With --json, standard output is one document with the verdict, the counts and the failures."""
    told = json.loads(call("test", "--on", "local", "--json").stdout)
    assert somewhere.requests
    assert (told["place"], told["verdict"], told["exit_code"]) == ("local", "failed", 1)
    assert told["suites"]["integration"] == {"passed": 1, "failed": 1, "errored": 0, "skipped": 1, "seconds": 4.5}
    assert told["failures"] == [{"test": "tests.test_orders::test_empty", "message": "assert 1 == 2\nmore"}]


def test_place_is_chosen_where_none_is_named(call: Call, somewhere: Somewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no place is named the first line says which was chosen, and why."""
    monkeypatch.setattr(choice, "choose", lambda: Choice("local", "there is nothing else"))
    assert call("test").stderr.startswith("on local: there is nothing else\n")
    assert somewhere.name == "local"


@pytest.mark.parametrize(("error", "code"), [(UserError("tier x: no test"), 2), (RunError("the cluster is gone"), 3)])
def test_error_is_one_message(call: Call, somewhere: Somewhere, error: Exception, code: int) -> None:
    """Bad input is exit code 2, what broke is 3, and either is its message, without a traceback."""
    somewhere.error = error
    told = call("test", "--on", "local")
    assert told.exit_code == code
    assert told.stderr.splitlines()[-1] == f"floe-ci: {error}"
    assert "Traceback" not in told.output


def test_interruption_is_130(call: Call, somewhere: Somewhere) -> None:
    """An interrupted command ends as shells expect, without a traceback."""
    somewhere.error = KeyboardInterrupt()  # type: ignore[assignment]
    told = call("test", "--on", "local")
    assert told.exit_code == 130
    assert "Traceback" not in told.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("test", "--tier", "intgration"), "'intgration' is not one of 'unit', 'integration', 'e2e'"),
        (("test", "--on", "moon"), "'moon' is not one of 'dagger', 'cluster', 'local'"),
        (("test", "--timeout", "0"), "0 is not in the range x>=1"),
        (("tset",), "No such command 'tset'"),
    ],
)
def test_wrong_words_are_refused(call: Call, arguments: tuple[str, ...], words: str) -> None:
    """A word that is none is exit code 2, and what it may be is told."""
    told = call(*arguments)
    assert told.exit_code == 2
    assert words in told.stderr


@pytest.mark.parametrize(("command", "said"), [("up", "it is up\n"), ("down", "it is down\n")])
def test_inner_loop(call: Call, somewhere: Somewhere, command: str, said: str) -> None:
    """`up` and `down` go to the place, and print what it says."""
    told = call(command, "--on", "cluster", "--tier", "e2e", "--context", "kind-dev")
    assert (told.exit_code, told.stdout) == (0, said)
    assert (somewhere.requests[0].tier, somewhere.requests[0].context) == ("e2e", "kind-dev")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion(call: Call, shell: str) -> None:
    """The completion script of a shell calls this program back."""
    told = call("completion", shell)
    assert told.exit_code == 0
    assert "_FLOE_CI_COMPLETE" in told.stdout


@pytest.mark.parametrize("command", ["test", "up"])
def test_bundle_is_for_dagger(call: Call, somewhere: Somewhere, command: str) -> None:
    """A bundle is refused where nothing is taken from it, before the place is asked for anything."""
    told = call(command, "--on", "local", "--bundle", "bundle.tar")
    assert told.exit_code == 2
    assert "--on local: --bundle: for --on dagger; `floe-ci bundle push` puts its images into a registry" in told.stderr
    assert not somewhere.requests


@pytest.mark.parametrize("place", ["dagger", "cluster", None])
@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--pdb", "--pdb: for --on local; elsewhere tests have no terminal"),
        ("--lf", "--lf: for --on local; elsewhere pytest's cache of the last run is not kept"),
    ],
)
def test_option_without_which_it_is_another_run(  # noqa: PLR0913, PLR0917 - two parameters, and what is used
    call: Call, somewhere: Somewhere, monkeypatch: pytest.MonkeyPatch, place: str | None, option: str, reason: str
) -> None:
    """A debugger, or the tests of the last run, are refused where they can't be had, also where no place was named."""
    monkeypatch.setattr("floe_ci.places.choice.choose", lambda: Choice("dagger", "an engine"))
    told = call("test", option, *(["--on", place] if place else []))
    assert told.exit_code == 2
    assert f"floe-ci: --on {place or 'dagger'}: {reason}" in told.stderr
    assert not somewhere.requests


def test_help_says_where_an_option_is_for(call: Call) -> None:
    """What only one place takes says so in the help of `test`, by the table that it is refused by."""
    told = " ".join(call("test", "--help").stdout.split())
    for option in ("--bundle", "--kubeconfig", "--context", "--image", "--images", "--addon"):
        (taken,) = (each for each in TAKEN.values() if each.option == option)
        assert re.search(rf"{option} [^ ]+ For {taken.where}[:.]", told), option


def test_no_bundle_is_pushed(call: Call, tmp_path: Path) -> None:
    """What is no bundle is refused before an engine is looked for."""
    (tmp_path / "other.tar").write_text("none")
    told = call("bundle", "push", str(tmp_path / "other.tar"), "registry.example.com")
    assert told.exit_code == 2
    assert "other.tar: it can't be read" in told.output + told.stderr


def test_options_before_push_are_refused(call: Call, tmp_path: Path) -> None:
    """Options that stand before `push` are not dropped: they are named, with where they would go."""
    before = ["--registry-user", "ci", "--registry-password", "env://NAME", "--tier", "e2e", "--output", "x.tar"]
    told = call("bundle", *before, "push", str(tmp_path / "bundle.tar"), "registry.example.com")
    assert told.exit_code == 2
    said = " ".join((told.output + told.stderr).split())
    for name in before[::2]:
        assert name in said
    assert "before push: options of push go behind it" in said


def test_password_is_not_told(call: Call, somewhere: Somewhere) -> None:
    """A password that is given where its address should be is not shown, and no place is asked for anything."""
    given = ["--registry", "mirror.example.com", "--registry-user", "ci", "--registry-password", "hunter2secret"]
    told = call("test", "--on", "dagger", *given)
    assert told.exit_code == 2
    assert "must be the address of a secret" in told.output + told.stderr
    assert "hunter2" not in told.output + told.stderr
    assert not somewhere.requests
