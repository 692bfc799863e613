"""In plain lines a run is told as it happens, and is never silent for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci import lines
from floe_ci.lines import Lines
from floe_ci.listeners import Step

from floe_testing.waiting.polling import PollingConfig, wait_for_condition

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def told() -> Iterator[Lines]:
    """Yield what writes the lines."""
    told = Lines()
    yield told
    told.close()


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines on standard error, without their times."""
    return [line.partition(" s  ")[2] or line for line in capsys.readouterr().err.splitlines()]


def test_steps(told: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    """A step is a line when it begins and when it ends; why it failed is for the verdict to say."""
    told.begin("services ready")
    told.end(Step("services ready", 0, 2, "RunError: postgres\nlong log"))
    assert said(capsys) == ["services ready …", "services ready: failed after 2.0 s"]


def test_failure_is_told_at_once(told: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    """A test that fails is told with its reason when it ends; how far the tests are is told beside it."""
    told.collected(2)
    told.started("t::a")
    told.ended("t::a", "failed", 0.5, "assert 1 == 2\nmore", 1, 2)
    first, failure, *reason, far = said(capsys)
    assert first == "2 tests collected"
    assert failure == "FAILED t::a after 0.5 s"
    assert [line.strip() for line in reason] == ["assert 1 == 2", "more"]
    assert far == "tests: 1 of 2, 1 failed"


def test_passing_tests_are_no_line_each(told: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand quick tests are a few lines."""
    told.collected(1000)
    for number in range(1000):
        told.started(f"t::{number}")
        told.ended(f"t::{number}", "passed", 0, "", number + 1, 1000)
    assert len(said(capsys)) < 10


def test_silence_is_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing has happened for a while, what goes on is told again: the test that hangs by its name."""
    monkeypatch.setattr(lines, "QUIET", 0.1)
    told, heard = Lines(), list[str]()
    told.begin("tests")
    told.collected(3)
    told.started("t::hangs")

    def again() -> bool:
        heard.extend(said(capsys))
        return any("0 of 3; t::hangs runs" in line for line in heard)

    wait_for_condition(again, PollingConfig(timeout=20, interval=0.1))
    told.close()


def test_closed_output_ends_nothing(told: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads standard error any more, a run goes on all the same."""

    class Closed:
        """A stream that is closed."""

        def write(self, _: str) -> int:
            """Refuse."""
            raise BrokenPipeError

        def flush(self) -> None:
            """Refuse."""
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Closed())
    told.note("nobody reads this")
    told.begin("a step")
