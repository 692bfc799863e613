"""Which tests run: pytest's arguments, and the refusal of a selection that holds none."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.errors import NothingToRunError, UserError
from floe_ci.markers import marker_problem
from floe_ci.reporter import REPORTER

if TYPE_CHECKING:
    from floe_ci.config import Config, TierConfig

NO_TESTS, USAGE_ERROR, COLLECTION_ERROR = 5, 4, 2
"""pytest's exit codes for a selection without tests, for arguments that it refuses, and for tests that break it."""
COLLECT_TESTS: Final = "collect tests"
"""The step that looks at the selection before anything is started for it."""
SHOWN: Final = 2000
"""How many characters of pytest's output are shown."""
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

    def __str__(self) -> str:
        """Return the options that select, as the caller wrote them."""
        options = {"--keyword": self.keyword, "--marker": self.marker, "--pytest-args": self.pytest_args}
        return " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)


def pytest_arguments(
    tier: TierConfig, config: Config, chosen: Selection, results: str = contract.RESULTS_DIR
) -> tuple[str, ...]:
    """Return pytest's arguments for a run that leaves its results in a folder."""
    return (
        # First: it tells how the tests go from the first one on.
        *("-p", REPORTER),
        *selecting_arguments(tier, chosen),
        f"--junitxml={results}/junit.xml",
        *(f"--cov={part}" for part in config.coverage),
        *(() if config.coverage else ("--cov",)),
        f"--cov-report=xml:{results}/coverage.xml",
        f"--timeout={config.timeouts.test}",
        # No `--rerun-show-tracebacks`: the versions that fit an older pytest don't have it.
        *((f"--reruns={tier.retries}",) if tier.retries else ()),
    )


def selecting_arguments(tier: TierConfig, chosen: Selection) -> tuple[str, ...]:
    """Return the arguments that decide which tests run."""
    try:
        extra = shlex.split(chosen.pytest_args)
    except ValueError as error:
        msg = f"--pytest-args {chosen.pytest_args!r}: {error}; quote it as on a command line"
        raise UserError(msg) from error
    if chosen.marker and (problem := marker_problem(chosen.marker)):
        msg = f"--marker: {problem}"
        raise UserError(msg)
    markers = [f"({expression})" for expression in (tier.marker, chosen.marker) if expression]
    return (
        "-p",
        "no:cacheprovider",
        *tier.paths,
        *(("-m", " and ".join(markers)) if markers else ()),
        *(("-k", chosen.keyword) if chosen.keyword else ()),
        *tier.pytest_args,
        *extra,
    )


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
    return "; ".join(said) or None
