"""What an audit finds, as it crosses from function to function and from process to process."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from textwrap import dedent
from typing import Final


class Severity(StrEnum):
    """How much a finding matters, by SARIF's names for it."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """The severity's place among them all, the least first."""
        return list(Severity).index(self)


class Strength(StrEnum):
    """What a check can tell apart, the weakest first."""

    TAUTOLOGY = "tautology"
    TRUTHINESS = "truthiness"
    TYPE = "type"
    """Of a built-in type, whatever is in it."""
    LENGTH = "length"
    BROAD_RAISES = "broad raises"
    DELEGATED = "delegated"
    """A function that is called for it checks, or may."""
    INTERACTION = "interaction"
    """A mock was called so."""
    RAISES = "raises"
    VALUE = "value"


@dataclass(frozen=True, eq=False)
class Check:
    """One place where a test can fail for what it saw."""

    node: ast.expr | ast.stmt
    strength: Strength


@dataclass(frozen=True)
class Finding:
    """One place that breaks one rule."""

    path: str
    """From the root, with forward slashes."""
    line: int
    column: int
    """From 1."""
    rule: str
    severity: Severity
    message: str
    symbol: str = ""
    """The function it is in: `TestOrders.test_total`."""
    text: str = ""
    """The line's own text, without the space around it; the fingerprint is of this, not of the line's number."""
    fingerprint: str = ""

    @property
    def place(self) -> str:
        """`path:line:column`, as terminals make a link of."""
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Fact:
    """What a rule that looks at all modules together has noted in one of them."""

    rule: str
    key: str
    """Facts that belong together have the same."""
    path: str
    line: int
    symbol: str = ""
    text: str = ""
    label: str = ""
    column: int = 1


@dataclass(frozen=True)
class Suppression:
    """One `# floe: ignore[…]` comment."""

    path: str
    line: int
    rules: tuple[str, ...]
    reason: str
    first: int
    """The first line of what it speaks of: of its own statement, or of the next one where it stands alone."""
    last: int


@dataclass(frozen=True)
class ModuleReport:
    """All that is kept of one file."""

    path: str
    tests: int = 0
    tier: str = ""
    strengths: Mapping[Strength, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    """The other modules that its tests and their markers lead to, each with the hash of what is in it."""


@dataclass(frozen=True)
class Example:
    """Source that breaks a rule, or that does not."""

    code: str
    path: str = "tests/unit/test_example.py"
    others: Mapping[str, str] = field(default_factory=dict)
    """Further files of the same suite."""
    config: Mapping[str, object] = field(default_factory=dict)
    """What `[tool.floe-testing.audit]` says."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """What `[project.entry-points."orders.plugins"]` says."""

    @property
    def text(self) -> str:
        """The source as a file would have it: without the indentation it has where it is written down."""
        return dedent(self.code).strip("\n") + "\n"


@dataclass(frozen=True)
class Entry:
    """A finding that a baseline lists."""

    fingerprint: str
    rule: str
    path: str
    symbol: str = ""
    content: str = ""
    """A hash like the fingerprint, but whatever the file is called; empty in baselines of earlier versions."""


@dataclass(frozen=True)
class Audit:
    """The outcome of an audit; everything in it is sorted."""

    findings: tuple[Finding, ...] = ()
    known: tuple[Finding, ...] = ()
    """Findings that the baseline lists."""
    suppressed: tuple[tuple[Finding, str], ...] = ()
    """Findings with the reason that was written for each."""
    modules: tuple[ModuleReport, ...] = ()
    gone: int = 0
    """Entries of the baseline that nothing matches any more."""
    kept: tuple[Entry, ...] = ()
    """Entries of the baseline whose files were not looked at."""
    uncollected: tuple[str, ...] = ()
    """Modules that look like tests, and that pytest would not collect."""
    excluded: int = 0
    """How many files the settings exclude."""
    patterns: tuple[str, ...] = ()
    """What pytest takes for a file of tests."""
    hidden: tuple[Finding, ...] = ()
    """Findings below the level that is asked for, which are only counted."""

    @property
    def tests(self) -> int:
        """Return how many tests were looked at."""
        return sum(module.tests for module in self.modules)

    def count(self, severity: Severity) -> int:
        """Return how many findings are at least this severe."""
        return sum(finding.severity.rank >= severity.rank for finding in self.findings)

    def at_level(self, level: Severity) -> "Audit":
        """Return the audit with the findings that are at least this severe; the others are hidden."""
        return replace(
            self,
            findings=tuple(each for each in self.findings if each.severity.rank >= level.rank),
            hidden=tuple(each for each in self.findings if each.severity.rank < level.rank),
        )


TIERS: Final = ("unit", "contract", "integration", "e2e")
