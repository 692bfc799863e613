"""Which tests run: pytest's arguments, and the refusal of a selection that holds none."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.errors import NothingToRunError, UserError
from floe_ci.markers import marker_problem
from floe_ci.reporter import REPORTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from floe_ci.config import Config, TierConfig
    from floe_ci.tiers import TierName

NO_TESTS, USAGE_ERROR, COLLECTION_ERROR, TESTS_FAILED = 5, 4, 2, 1
"""pytest's exit codes: no test selected, arguments refused, tests that break it, failed tests or a plugin's gate."""
COLLECT_TESTS: Final = "collect tests"
"""The step that looks at the selection before anything is started for it."""
SHOWN: Final = 2000
"""How many characters of pytest's output are shown."""
INTERACTIVE: Final = ("--pdb", "--trace")
REMEMBERING: Final = ("--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise", "--nf", "--new-first")
"""pytest's options that need a terminal, and those that need its cache of an earlier run."""
NO_COVERAGE: Final = "--no-cov"
WORKERS_NEED: Final = "workers need pytest-xdist in the repository"
_WORKERS: Final = re.compile(r"-n(?:$|=?\d|=?auto|=?logical)|--numprocesses\b")
_NUMBER: Final = re.compile(r"(?:-n|--numprocesses)[ =]?(\d+)(?: |$)")
_WORKERS_UNKNOWN: Final = re.compile(r"unrecognized arguments: (?:.* )?(?:-n|--numprocesses)")
_XDIST: Final = re.compile(r'^name = "pytest-xdist"$', re.MULTILINE)
_NOT_IMPORTABLE: Final = re.compile(r"^E\s+(ModuleNotFoundError|SyntaxError|IndentationError): ", re.MULTILINE)
"""What no service mends that comes later."""
_ERROR: Final = re.compile(r"(?:\S*pytest\S*|__main__\.py): error: |ERROR: (?!usage)")
"""How the lines begin in which pytest says what it doesn't take."""


@dataclass(frozen=True)
class Selection:
    """What the caller selects, beside what the tier's configuration does."""

    keyword: str = ""
    marker: str = ""
    pytest_args: str = ""
    """As on a command line."""
    tests: tuple[str, ...] = ()
    """Files, folders and node ids, relative to the repository, in the place of the tier's paths."""
    options: tuple[str, ...] = ()
    """Further arguments for pytest, one by one."""

    def __str__(self) -> str:
        """Return what selects, as the caller wrote it."""
        options = {"--keyword": self.keyword, "--marker": self.marker, "--pytest-args": self.pytest_args}
        given = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
        return " ".join((*map(shlex.quote, self.tests), *given, *map(shlex.quote, self.options)))

    @property
    def extra(self) -> tuple[str, ...]:
        """The caller's arguments for pytest.

        Raises:
            UserError: A quote in them is not closed.
        """
        try:
            return (*shlex.split(self.pytest_args), *self.options)
        except ValueError as error:
            msg = f"--pytest-args {self.pytest_args!r}: {error}; quote it as on a command line"
            raise UserError(msg) from error

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the caller wrote."""
        return (self.keyword, self.marker, self.pytest_args, *self.tests, *self.options)

    @property
    def interactive(self) -> str:
        """The option that makes pytest talk with who runs it; empty: none does."""
        return next((each for each in self.extra if each in INTERACTIVE), "")

    @property
    def remembers(self) -> str:
        """The option that goes by what an earlier run on this machine came to; empty: none does."""
        return next((each for each in self.extra if each in REMEMBERING), "")

    @property
    def is_inner_loop(self) -> bool:
        """Whether a developer looks at some tests: what judges all of them, as coverage does, would be in the way."""
        return bool(self.tests or self.interactive or self.remembers)


def pytest_arguments(
    tier: TierConfig, config: Config, chosen: Selection, results: str = contract.RESULTS_DIR, cache: str = ""
) -> tuple[str, ...]:
    """Return pytest's arguments for a run that leaves its results in a folder, and is remembered in a cache if any."""
    return (
        # First: it tells how the tests go from the first one on.
        *("-p", REPORTER),
        *selecting_arguments(tier, chosen, cache),
        f"--junitxml={results}/junit.xml",
        *_coverage(tier, config, chosen, results),
        f"--timeout={config.timeouts.test}",
        # No `--rerun-show-tracebacks`: the versions that fit an older pytest don't have it.
        *((f"--reruns={tier.retries}",) if tier.retries and not chosen.is_inner_loop else ()),
    )


def _coverage(tier: TierConfig, config: Config, chosen: Selection, results: str) -> tuple[str, ...]:
    if NO_COVERAGE in (*tier.pytest_args, *chosen.extra):
        return ()  # beside options that it switches off, pytest-cov warns of it, and a warning may be an error
    if chosen.is_inner_loop:
        # A limit that is meant for the whole would fail some; who asks for coverage says how.
        return () if any(each.startswith("--cov") for each in chosen.extra) else (NO_COVERAGE,)
    parts = [f"--cov={part}" for part in config.coverage] or ["--cov"]
    return (*parts, f"--cov-report=xml:{results}/coverage.xml")


