"""Which tests run: pytest's arguments, and the refusal of a selection that holds none."""

import pytest
from floe_ci.config import Config, TierConfig, Timeouts
from floe_ci.errors import UserError
from floe_ci.selection import (
    Selection,
    belonging,
    pytest_arguments,
    refuse_debugger_of_workers,
    refuse_nothing,
    refuse_workers,
    selecting_arguments,
    usage_error,
)

TIER = TierConfig(paths=("tests/integration",))
EVERYTHING = Selection()


def option(arguments: tuple[str, ...], name: str) -> str:
    """Return the value that follows an option."""
    return arguments[arguments.index(name) + 1]


def refusal(chosen: Selection, exit_code: int, output: str = "") -> str:
    """Return the message of a refused selection."""
    with pytest.raises(UserError) as raised:
        refuse_nothing("unit", chosen, exit_code, output)
    return str(raised.value)


def test_paths_of_the_tier() -> None:
    """Where nothing is selected, the tier's paths are all that selects."""
    assert selecting_arguments(TIER, EVERYTHING) == ("-p", "no:cacheprovider", "tests/integration")


def test_keyword() -> None:
    """A keyword is pytest's `-k`, as one argument."""
    assert option(selecting_arguments(TIER, Selection(keyword="a or b")), "-k") == "a or b"


def test_marker() -> None:
    """A marker is pytest's `-m`."""
    assert option(selecting_arguments(TIER, Selection(marker="slow")), "-m") == "(slow)"


def test_marker_of_the_tier() -> None:
    """The tier's own marker selects where the caller names none."""
    assert option(selecting_arguments(TierConfig(marker="smoke"), EVERYTHING), "-m") == "(smoke)"


def test_markers_are_both_required() -> None:
    """The caller's marker narrows the tier's, whatever operators the two are made of."""
    arguments = selecting_arguments(TierConfig(marker="a or b"), Selection(marker="c or d"))
    assert option(arguments, "-m") == "(a or b) and (c or d)"


def test_no_empty_options() -> None:
    """Without a keyword or a marker there is neither `-k` nor `-m`, which would select by an empty text."""
    assert not {"-k", "-m"} & set(selecting_arguments(TIER, EVERYTHING))


def test_further_arguments_are_split_like_a_shell_does() -> None:
    """Quotes keep an argument with spaces in one piece."""
    arguments = selecting_arguments(TIER, Selection(pytest_args="--maxfail 1 -o 'a = b'"))
    assert arguments[-4:] == ("--maxfail", "1", "-o", "a = b")


def test_callers_arguments_come_after_the_tiers() -> None:
    """Where pytest takes the last of two, it takes the caller's."""
    arguments = selecting_arguments(TierConfig(pytest_args=("-v",)), Selection(pytest_args="-q"))
    assert arguments[-2:] == ("-v", "-q")


def test_open_quote() -> None:
    """A quote that is never closed is refused, with the option that has it."""
    with pytest.raises(UserError, match=r"--pytest-args .*No closing quotation"):
        selecting_arguments(TIER, Selection(pytest_args="-k 'a"))


def test_results_go_where_they_are_collected() -> None:
    """The JUnit file and the coverage go into the folder that is exported."""
    arguments = pytest_arguments(TIER, Config(), EVERYTHING)
    assert {"--junitxml=/results/junit.xml", "--cov-report=xml:/results/coverage.xml"} <= set(arguments)


def test_caller_cannot_move_the_results() -> None:
    """The file that the verdict is read from comes last, and so wins over the caller's own."""
    arguments = pytest_arguments(TIER, Config(), Selection(pytest_args="--junitxml=mine.xml"))
    assert arguments.index("--junitxml=mine.xml") < arguments.index("--junitxml=/results/junit.xml")


def test_coverage_of_the_whole_source() -> None:
    """Where the configuration names nothing to measure, everything is."""
    arguments = pytest_arguments(TIER, Config(), EVERYTHING)
    assert [each for each in arguments if each.startswith("--cov") and "report" not in each] == ["--cov"]


def test_coverage_of_parts() -> None:
    """Each part that the configuration names is measured, and nothing else."""
    arguments = pytest_arguments(TIER, Config(coverage=("app", "lib")), EVERYTHING)
    measured = [each for each in arguments if each.startswith("--cov") and "report" not in each]
    assert measured == ["--cov=app", "--cov=lib"]


