"""Two runs are compared test by test: what came to something else, and what got slower beyond noise."""

from __future__ import annotations

import pytest
from floe_ci.comparison import Change, Comparison, Slower
from floe_ci.junit import Case, Result

FAILED = (Result("failed", "assert 0\nmore"),)
SKIPPED = (Result("skipped", "no GPU"),)


def test_outcomes() -> None:
    """A test that came to something else is told with what it was, those that fail now first and with their reason."""
    before = [Case("t", "same"), Case("t", "fixed", 0, FAILED), Case("t", "broken"), Case("t", "gone"), Case("t", "s")]
    after = [
        *(Case("t", "same"), Case("t", "fixed"), Case("t", "s", 0, SKIPPED), Case("t", "flaky", attempts=2)),
        *(Case("t", "broken", 0, FAILED), Case("t", "new", 0, FAILED)),
    ]
    assert Comparison.of(before, after).changes == (
        Change("t::broken", "passed", "failed", "assert 0"),
        Change("t::new", None, "failed", "assert 0"),
        Change("t::fixed", "failed", "passed"),
        Change("t::s", "passed", "skipped", "no GPU"),
        Change("t::flaky", None, "flaky"),
        Change("t::gone", "passed", None),
    )


def test_failing_in_another_way_is_nothing_new() -> None:
    """A test that failed and can't even run now is told, and is not one that fails now and did not."""
    (change,) = Comparison.of([Case("t", "a", 0, FAILED)], [Case("t", "a", 0, (Result("errored", "no"),))]).changes
    assert (change.before, change.after, change.is_worse) == ("failed", "errored", False)


def test_tests_of_one_name() -> None:
    """Of tests with one name each is compared with its like, in order."""
    before = [Case("t", "a"), Case("t", "a", 0, FAILED)]
    assert Comparison.of(before, before).changes == ()
    assert Comparison.of(before, before[:1]).changes == (Change("t::a", "failed", None),)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [(1, 2, True), (1, 1.5, False), (1, 1.51, True), (10, 12, False), (0.1, 0.5, False), (0, 0.6, True), (2, 1, False)],
)
def test_slower(before: float, after: float, told: bool) -> None:  # noqa: FBT001 - a column of the table
    """A test got slower only where it is more than half a second and more than half its time."""
    found = Comparison.of([Case("t", "a", before)], [Case("t", "a", after)]).slower
    assert found == ((Slower("t::a", before, after),) if told else ())


def test_slower_needs_two_that_passed() -> None:
    """The time of a test that failed, or was not there, says nothing."""
    slow = [Case("t", "a", 9, FAILED), Case("t", "b", 9)]
    assert Comparison.of([Case("t", "a", 1)], slow).slower == ()


def test_what_lost_most_comes_first() -> None:
    """Of tests that got slower the one that lost the most seconds comes first."""
    before = [Case("t", "a", 1), Case("t", "b", 10)]
    after = [Case("t", "a", 4), Case("t", "b", 20)]
    assert [each.test for each in Comparison.of(before, after).slower] == ["t::b", "t::a"]
