"""What runs is shown as it runs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from floe_ci.cli.in_place import InPlace
from floe_ci.cli.progress import shown
from floe_ci.listeners import Step
from rich.console import Console

if TYPE_CHECKING:
    import pytest


def test_steps_that_run_are_shown_in_place() -> None:
    """On a terminal a step that runs stands in the part that is drawn again, and moves above it when it ends."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    steps = InPlace(console)
    steps.begin("create cluster")
    with console.capture() as drawn:
        console.print(steps)
    assert "create cluster  0 s" in drawn.get()
    steps.end(Step("create cluster", 0, 12.34))
    with console.capture() as drawn:
        console.print(steps)
    assert "create cluster" not in drawn.get()
    assert "create cluster: done after 12.3 s" in console.file.getvalue()  # type: ignore[attr-defined]


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere each thing is a line of its own, on standard error."""
    with shown(live=True) as told:
        told.begin("tests")
        told.end(Step("tests", 0, 1))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split(" s  ")[1] for line in captured.err.splitlines()] == ["tests …", "tests: done after 1.0 s"]


def test_tests_are_shown_in_place() -> None:
    """On a terminal the step of the tests says how many of how many have ended, and a failure stands above it."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    steps = InPlace(console)
    steps.begin("tests")
    steps.collected(2)
    steps.started("t::a")
    steps.ended("t::a", "failed", 0.5, "assert 1 == 2", 1, 2)
    steps.started("t::b")
    with console.capture() as drawn:
        console.print(steps)
    assert "1 of 2, 1 failed; t::b runs" in drawn.get()
    above = console.file.getvalue()  # type: ignore[attr-defined]
    assert "FAILED t::a after 0.5 s" in above
    assert "assert 1 == 2" in above
