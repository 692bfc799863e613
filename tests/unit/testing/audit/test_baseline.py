"""Findings that were there before, and don't count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.baseline import BaselineError, read_baseline, write_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

CODE = "import time\n\ndef test_a(orders):\n    time.sleep(1)\n    assert orders.open == 1\n"
MORE = "\ndef test_b(orders):\n    time.sleep(1)\n    assert orders.open == 1\n"


@pytest.fixture
def baseline(repository: Repository, tmp_path: Path) -> Path:
    """Return a baseline of one finding."""
    repository.write("tests/unit/test_orders.py", CODE)
    file = tmp_path / "out" / "baseline.json"
    write_baseline(file, repository.audit().findings)
    return file


def test_known_findings_do_not_count(repository: Repository, baseline: Path) -> None:
    """With a baseline of all findings there is none, and they are listed apart."""
    done = repository.audit(baseline=read_baseline(baseline))
    assert (done.findings, [finding.rule for finding in done.known], done.gone) == ((), ["FT401"], 0)


def test_lines_may_move(repository: Repository, baseline: Path) -> None:
    """Lines added above, and another indentation, leave a finding the one it was."""
    moved = CODE.replace("import time\n", "import time\nimport os\n\n\n").replace("    time", "        time")
    moved = moved.replace("def test_a(orders):\n", "def test_a(orders):\n    if orders:\n").replace(
        "    assert", "        assert"
    )
    repository.write("tests/unit/test_orders.py", moved)
    done = repository.audit(baseline=read_baseline(baseline))
    assert (done.findings, len(done.known)) == ((), 1)


def test_new_findings_count(repository: Repository, baseline: Path) -> None:
    """The same line in another function is new, and so is a second one in the same function."""
    repository.write("tests/unit/test_orders.py", CODE + MORE)
    assert [finding.symbol for finding in repository.audit(baseline=read_baseline(baseline)).findings] == ["test_b"]
    twice = f"{CODE}    time.sleep(1)\n    assert orders.paid == 1\n"
    repository.write("tests/unit/test_orders.py", twice)
    assert [finding.line for finding in repository.audit(baseline=read_baseline(baseline)).findings] == [6]


def test_what_was_mended(repository: Repository, baseline: Path) -> None:
    """Entries that match nothing any more are counted, so that the baseline can be written anew."""
    repository.write("tests/unit/test_orders.py", CODE.replace("    time.sleep(1)\n", ""))
    assert repository.audit(baseline=read_baseline(baseline)).gone == 1


def test_a_file_may_be_renamed(repository: Repository, baseline: Path) -> None:
    """A finding of a file that has another name now is the one it was; that of a copy beside it is new."""
    (repository.root / "tests/unit/test_orders.py").rename(repository.root / "tests/unit/test_bills.py")
    done = repository.audit(baseline=read_baseline(baseline))
    assert (done.findings, len(done.known), done.gone) == ((), 1, 0)
    repository.write("tests/unit/test_orders.py", CODE)
    done = repository.audit(baseline=read_baseline(baseline))
    assert [finding.path for finding in done.findings] == ["tests/unit/test_bills.py"]


def test_one_finding_a_line(baseline: Path) -> None:
    """The file is JSON with a line for each finding, so that versions of it can be compared."""
    lines = [line for line in baseline.read_text(encoding="utf-8").splitlines() if "fingerprint" in line]
    assert [json.loads(line)["path"] for line in lines] == ["tests/unit/test_orders.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "can't be read: No such file"),
        ("{", "no baseline"),
        ("[]", "no baseline"),
        ('{"version": 1, "findings": [{}]}', "no baseline"),
        ('{"version": 1, "findings": ' + "[" * 5_000 + "]" * 5_000 + "}", "no baseline"),
        ('{"version": 1, "findings": [{"fingerprint": 3, "rule": "a", "path": "b"}]}', "no baseline"),
        ('{"version": 9, "findings": []}', "a baseline of version 9"),
    ],
)
def test_what_is_no_baseline(text: str | None, message: str, tmp_path: Path) -> None:
    """A file that is not there, or says something else, is told with the option that writes it."""
    file = tmp_path / "baseline.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=message) as caught:
        read_baseline(file)
    assert "--write-baseline" in str(caught.value)
