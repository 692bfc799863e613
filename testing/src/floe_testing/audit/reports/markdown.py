"""An audit as a report that is kept: what each question of the audit found, and how strong the assertions are."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from floe_testing.audit.inventory import Entry, take_inventory
from floe_testing.audit.model import TIERS, Audit, Finding, Severity, Strength
from floe_testing.audit.project import Project
from floe_testing.audit.registry import all_rules
from floe_testing.audit.reports.alike import alike, told_once
from floe_testing.audit.reports.terminal import not_shown

_SECTIONS: Final = (
    ("Mock fallbacks", ("FT1",)),
    ("Duplicated configuration", ("FT601", "FT603")),
    ("Strength of assertions", ("FT2",)),
    ("Side effects", ("FT3",)),
    ("Classification of tests", ("FT5",)),
    ("Journeys without an end-to-end test", ("FT901",)),
    ("Plugins without an integration test", ("FT902",)),
    ("Copied infrastructure", ("FT602",)),
    ("Time", ("FT4",)),
    ("Skips", ("FT7",)),
    ("State and order", ("FT8",)),
)
"""The questions, each with the rules that answer it, by how their ids start."""
_MOST: Final = 500
"""Lines of findings that a section has: nobody reads more."""
_FEW: Final = 3
"""Functions that a line names of those that have the same in them."""


def render_markdown(audit: Audit, project: Project) -> str:
    """Return the report."""
    lines = ["# Audit of the tests", "", *_overview(audit), ""]
    seen: set[str] = set()
    for title, prefixes in _SECTIONS:
        lines += [f"## {title}", "", *_section(audit, prefixes)]
        if prefixes == ("FT2",):
            lines += _strengths(audit)
        seen.update(rule for finding in audit.findings if (rule := finding.rule).startswith(prefixes))
    others = [finding for finding in audit.findings if finding.rule not in seen]
    if others:
        lines += ["## Others", "", *_findings(others), ""]
    entries = take_inventory(project.config.infrastructure, project.root) if project.root else []
    if entries:
        lines += ["## Inventory of the infrastructure", "", *_inventory(entries), ""]
    if audit.suppressed:
        lines += ["## Suppressed", "", *_suppressed(audit), ""]
    return "\n".join(lines)


def _overview(audit: Audit) -> Iterator[str]:
    tests = Counter[str]()
    found: dict[str, Counter[Severity]] = defaultdict(Counter)
    tiers = {module.path: module.tier or "other" for module in audit.modules}
    for module in audit.modules:
        tests[module.tier or "other"] += module.tests
    for finding in audit.findings:
        found[tiers.get(finding.path, "other")][finding.severity] += 1
    yield from _table(
        ("tier", "tests", *(f"{severity}s" for severity in reversed(Severity))),
        [
            (tier, tests[tier], *(found[tier][severity] for severity in reversed(Severity)))
            for tier in (*TIERS, "other")
            if tests[tier] or found[tier]
        ],
    )
    if audit.hidden:
        yield from ("", f"{not_shown(audit)}.")
    if audit.known:
        yield from ("", f"{len(audit.known)} more findings are in the baseline.")


def _section(audit: Audit, prefixes: tuple[str, ...]) -> Iterator[str]:
    names = {rule.id: f"{rule.id} {rule.name}" for rule in all_rules() if rule.id.startswith(prefixes)}
    findings = [finding for finding in audit.findings if finding.rule in names]
    count = Counter(finding.rule for finding in findings)
    yield "; ".join(f"{name}: {count[rule]}" for rule, name in names.items()) + "."
    yield ""
    if findings:
        yield from _findings(findings)
        yield ""


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    groups = alike(findings)
    yield from _table(
        ("place", "rule", "in", "finding"),
        [
            (f"`{(first := each[0]).path}:{first.line}`", first.rule, _symbols(each), told_once(each, 0))
            for each in groups[:_MOST]
        ],
    )
    left = sum(map(len, groups[_MOST:]))
    if left:
        yield from ("", f"And {left} more, which `--format json` lists.")


def _strengths(audit: Audit) -> Iterator[str]:
    count: dict[str, Counter[Strength]] = defaultdict(Counter)
    for module in audit.modules:
        count[module.tier or "other"].update(module.strengths)
    tiers = [tier for tier in (*TIERS, "other") if count[tier]]
    if not tiers:
        return
    yield "Every check, by what it can tell apart, the weakest first:"
    yield ""
    yield from _table(
        ("strength", *tiers), [(strength, *(count[tier][strength] for tier in tiers)) for strength in Strength]
    )
    yield ""


def _inventory(entries: Iterable[Entry]) -> Iterator[str]:
    return _table(
        ("module", "lines", "holds"), [(f"`{entry.path}`", entry.lines, ", ".join(entry.kinds)) for entry in entries]
    )


def _suppressed(audit: Audit) -> Iterator[str]:
    return _table(
        ("place", "rule", "reason"),
        [(f"`{each.path}:{each.line}`", each.rule, reason) for each, reason in audit.suppressed],
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"


def _symbols(group: Sequence[Finding]) -> str:
    """Return the functions that findings are in, the first few of them."""
    names = [*dict.fromkeys(each.symbol for each in group if each.symbol)]
    return ", ".join(map(_code, names[:_FEW])) + ", …" * (len(names) > _FEW)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
