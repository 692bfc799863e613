"""Tests that were tried more than once, as JUnit tells of them.

What tries a test again leaves a case for each attempt: those before the last without a result, whatever they came to,
and the last with its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from junitparser import Properties, Property

if TYPE_CHECKING:
    from collections.abc import Iterable

    from junitparser import TestCase

ATTEMPTS: Final = "attempts"
"""The property of a case that says how often it was tried; one that was tried once has none."""


def one_case_each(cases: Iterable[TestCase]) -> list[TestCase]:
    """Return the last attempt at each test, with the number of attempts as a property."""
    by_test: dict[tuple[str | None, str | None], list[TestCase]] = {}
    for case in cases:
        by_test.setdefault((case.classname, case.name), []).append(case)
    return [case for same in by_test.values() for case in _settled(same)]


def attempts(case: TestCase) -> int:
    """Return how often a test was tried."""
    properties = case.child(Properties) or ()  # type: ignore[no-untyped-call]
    return next((int(each.value) for each in properties if each.name == ATTEMPTS), 1)


def _settled(same: list[TestCase]) -> list[TestCase]:
    *earlier, last = same
    # Cases of one name that each have a result are no attempts, and none of them may be lost.
    if not earlier or any(case.result for case in earlier):
        return same
    properties = last.child(Properties)  # type: ignore[no-untyped-call]
    if properties is None:
        properties = Properties()  # type: ignore[no-untyped-call]
        last.append(properties)  # type: ignore[no-untyped-call]
    properties.append(Property(ATTEMPTS, str(len(same))))
    return [last]