def selecting_arguments(tier: TierConfig, chosen: Selection, cache: str = "") -> tuple[str, ...]:
    """Return the arguments that decide which tests run, by a cache of pytest's of earlier runs if there is one."""
    if chosen.marker and (problem := marker_problem(chosen.marker)):
        msg = f"--marker: {problem}"
        raise UserError(msg)
    # A test that is named by itself is meant, whatever else the tier leaves out.
    by_name = chosen.tests and all("::" in each for each in chosen.tests)
    markers = [f"({each})" for each in (None if by_name else tier.marker, chosen.marker) if each]
    return (
        *(("-o", f"cache_dir={cache}") if cache else ("-p", "no:cacheprovider")),
        *(chosen.tests or tier.paths),
        *(("-m", " and ".join(markers)) if markers else ()),
        *(("-k", chosen.keyword) if chosen.keyword else ()),
        *tier.pytest_args,
        # A debugger has the terminal of one process: what the tier wants of all of its tests is not meant.
        *(("-n0",) if chosen.interactive and _has_workers(tier.pytest_args) else ()),
        *chosen.extra,
    )


def belonging(tests: tuple[str, ...], tiers: Mapping[TierName, Sequence[str]], preferred: TierName) -> TierName:
    """Return the tier that tests belong to: the one whose paths they are below, or else above.

    Args:
        tests: Files, folders and node ids, relative to the repository.
        tiers: The paths of each tier.
        preferred: The one that is taken where several have the same paths.

    Raises:
        UserError: They belong to none, or to several.
    """
    found = {test: _tiers_of(PurePosixPath(test.partition("::")[0]), tiers) for test in tests}
    for test, names in found.items():
        if not names:
            have = "; ".join(f"{name} has {', '.join(paths)}" for name, paths in tiers.items())
            msg = f"{test}: is in no tier's paths ({have}): name the tier it is to run in with --tier"
            raise UserError(msg)
    common = set.intersection(*map(set, found.values()))
    if not common:
        of_each = ", ".join(f"{test} to {' and '.join(names)}" for test, names in found.items())
        msg = f"the tests are of several tiers ({of_each}): run each tier's by themselves, or name one with --tier"
        raise UserError(msg)
    if preferred not in common and len(common) > 1:
        msg = f"{', '.join(tests)}: is in several tiers ({', '.join(sorted(common))}): name one of them with --tier"
        raise UserError(msg)
    return preferred if preferred in common else common.pop()


def _tiers_of(test: PurePosixPath, tiers: Mapping[TierName, Sequence[str]]) -> list[TierName]:
    """Return the tiers with the longest path that a file is below, or else those with one below a folder."""
    depths = {
        name: max((len(path.parts) for path in map(PurePosixPath, paths) if test.is_relative_to(path)), default=-1)
        for name, paths in tiers.items()
    }
    deepest = max(depths.values())
    if deepest >= 0:
        return [name for name, depth in depths.items() if depth == deepest]
    return [name for name, paths in tiers.items() if any(PurePosixPath(path).is_relative_to(test) for path in paths)]


def refuse_debugger_of_workers(chosen: Selection) -> None:
    """Refuse a debugger that the caller asks for beside workers, which have no terminal.

    Raises:
        UserError: It is so.
    """
    if chosen.interactive and _has_workers(chosen.extra):
        msg = f"{chosen.interactive}: workers have no terminal: leave out -n, or have -n 0"
        raise UserError(msg)


def _has_workers(arguments: Sequence[str]) -> bool:
    """Return whether the last of pytest-xdist's options asks for workers by number: with `auto` a debugger has none."""
    with_next = zip(arguments, (*arguments[1:], ""), strict=False)
    asked = [found for pair in with_next if (found := _NUMBER.match(" ".join(pair)))]
    return bool(asked) and int(asked[-1][1]) > 0


def refuse_workers(tier: TierConfig, chosen: Selection, lock: str) -> None:
    """Refuse pytest-xdist's option where the lock file has no pytest-xdist, before anything is installed.

    Raises:
        UserError: It is so.
    """
    asked = next((each for each in (*tier.pytest_args, *chosen.extra) if _WORKERS.match(each)), "")
    if asked and not _XDIST.search(lock):
        msg = f"{asked}: {WORKERS_NEED}, and uv.lock has none; `uv add --dev pytest-xdist` does, or do without"
        raise UserError(msg)


def refuse_nothing(tier: str, chosen: Selection, exit_code: int, output: str) -> None:
    """Refuse a selection by what `pytest --collect-only` came to, before anything is started for it.

    What else it failed with does not count: with services there, the tests may be collected all the same.

    Raises:
        NothingToRunError: It holds no test.
        UserError: pytest doesn't take its arguments.
    """
    if exit_code == NO_TESTS:
        raise NothingToRunError(no_tests(tier, chosen))
    if exit_code in {COLLECTION_ERROR, USAGE_ERROR} and _NOT_IMPORTABLE.search(output):
        msg = f"tier {tier}: the tests can't be collected:\n{output.strip()[-SHOWN:]}"
        raise UserError(msg)
    if exit_code == USAGE_ERROR and (refused := usage_error(output)):
        msg = f"tier {tier}: pytest can't start: {refused}"
        raise UserError(msg)


def no_tests(tier: str, chosen: Selection) -> str:
    """Return that nothing is selected, and by what."""
    which = f"no test matches {chosen}" if str(chosen) else "there are no tests in its paths"
    return f"tier {tier}: {which}; `pytest --collect-only` shows what there is"


def usage_error(output: str) -> str | None:
    """Return what pytest says of arguments that it doesn't take, or None where that isn't what it says."""
    lines = [line.strip() for line in output.splitlines()]
    said = [_ERROR.sub("", line) for line in lines if _ERROR.match(line) and "usage: " not in line]
    if any(_WORKERS_UNKNOWN.search(each) for each in said):
        said.append(f"{WORKERS_NEED}: add it to the packages of the tests, or do without")
    return "; ".join(said) or None