def test_timeout_of_a_test() -> None:
    """One test may take as long as the configuration says."""
    arguments = pytest_arguments(TIER, Config(timeouts=Timeouts(test=7)), EVERYTHING)
    assert "--timeout=7" in arguments


def test_selection_reads_as_it_was_written() -> None:
    """A selection is told in the caller's own options, to be pasted."""
    assert str(Selection(keyword="a or b", pytest_args="-x")) == "--keyword 'a or b' --pytest-args -x"


def test_no_test_matches() -> None:
    """A selection without tests is told with what selected it."""
    assert refusal(Selection(keyword="nope"), 5) == (
        "tier unit: no test matches --keyword nope; `pytest --collect-only` shows what there is"
    )


def test_no_tests_at_all() -> None:
    """A source without tests is not blamed on options that the caller didn't give."""
    assert "there are no tests in its paths" in refusal(EVERYTHING, 5)


def test_refused_arguments() -> None:
    """Arguments that pytest refuses are told in its own last words."""
    output = "usage: pytest\nERROR: usage: x\nERROR: file or directory not found: tests/unit\n"
    assert refusal(EVERYTHING, 4, output) == "tier unit: pytest can't start: file or directory not found: tests/unit"
    output = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --nope\n  inifile: pytest.ini\n"
    assert refusal(EVERYTHING, 4, output) == "tier unit: pytest can't start: unrecognized arguments: --nope"


@pytest.mark.parametrize("output", ["", "first\nlast\n", "ImportError while loading conftest\nE   KeyError: 'URL'\n"])
def test_conftest_that_breaks_is_no_refusal(output: str) -> None:
    """A conftest.py that can't be imported before there are services may well be importable when they are there."""
    refuse_nothing("unit", EVERYTHING, 4, output)


@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 137])
def test_other_codes_are_no_refusal(exit_code: int) -> None:
    """Tests that pass, fail or break are no matter of selection."""
    refuse_nothing("unit", EVERYTHING, exit_code, "")


def test_failed_tests_are_tried_again() -> None:
    """A tier that wants retries has pytest try as often."""
    arguments = pytest_arguments(TierConfig(retries=2), Config(), EVERYTHING)
    assert "--reruns=2" in arguments
    assert "--rerun-show-tracebacks" not in arguments, "an older version that fits the tests does not know it"
    assert not [one for one in pytest_arguments(TIER, Config(), EVERYTHING) if "rerun" in one]


def test_named_tests_take_the_place_of_the_paths() -> None:
    """Tests that are named are all that pytest looks at, and what leaves others out of the tier does not apply."""
    chosen = Selection(tests=("tests/a.py::test_x",), options=("-n", "2"))
    assert selecting_arguments(TierConfig(marker="not slow"), chosen) == (
        "-p", "no:cacheprovider", "tests/a.py::test_x", "-n", "2"
    )  # fmt: skip
    assert option(selecting_arguments(TierConfig(marker="smoke"), Selection(tests=("tests/a.py",))), "-m") == "(smoke)"
    assert str(chosen) == "tests/a.py::test_x -n 2"


@pytest.mark.parametrize(
    "chosen", [Selection(tests=("a",)), Selection(pytest_args="--lf"), Selection(options=("--pdb",))]
)
def test_inner_loop_has_no_coverage_and_no_retries(chosen: Selection) -> None:
    """Where a developer looks at some tests nothing is measured or tried again, unless coverage is asked for."""
    arguments = pytest_arguments(TierConfig(retries=2), Config(), chosen)
    assert "--no-cov" in arguments
    assert not [each for each in arguments if each.startswith(("--cov", "--reruns"))]
    asked = Selection(tests=("a",), options=("--cov=app",))
    assert "--no-cov" not in pytest_arguments(TIER, Config(), asked)


@pytest.mark.parametrize(
    ("tier", "chosen"),
    [
        (TIER, Selection(options=("--no-cov",))),
        (TIER, Selection(pytest_args="-x --no-cov")),
        (TierConfig(pytest_args=("--no-cov",)), EVERYTHING),
    ],
)
def test_whole_tier_without_coverage(tier: TierConfig, chosen: Selection) -> None:
    """Whoever wants no coverage, for a run or in the tier's table, asks pytest-cov for nothing else."""
    arguments = pytest_arguments(tier, Config(), chosen)
    assert [each for each in arguments if "-cov" in each] == ["--no-cov"]


