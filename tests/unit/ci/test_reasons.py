"""The reason why a process ended is found in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.reasons import headline, last_words, of_gate, tail, without_headline

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = (
    "ImportError while loading conftest '/r/conftest.py'.\nconftest.py:3: in <module>\n    f()\nE   RuntimeError: boom"
)
USAGE = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --nope\n  inifile: None"
GATE = "3 1 67%\nERROR: Coverage failure: total of 67 is less than fail-under=100\n\x1b[31mFAIL Required\x1b[0m test\n"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (CONFTEST, "RuntimeError: boom"),
        (USAGE, "pytest: error: unrecognized arguments: --nope"),
        ("ERROR: file or directory not found: nope", "ERROR: file or directory not found: nope"),
        ("collected 3 items\ntest_a.py ..", ""),
        ("", ""),
    ],
)
def test_headline(said: str, line: str) -> None:
    """The line that tells most is what was raised, or which argument was refused; where none does, none is taken."""
    assert headline(said) == line


def test_headline_is_said_once() -> None:
    """What else was said stands without the line that is told by itself, and without how pytest is called."""
    assert without_headline(USAGE, headline(USAGE)) == "  inifile: None"
    assert without_headline(CONFTEST, headline(CONFTEST)).splitlines() == CONFTEST.splitlines()[:-1]


def test_last_words() -> None:
    """The last lines that say something are taken, without colours, rules and pytest's count."""
    log = "a\n\n\x1b[31mb\x1b[0m\n===== short test summary info =====\nc\n=== 1 passed in 0.1s ===\n----\n"
    assert last_words(log) == "a\nb\nc"
    assert last_words("\n".join(map(str, range(100))), 3) == "97\n98\n99"


def test_gate() -> None:
    """Of a gate on the tests its own words are taken; where there are none, the last lines of all."""
    assert of_gate(GATE) == ("ERROR: Coverage failure: total of 67 is less than fail-under=100\nFAIL Required test")
    assert of_gate("x\ny\n") == "x\ny"


def test_tail(tmp_path: Path) -> None:
    """Of a long log the end is read, of one that is missing nothing."""
    (tmp_path / "a.log").write_bytes(b"x" * 200_000 + b"\xff end")
    assert tail(tmp_path / "a.log").endswith("x\ufffd end")
    assert len(tail(tmp_path / "a.log")) == 64 << 10
    assert tail(tmp_path / "none.log") == ""
