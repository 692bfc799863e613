"""Findings as a person reads them: what is wrong in one way in one file is told once, with all its lines."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from floe_testing.audit.model import Finding


def alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings in groups of one file, rule, severity and message, each in the place of its first one."""
    found: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        found[finding.path, finding.rule, finding.severity, finding.message].append(finding)
    return list(found.values())


def told_once(group: Sequence[Finding], most: int) -> str:
    """Return the message of a group of findings that are alike, and the lines of the others, each line once.

    Args:
        group: Findings that are alike, at least one.
        most: How many lines to name; 0: all.
    """
    first, *others = group
    if not others:
        return first.message
    lines = [*dict.fromkeys(str(each.line) for each in others)]
    named = ", ".join(lines[: most or None]) + (", …" if most and len(lines) > most else "")
    return f"{first.message}; {len(others)} more like it: line{'s' if len(lines) > 1 else ''} {named}"
