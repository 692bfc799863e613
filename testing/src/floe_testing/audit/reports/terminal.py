"""An audit for a person at a terminal."""

from collections import Counter
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.rule import Rule as Line
from rich.syntax import Syntax
from rich.text import Text

from floe_testing.audit.model import Audit, Example, Severity
from floe_testing.audit.rule import Rule

_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def print_audit(audit: Audit, console: Console) -> None:
    """Print each finding on a line that starts with its place, and then how many there are."""
    for finding in audit.findings:
        console.print(
            Text.assemble(
                finding.place, ": ", (finding.rule, f"bold {_STYLES[finding.severity]}"), " ", finding.message
            ),
            soft_wrap=True,
        )
    if audit.findings:
        console.print()
    console.print(Text(summary(audit), style="bold" if audit.findings else "green"), soft_wrap=True)


def summary(audit: Audit) -> str:
    """Return how much was looked at, and what was found, in a line."""
    count = Counter(finding.severity for finding in audit.findings)
    found = ", ".join(f"{count[severity]} {severity}s" for severity in reversed(Severity) if count[severity])
    tests = sum(module.tests for module in audit.modules)
    parts = [f"{tests} tests in {len(audit.modules)} modules: {found or 'nothing found'}"]
    parts += [f"{len(audit.suppressed)} suppressed with a reason"] if audit.suppressed else []
    parts += [f"{len(audit.known)} in the baseline"] if audit.known else []
    parts += [f"{audit.gone} in the baseline are gone: write it anew"] if audit.gone else []
    return "; ".join(parts)


def explain(rule: Rule, console: Console) -> None:
    """Print what a rule is about, with its examples."""
    heading = Text.assemble((rule.id, "bold"), f" {rule.name} ", (rule.severity.value, _STYLES[rule.severity]))
    console.print(heading, "", Text(rule.reason), sep="\n")
    for title, examples in (("bad", rule.bad), ("good", rule.good)):
        for example in examples:
            console.print(Line(title, align="left"), _example(example), Line(style="dim"))


def _example(example: Example) -> RenderableType:
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
