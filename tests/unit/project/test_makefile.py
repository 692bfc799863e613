"""What the Makefile offers, as `make` itself understands it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.requirement("REQ-648"),
    pytest.mark.skipif(shutil.which("make") is None, reason="there is no make, as in the image of the test runner"),
]


def make(*args: str) -> str:
    """Return what `make` prints."""
    command = ["make", "--no-print-directory", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.requirement("T069")
def test_help_lists_every_target() -> None:
    """Each target that is no file stands in the help, with a line that tells what it does."""
    everything = make("--print-data-base", "--dry-run", "help").splitlines()
    (phony,) = (line.removeprefix(".PHONY:").split() for line in everything if line.startswith(".PHONY:"))
    told = dict(line.split(maxsplit=1) for line in make("help").splitlines())
    assert sorted(told) == sorted(phony)
    assert all(told.values())


@pytest.mark.requirement("REQ-648.2")
@pytest.mark.parametrize(
    "tier",
    [
        pytest.param("unit", marks=pytest.mark.requirement("T065")),
        pytest.param("integration", marks=pytest.mark.requirement("T066")),
        pytest.param("e2e", marks=pytest.mark.requirement("T067")),
    ],
)
def test_a_tier_is_one_command(tier: str) -> None:
    """Running a tier is one command, with whatever options the caller adds."""
    done = make("--dry-run", f"test-{tier}", "OPTIONS=--keyword orders")
    assert f"floe-ci test --tier {tier} --keyword orders\n" in done


@pytest.mark.requirement("T064")
def test_test_runs_two_tiers() -> None:
    """`make test` is the unit and the integration tier."""
    assert re.findall(r"--tier (\w+)", make("--dry-run", "test")) == ["unit", "integration"]


@pytest.mark.requirement("REQ-648.1", "REQ-648.3")
@pytest.mark.parametrize(("alias", "target"), [("test-k8s", "test-integration"), ("test-k8s-cleanup", "kind-down")])
def test_names_of_the_requirements_work(alias: str, target: str) -> None:
    """The names that the requirements give the targets do the same as this project's own."""
    assert make("--dry-run", alias) == make("--dry-run", target)


@pytest.mark.parametrize(
    ("target", "command"),
    [
        pytest.param("kind-up", "up", marks=pytest.mark.requirement("T062")),
        pytest.param("kind-down", "down", marks=pytest.mark.requirement("T063")),
    ],
)
def test_cluster_is_one_command(target: str, command: str) -> None:
    """A cluster that stays is started and deleted by one command each."""
    assert f"floe-ci {command} --on dagger" in make("--dry-run", target)


@pytest.mark.requirement("T068", "T071", "T072")
def test_check_looks_at_everything() -> None:
    """`make check` looks at the code in every way there is, and runs the tests that need no cluster of their own."""
    done = make("--dry-run", "check")
    assert "ruff check ." in done
    assert "ruff format --check ." in done
    assert re.search(r"/mypy$", done, re.MULTILINE)
    assert "floe-testing audit --fail-on note" in done
    for tool in ("shellcheck", "bandit", "detect-secrets-hook", "actionlint", "zizmor", "pip-licenses"):
        assert f"/{tool} " in done
    assert "checks/manifests.py" in done
    assert "checks/vulnerabilities.py" in done
    assert "pytest tests/functional tests/contract tests/unit " in done
    assert 'pytest tests/local -m "not long" ' in done
    assert 'pytest tests/engine -m "not long" ' in done
    assert "pytest tests/local tests/engine -m long " in make("--dry-run", "check-long")


@pytest.mark.requirement("REQ-648.6")
def test_an_engine_is_waited_for_before_its_tests() -> None:
    """What starts an engine meanwhile is waited for when all is checked that needs none."""
    done = make("--dry-run", "check", "BEFORE_ENGINE=wait-for-it").splitlines()
    tests = [line for line in done if "pytest" in line]
    assert "tests/engine" in done[done.index("wait-for-it") + 1]
    assert done.index("wait-for-it") > max(done.index(line) for line in tests if "tests/engine" not in line)


@pytest.mark.requirement("REQ-648.6")
def test_everything_is_installed_first() -> None:
    """What a target needs is installed before it runs, so that nothing is a step of its own."""
    everything = make("--dry-run", "--always-make", "check")
    assert everything.index("uv sync") < everything.index("ruff check")
