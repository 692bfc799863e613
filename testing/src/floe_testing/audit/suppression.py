"""Comments that silence a rule where they stand: `# floe: ignore[FT401] the service has no event to wait for`."""

import ast
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from floe_testing.audit.model import Finding, Severity, Suppression
from floe_testing.suite.comments import comments

NO_REASON: Final = "FT001"
UNUSED: Final = "FT002"
_MARK: Final = "floe:"
_OPENING: Final = "ignore["


def find_suppressions(source: bytes, tree: ast.Module, path: str) -> tuple[Suppression, ...]:
    """Return a module's suppressions; the source is one that could be parsed."""
    # Reading comments costs as much as all rules together, and few modules have one of ours.
    if _MARK.encode() not in source:
        return ()
    spans = _spans(tree)
    found = []
    for comment in comments(source):
        parsed = _parse(comment.text)
        if parsed is None:
            continue
        line = comment.line
        spoken_of = min((first for first, _ in spans if first > line), default=line) if comment.alone else line
        inside = [span for span in spans if span[0] <= spoken_of <= span[1]]
        first, last = min(inside, key=lambda span: span[1] - span[0], default=(spoken_of, spoken_of))
        found.append(Suppression(path, line, *parsed, first, last))
    return tuple(found)


def find_in_toml(lines: Sequence[str], path: str) -> tuple[Suppression, ...]:
    """Return the suppressions in a TOML file, each on the line that it speaks of."""
    found = []
    for number, line in enumerate(lines, start=1):
        parsed = _parse(line.partition("#")[2])
        if parsed is not None:
            found.append(Suppression(path, number, *parsed, number, number))
    return tuple(found)


def apply_suppressions(
    findings: Sequence[Finding], suppressions: Sequence[Suppression]
) -> tuple[list[Finding], list[tuple[Finding, str]]]:
    """Return the findings that stay, and those that a comment silences, each with its reason.

    A suppression without a reason silences nothing, and is a finding itself; so is one that had nothing to silence.
    """
    left: list[Finding] = []
    silenced: list[tuple[Finding, str]] = []
    by_path: dict[str, list[Suppression]] = defaultdict(list)
    for each in suppressions:
        by_path[each.path].append(each)
    used: set[Suppression] = set()
    for finding in findings:
        spoken = [each for each in by_path.get(finding.path, ()) if _speaks_of(each, finding)]
        used.update(spoken)
        reasons = [each.reason for each in spoken if each.reason]
        if reasons:
            silenced.append((finding, reasons[0]))
        else:
            left.append(finding)
    for each in suppressions:
        named = ", ".join(each.rules)
        if not each.reason:
            left.append(_of(each, NO_REASON, f"say why {named} is ignored here, after the bracket"))
        elif each not in used:
            left.append(_of(each, UNUSED, f"{named} finds nothing here: remove the comment"))
    return left, silenced


def _speaks_of(suppression: Suppression, finding: Finding) -> bool:
    return finding.rule in suppression.rules and suppression.first <= finding.line <= suppression.last


def _of(suppression: Suppression, rule: str, message: str) -> Finding:
    text = f"{_MARK} {_OPENING}{','.join(suppression.rules)}]"
    return Finding(suppression.path, suppression.line, 1, rule, Severity.ERROR, message, text=text)


def _parse(comment: str) -> tuple[tuple[str, ...], str] | None:
    """Return the rules that a comment names, and its reason; None if it is no comment of ours."""
    _, _, text = comment.partition(_MARK)
    text = text.strip()
    if not text.startswith(_OPENING):
        return None
    named, closing, reason = text.removeprefix(_OPENING).partition("]")
    if not closing:
        return None
    return tuple(name.strip() for name in named.split(",")), reason.strip(" -:—")


def _spans(tree: ast.Module) -> list[tuple[int, int]]:
    """Return the first and the last line of each statement; of one with a body, those before the body."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        decorators = getattr(node, "decorator_list", None) or [node]
        first = min(each.lineno for each in (*decorators, node))
        body = getattr(node, "body", None)
        last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
        found.append((first, last))
    return found
