"""What is known of requirements: where they stand, which tests name them, and whether those ran and passed."""

import math
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, computed_field

from floe_testing.errors import FloeTestingError


class TraceabilityError(FloeTestingError):
    """Requirements, markers or results that can't be made sense of; the message names every problem and its place."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Requirement(_Model):
    """A requirement, as its specification states it."""

    id: str
    title: str
    path: str
    """Relative to the repository."""
    line: int
    superseded: str | None = None
    """Why it is no longer asked for; None where it still is."""
    unmet: str | None = None
    """Why it can't be met; None where it can."""

    @property
    def place(self) -> str:
        """Return `path:line`."""
        return f"{self.path}:{self.line}"


class Mention(_Model):
    """An id that a document has, in a place that states nothing."""

    id: str
    path: str
    line: int

    @property
    def place(self) -> str:
        """Return `path:line`."""
        return f"{self.path}:{self.line}"


class Specification(_Model):
    """A document, and the requirements that it states."""

    id: str
    requirements: tuple[Requirement, ...]
    mentions: tuple[Mention, ...] = ()
    """The ids that it has in other places, the first of each."""


class Outcome(StrEnum):
    """What became of a test in the runs whose results are at hand."""

    PASSED = "passed"
    FAILED = "failed"
    XFAILED = "xfailed"
    """It failed, as a marker said it would."""
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class State(StrEnum):
    """How far a requirement is shown to be met, worst first."""

    UNMARKED = "unmarked"
    """No test names it."""
    FAILED = "failed"
    """A test of it failed, whatever the others did."""
    NOT_RUN = "not run"
    """Tests name it, and the results know none of them, or not the very case that does."""
    SKIPPED = "skipped"
    """Tests of it were skipped, and none passed."""
    XFAILED = "xfailed"
    """Tests of it failed as they were expected to, and none passed."""
    MARKED = "marked"
    """Tests name it; there are no results to tell more."""
    VERIFIED = "verified"
    """A test of it ran and passed, and none failed."""


class TracedTest(_Model):
    """A test that names a requirement."""

    test_id: str
    """Its node id, with the parameters of the case that names the requirement."""
    outcome: Outcome | None = None
    """None where there are no results."""


class RequirementCoverage(_Model):
    """A requirement, and the tests that name it."""

    requirement_id: str
    title: str = ""
    place: str = ""
    """Where it is stated, `path:line`."""
    state: State
    tests: tuple[TracedTest, ...] = ()

    @property
    def test_ids(self) -> tuple[str, ...]:
        """Return the tests' node ids."""
        return tuple(test.test_id for test in self.tests)


class TraceabilityReport(_Model):
    """How far one specification is shown to be met."""

    spec_id: str
    measured: bool
    """Whether results were at hand, so that a requirement can be verified and not only marked."""
    requirements: tuple[RequirementCoverage, ...]
    superseded: tuple[Requirement, ...] = ()
    """What is no longer asked for, and is counted nowhere."""
    unmet: tuple[Requirement, ...] = ()
    """What is asked for and said not to be met: it is counted as that, apart from the others."""

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
    @property
    def total_requirements(self) -> int:
        """How many requirements there are."""
        return len(self.requirements)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def covered_requirements(self) -> int:
        """How many are shown to be met: verified where there are results, marked where there are none."""
        return self.total_requirements - len(self.uncovered)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def coverage_percentage(self) -> float:
        """What share that is, from 0 to 100, cut to one decimal: 100 means all."""
        if not self.requirements:
            return 100.0
        return math.floor(1000 * self.covered_requirements / self.total_requirements) / 10

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def uncovered(self) -> tuple[str, ...]:
        """The ids of the others."""
        return tuple(each.requirement_id for each in self.missing)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def coverage_map(self) -> dict[str, tuple[str, ...]]:
        """The node ids of each requirement's tests."""
        return {each.requirement_id: each.test_ids for each in self.requirements}

    @property
    def missing(self) -> tuple[RequirementCoverage, ...]:
        """The requirements that are not shown to be met."""
        return tuple(each for each in self.requirements if each.state not in {State.MARKED, State.VERIFIED})

    @property
    def headline(self) -> str:
        """What the report comes to, in one line."""
        what = "verified" if self.measured else "marked"
        share = f"{self.coverage_percentage:g} % {what} ({self.covered_requirements} of {self.total_requirements})"
        others = [f"{count} {state}" for state in State if state.value != what and (count := self.count(state))]
        unmet = [f"{len(self.unmet)} not met, and said so"] if self.unmet else []
        return "; ".join([f"{self.spec_id}: {share}", *others, *unmet])

    def count(self, state: State) -> int:
        """Return how many requirements are in a state."""
        return sum(each.state is state for each in self.requirements)


class Trace(_Model):
    """All reports, and what belongs to no requirement."""

    reports: tuple[TraceabilityReport, ...]
    tests: int
    """How many test functions there are."""
    unmarked_tests: tuple[str, ...] = ()
    """Node ids of the tests that need a marker and have none."""
    unknown_results: tuple[str, ...] = ()
    """Tests that the results know and the suite doesn't: results of another state of the code."""
    unstated: tuple[Mention, ...] = ()
    """Ids that stand in the documents, and that none of them states."""
    stale: tuple[str, ...] = ()
    """Results of which newer ones take the place, in words."""

    def below(self, threshold: float) -> tuple[TraceabilityReport, ...]:
        """Return the reports whose coverage is less than `threshold` per cent."""
        return tuple(report for report in self.reports if report.coverage_percentage < threshold)
