"""An audit for a person at a terminal."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.rule import Rule as Line
from rich.text import Text

from floe_testing.audit.model import Audit, Example, Finding, Severity
from floe_testing.audit.registry import all_rules
from floe_testing.audit.reports.alike import alike, told_once
from floe_testing.audit.rule import Rule

_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_FEW: Final = 3


def print_audit(audit: Audit, console: Console, limit: int = 0) -> None:
    """Print the findings by rule, the most severe first, on lines that start with their place; and how many.

    What is alike in a file has one line, at the first of its places.

    Args:
        audit: What was found.
        console: Where to print.
        limit: How many lines of one rule to print, and how many places on one of them; 0: all.
    """
    names = {rule.id: rule.name for rule in all_rules()}
    for rule, findings in _by_rule(audit.findings):
        heading = (rule, _style(_worst(findings)))
        told = f" {names.get(rule, '')}".rstrip()
        console.print(Text.assemble(heading, told, f": {_numbered(findings)}"), soft_wrap=True)
        groups = alike(findings)
        for group in groups[: limit or None]:
            first = group[0]
            line = Text.assemble(first.place, ": ", (rule, _style(first.severity)), " ", told_once(group, limit))
            console.print(line, soft_wrap=True)
        left = sum(map(len, groups[limit:])) if limit else 0
        if left:
            console.print(Text(f"… and {left} more: --limit 0 shows all", style="dim"), soft_wrap=True)
        console.print()
    console.print(Text(summary(audit), style="bold" if audit.findings else "green"), soft_wrap=True)
    if audit.hidden:
        console.print(Text(not_shown(audit), style="dim"), soft_wrap=True)
    if audit.uncollected:
        console.print(Text(not_collected(audit), style="yellow"), soft_wrap=True)


def _by_rule(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    found: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        found[finding.rule].append(finding)
    return sorted(found.items(), key=lambda each: (-_worst(each[1]).rank, each[0]))


def _worst(findings: Sequence[Finding]) -> Severity:
    return max((finding.severity for finding in findings), key=lambda severity: severity.rank)


def _style(severity: Severity) -> str:
    return f"bold {_STYLES[severity]}"


def not_collected(audit: Audit) -> str:
    """Return which modules look like tests, and are none by pytest's settings."""
    few = ", ".join(audit.uncollected[:_FEW]) + (", …" if len(audit.uncollected) > _FEW else "")
    patterns = " ".join(audit.patterns)
    return f"{len(audit.uncollected)} more modules have tests and are not collected (python_files: {patterns}): {few}"


def not_shown(audit: Audit) -> str:
    """Return how many findings are below the level that is shown, and how to see them."""
    least = min((finding.severity for finding in audit.hidden), key=lambda severity: severity.rank)
    return f"{_counted(audit.hidden)} not shown: --level {least}"


def _counted(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each severity, the most severe first."""
    return ", ".join(f"{number} {severity}s" for severity, number in _by_severity(findings))


def _numbered(findings: Sequence[Finding]) -> str:
    """Return how many there are of each severity as a sentence says it: `1 error, 2 notes`."""
    return ", ".join(f"{number} {severity}{'s' * (number > 1)}" for severity, number in _by_severity(findings))


def _by_severity(findings: Sequence[Finding]) -> list[tuple[Severity, int]]:
    count = Counter(finding.severity for finding in findings)
    return [(severity, count[severity]) for severity in reversed(Severity) if count[severity]]


def summary(audit: Audit) -> str:
    """Return how much was looked at, and what was found, in a line."""
    found = _counted(audit.findings) or "nothing found"
    parts = [f"{audit.tests} tests in {len(audit.modules)} modules: {found}"]
    parts += [f"{len(audit.suppressed)} suppressed with a reason"] if audit.suppressed else []
    parts += [f"{len(audit.known)} in the baseline"] if audit.known else []
    parts += [f"{audit.gone} in the baseline are gone: write it anew"] if audit.gone else []
    parts += [f"{len(audit.kept)} in the baseline are of files not looked at"] if audit.kept else []
    return "; ".join(parts)


def explain(rule: Rule, console: Console) -> None:
    """Print what a rule is about, with its examples."""
    heading = Text.assemble((rule.id, "bold"), f" {rule.name} ", (rule.severity.value, _STYLES[rule.severity]))
    console.print(heading, "", Text(rule.reason), sep="\n")
    for title, examples in (("bad", rule.bad), ("arguable: a note", rule.arguable), ("good", rule.good)):
        for example in examples:
            console.print(Line(title, align="left"), _example(example), Line(style="dim"))


def _example(example: Example) -> RenderableType:
    from rich.syntax import Syntax  # noqa: PLC0415 - an audit shows no code, and it is slow to import

    files = {example.path: example.text, **{path: Example(code).text for path, code in example.others.items()}}
    return Group(
        *(
            part
            for path, code in files.items()
            for part in (
                Text(path, style="dim"),
                Syntax(code, "python", theme="ansi_dark", background_color="default"),
            )
        )
    )
