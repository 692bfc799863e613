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
from floe_testing.audit.reports.own import OWN
from floe_testing.audit.rule import Rule
from floe_testing.audit.run import UNREADABLE

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
    names = {rule.id: rule.name for rule in all_rules()} | {key: name for key, (name, _) in OWN.items()}
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
    console.print(Text(summary(audit), style="bold" if audit.findings or audit.hidden else "green"), soft_wrap=True)
    if no_tests(audit):
        console.print(Text(no_tests(audit), style="yellow"), soft_wrap=True)
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


def no_tests(audit: Audit) -> str:
    """Return which files can't be read, are plainly no tests, and are not shown as notes; nothing if there are none."""
    files = [finding.path for finding in audit.hidden if finding.rule == UNREADABLE]
    few = ", ".join(files[:_FEW]) + (", …" if len(files) > _FEW else "")
    taken = "no test" if len(files) == 1 else "no tests"
    return f"{_several(len(files), 'file')} not read, and taken for {taken} of the suite: {few}" if files else ""


def not_collected(audit: Audit) -> str:
    """Return which modules look like tests, and are none by pytest's settings."""
    few = ", ".join(audit.uncollected[:_FEW]) + (", …" if len(audit.uncollected) > _FEW else "")
    patterns = " ".join(audit.patterns)
    return f"{len(audit.uncollected)} more modules have tests and are not collected (python_files: {patterns}): {few}"


def not_shown(audit: Audit) -> str:
    """Return how many findings are below the level that is shown, and how to see them."""
    least = min((finding.severity for finding in audit.hidden), key=lambda severity: severity.rank)
    return f"{_numbered(audit.hidden)} not shown: --level {least}"


def _numbered(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each severity, the most severe first: `1 error, 2 notes`."""
    count = Counter(finding.severity for finding in findings)
    return ", ".join(_several(count[severity], severity) for severity in reversed(Severity) if count[severity])


def _several(number: int, name: str) -> str:
    """Return a number with what it counts: `1 error`, `2 notes`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def summary(audit: Audit) -> str:
    """Return how much was looked at, and what was found, in a line."""
    found = [_numbered(audit.findings)] if audit.findings else []
    found += [not_shown(audit)] if audit.hidden else []
    looked_at = f"{_several(audit.tests, 'test')} in {_several(len(audit.modules), 'module')}"
    parts = [f"{looked_at}: {', and '.join(found) or 'nothing found'}"]
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
