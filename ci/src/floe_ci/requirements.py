"""Which packages the tests of a repository need, the same in the runner image and on this machine."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_ci.errors import CommandError, RunError, UserError

if TYPE_CHECKING:
    from floe_ci.config import Config, RunnerConfig


@dataclass(frozen=True)
class Tool:
    """A package that the runner calls."""

    name: str
    version: str
    """The one that is installed where it fits what the repository's dependencies have."""
    oldest: str
    """The oldest one that does what the runner wants; the newest from there on that fits is the second choice."""

    @property
    def pinned(self) -> str:
        """The requirement for the first choice."""
        return f"{self.name}=={self.version}"

    @property
    def fitting(self) -> str:
        """The requirement for the second choice."""
        return f"{self.name}>={self.oldest}"


RUNNER_TOOLS: Final = (
    Tool("pytest", "9.2.0", "6.2"),
    Tool("pytest-cov", "7.1.0", "3.0"),
    Tool("pytest-timeout", "2.4.0", "2.0"),
)
"""What the runner calls; installed where the repository's own dependencies don't have them."""
RETRYING: Final = Tool("pytest-rerunfailures", "16.7", "10.0")
"""What tries tests again, for repositories that want it: it has demands on pytest's version."""
NO_LOCK_FILE: Final = (
    "uv.lock: there is no lock file, so the runner's packages are not pinned; "
    "run `uv lock` and commit the file, "
    'or name what to install: [tool.floe-ci.runner] install = [".[test]"]'
)
NAME_PACKAGES: Final = 'name what to install: [tool.floe-ci.runner] install = ["pytest"]'
NO_PACKAGES: Final = (
    "uv.lock: there is no lock file, and nothing else says what the tests need: run `uv lock` and commit the file, "
    f"or {NAME_PACKAGES}"
)
MEMBER_ALONE: Final = (
    "uv.lock: this is a member of a workspace, whose lock file is in its root: "
    "run it with --on local, or from the root with the member's tests in [tool.floe-ci.tiers.<tier>] paths there"
)

_NETWORK: Final = re.compile(
    r"error sending request|dns error|tcp connect error|connection (?:refused|reset|closed)|timed out"
    r"|network is unreachable|could not resolve host|failed to connect|server error \(5\d\d|429 too many"
    r"|network was disabled|network connectivity is disabled|unexpected eof|tls handshake",
    re.IGNORECASE,
)
"""What uv, or a git that it calls, says where a server could not be reached or had no time."""
_NO_PYTHON: Final = re.compile(
    r"no interpreter found|python-build-standalone|failed to inspect python interpreter"
    r"|requested interpreter resolved to|no download found for request",
    re.IGNORECASE,
)
_FLAT_LAYOUT: Final = re.compile(r"Multiple top-level packages discovered in a flat-layout: \[([^\]]*)\]")
_NO_ROOM: Final = re.compile(r"no space left|read-only file system|permission denied|quota exceeded", re.IGNORECASE)
CHECK_LOCK: Final = ("lock", "--check", "--offline", "--verbose")
"""What uv is asked of a lock file, for `lock_refusal`.

Offline: one that is up to date needs nothing, and why one isn't is said before anything is asked for.
"""
_LOCK_CHANGE: Final = re.compile(r"existing lockfile due to (.+)")
_DAMAGED: Final = re.compile(
    r"error: (?:Failed to parse `[^`]*uv\.lock`|failed to read from file `[^`]*uv\.lock`"
    r"|The lockfile at `[^`]*` uses an unsupported)"
)
"""How uv begins to say of a lock file that it is none, or another version's."""
_UNREAD: Final = re.compile(r"failed to read from file `[^`]*`: (.+)")
_PLACE: Final = re.compile(r"TOML parse error at (line \d+, column \d+)")
_VERSION: Final = re.compile(r"unsupported schema version \((.+?)\)")
_NO_CHANGE: Final = ("missing remote index", "exclude newer")
"""Reasons for uv to lock again that make no package in the lock file wrong: who calls has another index or date set."""


