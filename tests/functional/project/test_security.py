"""What looks for flaws in the code: Bandit, and Ruff for what Bandit leaves to it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
SKIPPED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["bandit"]["skips"]
IMPORTS = {"B404", "B405", "B406"}
FLAWS = {
    "B101": "assert len('')",
    "B104": "HOST = '0.0.0.0'",
    "B105": "password = 'hunter2'",
    "B108": "PLACE = '/tmp/place'",
    "B310": "from urllib.request import urlopen\ndef get(url): urlopen(url)",
    "B311": "import random\nrandom.random()",
    "B314": "from xml.etree import ElementTree\ndef read(path): ElementTree.parse(path)",
    "B603": "import subprocess\ndef run(command): subprocess.run(command)",
    "B604": "def run(call, command): call(command, shell=True)",
    "B610": "def ask(query, clause): query.extra(clause)",
}

pytestmark = pytest.mark.requirement("T052")


def check(*command: str, code: str) -> subprocess.CompletedProcess[str]:
    """Return what a tool says about code that it reads from its standard input."""
    program, *options = command
    return subprocess.run(
        [str(TOOLS / program), *options], cwd=ROOT, input=code, capture_output=True, text=True, check=False, timeout=60
    )


def test_all_that_bandit_skips_is_known_here() -> None:
    """Each rule that Bandit skips is an import alone, or has an example below that Ruff must find."""
    assert set(SKIPPED) == IMPORTS | FLAWS.keys()


@pytest.mark.parametrize("rule", FLAWS)
def test_ruff_finds_what_bandit_skips(rule: str) -> None:
    """A flaw that Bandit does not look for is found by Ruff, by the rule of the same number."""
    done = check(
        "ruff", "check", "--stdin-filename=ci/src/floe_ci/flaw.py", "--output-format=concise", "-", code=FLAWS[rule]
    )
    assert done.returncode == 1
    assert f" {rule.replace('B', 'S')} " in done.stdout


def test_bandit_finds_a_flaw() -> None:
    """With the project's configuration, code that evaluates what it is given fails the check."""
    done = check("bandit", "--quiet", "--configfile=pyproject.toml", "-", code="def run(text): eval(text)")
    assert done.returncode == 1
    assert "B307" in done.stdout


def test_bandit_looks_at_all_code() -> None:
    """Every Python file in the repository that is no test is in a folder that `make security` names."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=60
    ).stdout.splitlines()
    dry = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "security"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    looked_at = dry.partition(" --recursive ")[2].split()
    assert [file for file in listed if not file.startswith(("tests/", *looked_at))] == []
