"""What a repository says of its requirements: the table `[tool.floe-testing.traceability]`."""

import re
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from floe_testing.contract import REQUIREMENT_PROPERTY
from floe_testing.settings import Table

TABLE: Final = "traceability"
MARKER: Final = "requirement"
PROPERTY: Final = REQUIREMENT_PROPERTY
"""`floe_testing.results` adds it to each test's case in `junit.xml`."""

DEFAULT_PATTERN: Final = r"^\d{3}-FR-\d{3}[a-z]?$"


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise ValueError(message) from None
    return pattern


def _some(patterns: tuple[str, ...]) -> tuple[str, ...]:
    # Not a `min_length`: pydantic tells that as well when an item is refused.
    if not patterns:
        message = "must not be empty"
        raise ValueError(message)
    return patterns


Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[Text, AfterValidator(_regular_expression)]


class TraceabilityConfig(Table):
    """The whole table."""

    specs: tuple[Text, ...] = ("specs/*/spec.md", "docs/requirements/*.md", "docs/requirements/*.toml")
    """Documents that state requirements: paths and globs, relative to the repository."""
    patterns: Annotated[tuple[Pattern, ...], AfterValidator(_some)] = (DEFAULT_PATTERN,)
    """What the whole of an id looks like, one pattern or several."""
    paths: tuple[Text, ...] = ("tests",)
    """Where the tests are."""
    threshold: Annotated[float, Field(ge=0, le=100)] = 100.0
    """The least coverage of each specification that is enough, in per cent."""
    require_markers: tuple[Text, ...] = ()
    """Tiers whose every test must name a requirement."""


class Ids:
    """What the ids of requirements look like."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Take the patterns; an id must match one of them as a whole."""
        self._patterns = [re.compile(pattern) for pattern in patterns]
        self.shown = " or ".join(patterns)

    def match(self, text: str) -> bool:
        """Tell whether a text is an id."""
        return any(pattern.fullmatch(text) for pattern in self._patterns)
