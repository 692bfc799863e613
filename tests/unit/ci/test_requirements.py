"""What uv says of a failure is told apart: the repository's fault, the network's, a stale lock file."""

from __future__ import annotations

import pytest
from floe_ci.config import RunnerConfig
from floe_ci.errors import CommandError, RunError, UserError
from floe_ci.requirements import RUNNER_TOOLS, install_arguments, lock_refusal, tools_refusal, uv_failure
from floe_ci.runner import python_problem

MISMATCH = """DEBUG Found static `pyproject.toml` for: app @ file:///app
DEBUG Resolving despite existing lockfile due to mismatched requirements for: `app==0`
  Requested: {Requirement { name: PackageName("toolz") }}
error: The lockfile at `uv.lock` needs to be updated, but `--check` was provided.
"""


def failed(said: str) -> CommandError:
    """Return a uv that failed and said something."""
    return CommandError("uv sync --frozen", "exit code 2", said)


def test_reason_is_whole() -> None:
    """The last lines of what uv said are in the message, after the command as it can be pasted."""
    assert str(failed("error: one\n  cause: two")) == (
        "`uv sync --frozen` failed with exit code 2:\nerror: one\n  cause: two"
    )
    assert str(failed("x\n" * 9000 + "the end")).endswith("x\nthe end")
    assert str(failed("")) == "`uv sync --frozen` failed with exit code 2, and said nothing"


@pytest.mark.parametrize(
    "said",
    [
        "cause: dns error",
        "cause: tcp connect error\n cause: Connection refused (os error 111)",
        "HTTP status server error (502 Bad Gateway) for url (https://index/simple/x/)",
        "HTTP status client error: 429 Too Many Requests",
        "operation timed out",
        "fatal: unable to access 'https://h/x.git/': Failed to connect to h port 443",
        "fatal: unable to access 'https://h/x.git/': Could not resolve host: h",
        "hint: Packages were unavailable because the network was disabled.",
    ],
)
def test_server_that_was_not_reached_is_no_fault_of_the_repository(said: str) -> None:
    """A download that failed breaks the run; it is no bad input."""
    assert type(uv_failure(failed(said))) is RunError
    assert type(tools_refusal(RUNNER_TOOLS, failed(said))) is RunError


@pytest.mark.parametrize(
    "said",
    [
        "error: Failed to parse `uv.lock`",
        "Because pytest-timeout was not found in the package registry",
        "Because there is no version of connection==5 and you require connection==5",
        "HTTP status client error (401 Unauthorized)",
        "error: File not found: nope.txt",
        "fatal: repository 'https://h/x.git/' not found",
        "Failed to build `app`\n  cause: The build backend returned an error",
    ],
)
def test_what_the_repository_asks_for_is_its_own(said: str) -> None:
    """What can't be resolved, read or built is bad input, with uv's own words."""
    failure = uv_failure(failed(said))
    assert type(failure) is UserError
    assert said in str(failure)


def test_tools_that_do_not_fit_name_the_versions() -> None:
    """Tools that fit nothing that is there are told with uv's reason, which has both versions."""
    said = "Because pytest-cov>=3 depends on pytest>=4.6 and pytest==3.0, we can conclude"
    refusal = tools_refusal(RUNNER_TOOLS[1:], failed(said))
    assert type(refusal) is UserError
    assert str(refusal).startswith("pytest-cov, pytest-timeout: no version fits")
    assert said in str(refusal)


def test_stale_lock_file_is_told_with_its_reason() -> None:
    """A lock file of other projects than those that are there is told with what changed, and what to do."""
    assert lock_refusal(MISMATCH) == (
        "uv.lock is older than pyproject.toml (mismatched requirements for: `app==0`), and so would be what is tested; "
        "run `uv lock` and commit the file"
    )


PARSED = """DEBUG uv 0.13.8
error: Failed to parse `uv.lock`
  cause: TOML parse error at line 9, column 3
           |
         9 | {}}
           |   ^
         invalid key-value pair, expected key
"""


NEWER = """error: Failed to parse `uv.lock`, which uses an unsupported schema version (v99, but only v1 is supported).
  cause: TOML parse error at line 1, column 1
         missing field `requires-python`
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (PARSED, "damaged (line 9, column 3: invalid key-value pair, expected key): take it from the last commit, or"),
        (
            "error: failed to read from file `/app/uv.lock`: stream did not contain valid UTF-8\n",
            "damaged (stream did not contain valid UTF-8): take it from the last commit, or",
        ),
        (
            NEWER,
            "of another version of uv (v99, but only v1 is supported):",
        ),
        (
            "error: The lockfile at `uv.lock` uses an unsupported schema version (v9, but only v1 is supported). Do",
            "of another version of uv (v9, but only v1 is supported):",
        ),
    ],
)
def test_lock_file_that_cannot_be_read(said: str, reason: str) -> None:
    """A lock file that is damaged, or another version's, is told in one line with the place and what to do."""
    assert (lock_refusal(said, "/app/uv.lock") or "").startswith(f"/app/uv.lock is {reason} run `uv lock`")


@pytest.mark.parametrize(
    "said",
    [
        "DEBUG Resolving despite existing lockfile due to missing remote index: `pytest` `9` from `https://x`",
        "error: Failed to parse `pyproject.toml`",
        "error: the network was disabled",
        "",
    ],
)
def test_lock_file_of_another_index_is_not_stale(said: str) -> None:
    """Whoever has a mirror set, or no network, may use the lock file all the same."""
    assert lock_refusal(said) is None


def test_option_and_value_may_stand_together() -> None:
    """An option of uv and its value may be one string, as a line of a file of requirements is."""
    runner = RunnerConfig(install=("-r dev.txt", "--constraint", "pins.txt", "x>=1", "-r 'a b.txt'"))
    assert install_arguments(runner) == ["-r", "dev.txt", "--constraint", "pins.txt", "x>=1", "-r", "a b.txt"]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (">=3.11", None),
        (">=3.11.5", None),
        (">=3.9,<3.12", None),
        ("==3.11.*", None),
        ("nonsense", None),
        (">=3.12", "requires-python is '>=3.12', and the runner image has Python 3.11"),
        ("<3.11", "requires-python is '<3.11', and the runner image has Python 3.11"),
    ],
)
def test_python_of_the_image(wanted: str, problem: str | None) -> None:
    """A project that doesn't take the image's Python is told with both versions."""
    assert python_problem(f'version = 1\nrequires-python = "{wanted}"\n', "3.11-slim") == problem


def test_project_that_says_nothing_takes_any_python() -> None:
    """Without requires-python, or with an image whose tag has no version, there is nothing to compare."""
    assert python_problem("[project]\n", "3.11-slim") is None
    assert python_problem('requires-python = ">=3.12"\n', "latest") is None
