"""What a repository says of its tests' performance: the table `[tool.floe-testing.performance]`."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from floe_testing.settings import Table

TABLE = "performance"


class Tolerance(Table):
    """How much slower than its baseline a test may be: it is too slow where it is beyond both."""

    ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.5
    """Times its baseline."""
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    """Seconds more than its baseline, so that the noise of a quick test is no regression."""

    def exceeded(self, seconds: float, baseline: float) -> bool:
        """Tell whether a duration is beyond what is tolerated."""
        return seconds > baseline * self.ratio and seconds > baseline + self.floor


class PerformanceConfig(Table):
    """The whole table."""

    baseline: Annotated[str, Field(min_length=1)] | None = None
    """The file of the baselines, relative to the repository; none: nothing is compared."""
    on_slower: Literal["warn", "fail"] = "warn"
    """What becomes of a test that is slower than its baseline, and of a trend with one."""
    tolerance: Tolerance = Tolerance()
    """For tests that no entry of `tests` is for."""
    tests: Mapping[str, Tolerance] = Field(default_factory=dict)
    """By node id, or by a pattern of one in which `*` is any text. The first that fits counts."""

    def tolerance_for(self, node_id: str) -> Tolerance:
        """Return what is tolerated of a test; what its entry leaves out is as for the others."""
        for pattern, own in self.tests.items():
            if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), node_id):
                return self.tolerance.model_copy(update=own.model_dump(exclude_unset=True))
        return self.tolerance