def test_run_is_remembered_in_a_cache() -> None:
    """Where there is a folder for it, pytest's cache is there and not in the repository."""
    arguments = pytest_arguments(TIER, Config(), EVERYTHING, cache="/cache")
    assert option(arguments, "-o") == "cache_dir=/cache"
    assert "no:cacheprovider" not in arguments


NESTED = {
    "unit": ("tests",),
    "integration": ("tests/db", "checks"),
    "e2e": ("tests/db",),
}


@pytest.mark.parametrize(
    ("tests", "tier"),
    [
        (("tests/test_a.py::test_b",), "unit"),
        (("tests/db/test_a.py",), "integration"),
        (("checks", "tests/db"), "integration"),
        ((".",), "integration"),
    ],
)
def test_tier_of_tests(tests: tuple[str, ...], tier: str) -> None:
    """Tests are of the tier with the nearest path, and where several have it of the one that is preferred."""
    assert belonging(tests, NESTED, "integration") == tier  # type: ignore[arg-type]


def test_tests_of_no_or_several_tiers() -> None:
    """Tests that no tier has, or that no single one has, are refused with what there is."""
    with pytest.raises(
        UserError, match=r"^src/a.py: is in no tier's paths \(unit has tests; integration has tests/db, ch"
    ):
        belonging(("src/a.py",), NESTED, "integration")  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match=r"^the tests are of several tiers \(tests/a.py to unit, checks to integration\)"
    ):
        belonging(("tests/a.py", "checks"), NESTED, "integration")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"is in several tiers \(e2e, integration\): name one of them with --tier"):
        belonging(("tests/db/a.py",), NESTED, "unit")  # type: ignore[arg-type]


def workers_refused(options: tuple[str, ...], lock: str) -> str:
    """Return the message of workers that a lock file doesn't have the package of; empty: they are not refused."""
    try:
        refuse_workers(TierConfig(), Selection(options=options), lock)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("options", [("-n", "4"), ("-n4",), ("--numprocesses=auto",)])
def test_workers_need_their_package(options: tuple[str, ...]) -> None:
    """Workers are refused by a lock file without pytest-xdist, and not by one that has it."""
    assert "need pytest-xdist in the repository" in workers_refused(options, 'name = "pytest"\n')
    assert not workers_refused(options, 'name = "pytest"\nname = "pytest-xdist"\n')


@pytest.mark.parametrize("options", [(), ("-x",), ("--no-cov",), ("--nf",)])
def test_other_options_need_no_workers(options: tuple[str, ...]) -> None:
    """What asks for no workers is not refused for them."""
    assert not workers_refused(options, "")


@pytest.mark.parametrize("workers", [("-n", "4"), ("-n4",), ("--numprocesses=4",), ("-n0", "--numprocesses", "2")])
def test_debugger_beside_workers(workers: tuple[str, ...]) -> None:
    """A debugger beside workers is refused where the caller asks for both; the workers of the tier give way to it."""
    with pytest.raises(UserError, match=r"^--pdb: workers have no terminal: leave out -n, or have -n 0$"):
        refuse_debugger_of_workers(Selection(options=("--pdb", *workers)))
    refuse_debugger_of_workers(Selection(options=workers))
    tier = TierConfig(pytest_args=workers)
    assert selecting_arguments(tier, Selection(options=("--pdb",)))[-2:] == ("-n0", "--pdb")
    assert selecting_arguments(tier, Selection(options=("-x",)))[-1 - len(workers) :] == (*workers, "-x")


@pytest.mark.parametrize(
    "workers", [(), ("-n", "0"), ("-n", "auto"), ("-n4", "-n0"), ("--no-cov", "4"), ("-k", "-n"), ("-n",)]
)
def test_debugger_without_workers(workers: tuple[str, ...]) -> None:
    """Where no worker is asked for by number in the end, a debugger is as welcome as ever."""
    refuse_debugger_of_workers(Selection(options=("--pdb", *workers)))
    arguments = selecting_arguments(TierConfig(pytest_args=workers), Selection(options=("--pdb",)))
    assert arguments[-1 - len(workers) :] == (*workers, "--pdb")


def test_workers_that_pytest_does_not_know() -> None:
    """Where no lock file tells, pytest's own refusal gets the remedy."""
    said = usage_error("__main__.py: error: unrecognized arguments: -n 2")
    assert said is not None
    assert said.endswith(
        "workers need pytest-xdist in the repository: add it to the packages of the tests, or do without"
    )