def no_lock_file(lines: str, conda: str = "") -> str:
    """Return that there is no lock file, and the lines of configuration that do without, as far as they are known."""
    if conda:
        return conda
    if not lines:
        return NO_PACKAGES
    return (
        "uv.lock: there is no lock file, so nothing says what to install: `floe-ci init` writes that, "
        f"or add {lines}; or run `uv lock` and commit the file, which pins the packages"
    )


def runner_tools(config: Config) -> tuple[Tool, ...]:
    """Return what has to be in the environment of the tests, beside what the repository asks for."""
    return (*RUNNER_TOOLS, RETRYING) if any(tier.retries for tier in config.tiers.values()) else RUNNER_TOOLS


def locked_selection(runner: RunnerConfig) -> list[str]:
    """Return uv's options for the groups and extras that the runner installs."""
    groups = [option for group in runner.groups for option in ("--group", group)]
    extras = [option for extra in runner.extras for option in ("--extra", extra)]
    return [*(["--no-default-groups"] if groups else []), *groups, *extras]


def install_arguments(runner: RunnerConfig) -> list[str]:
    """Return the arguments of `uv pip install`; an option and its value may stand in one string, as in a file."""
    return [part for each in runner.install for part in (shlex.split(each) if each.startswith("-") else [each])]


def uv_failure(error: CommandError) -> UserError | RunError:
    """Return what a failed uv means: a server that could not be reached, or else what the repository asks for.

    The text is uv's own, after what to do where that is known.
    """
    said = error.said
    if _NO_PYTHON.search(said):
        advice = (
            "no Python fits this repository's requires-python or .python-version: "
            "install one that does (uv python install VERSION), or install floe-ci with it"
        )
        return UserError(f"{advice}\n{error}")
    if _NO_ROOM.search(said):
        advice = (
            "packages can't be written: name other folders with XDG_CACHE_HOME (environments) and UV_CACHE_DIR (uv's)"
        )
        return UserError(f"{advice}\n{error}")
    if (found := _FLAT_LAYOUT.search(said)) and "results" in (names := re.findall(r"'([^']+)'", found[1])):
        own = ", ".join(f'"{name}"' for name in names if name != "results")
        advice = (
            "setuptools takes the folder results, which runs leave, for one of the repository's packages: "
            f"say in its pyproject.toml which there are, [tool.setuptools] packages = [{own}], or move them below src"
        )
        return UserError(f"{advice}\n{error}")
    return RunError(str(error)) if _NETWORK.search(said) else UserError(str(error))


def tools_refusal(tools: tuple[Tool, ...], error: CommandError) -> UserError | RunError:
    """Return what it means that tools could not be added: uv's text names the versions that don't go together."""
    failure = uv_failure(error)
    if isinstance(failure, RunError):
        return failure
    names = ", ".join(tool.name for tool in tools)
    msg = (
        f"{names}: no version fits the packages that the repository installs, which stay as they are; "
        f"add a version of your own to them, or change the one in the way\n{error}"
    )
    return UserError(msg)


def lock_refusal(said: str, lock: str = "uv.lock") -> str | None:
    """Return why a lock file has to be made anew, by what uv said of it; None: it need not be."""
    if _DAMAGED.search(said):
        if version := _VERSION.search(said):
            return f"{lock} is of another version of uv ({version[1]}): run `uv lock` and commit the file"
        # What is wrong stands behind the file's name, or in the last line, below the one that it is wrong in.
        unread, place = _UNREAD.search(said), _PLACE.search(said)
        reason = unread[1] if unread else said.strip().splitlines()[-1].strip()
        where = f"{place[1]}: " if place else ""
        return f"{lock} is damaged ({where}{reason}): take it from the last commit, or run `uv lock`"
    found = _LOCK_CHANGE.search(said)
    if found is None or found[1].startswith(_NO_CHANGE):
        return None
    return (
        f"{lock} is older than pyproject.toml ({found[1].strip()}), and so would be what is tested; "
        "run `uv lock` and commit the file"
    )
