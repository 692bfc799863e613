"""An audit for other programs: JSON, and SARIF 2.1.0, which GitHub shows in a pull request."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import metadata, version
from typing import Any, Final
from urllib.parse import quote

from floe_testing.audit.model import Audit, Finding, Severity
from floe_testing.audit.project import Project
from floe_testing.audit.registry import all_rules, followed_rules
from floe_testing.audit.reports.own import OWN
from floe_testing.audit.reports.terminal import not_shown
from floe_testing.audit.rule import Rule

DISTRIBUTION: Final = "floe-testing"
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS: Final = 25_000
"""GitHub refuses a run with more results."""


def render_json(audit: Audit, project: Project) -> str:
    """Return an audit as JSON: a summary, the findings, and those that a comment silences."""
    document = {
        "version": 1,
        "summary": {
            "modules": len(audit.modules),
            "tests": sum(module.tests for module in audit.modules),
            "rules": [rule.id for rule in followed_rules(project.config)],
            "findings": {severity.value: _count(audit.findings, severity) for severity in Severity},
            "suppressed": len(audit.suppressed),
            "known": len(audit.known),
            "gone": audit.gone,
            "kept": len(audit.kept),
            "hidden": {severity.value: _count(audit.hidden, severity) for severity in Severity},
            "uncollected": list(audit.uncollected),
        },
        "findings": [asdict(finding) for finding in audit.findings],
        "suppressed": [asdict(finding) | {"reason": reason} for finding, reason in audit.suppressed],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_sarif(audit: Audit, project: Project) -> str:  # noqa: ARG001 - as the other forms
    """Return an audit as SARIF 2.1.0; what a baseline or a comment silences is left out."""
    shown = list(audit.findings)
    if len(shown) > MOST_RESULTS:
        shown = sorted(shown, key=lambda finding: -finding.severity.rank)[:MOST_RESULTS]
    rules = [_own_rule(key, *words) for key, words in OWN.items()] + [_sarif_rule(rule) for rule in all_rules()]
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    driver = {
        "name": DISTRIBUTION,
        "semanticVersion": version(DISTRIBUTION),
        "informationUri": _about(),
        "rules": rules,
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, places[finding.rule]) for finding in shown],
    }
    told = [{"level": "warning", "message": {"text": too_many(audit)}}] if len(shown) < len(audit.findings) else []
    told += [{"level": "note", "message": {"text": not_shown(audit)}}] if audit.hidden else []
    if told:
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": told}]
    # Without indentation: Python writes that thirty times as slowly, and 25,000 results are many.
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False) + "\n"


def _about() -> str:
    """Return where this package is described: what it says itself, or where packages are listed."""
    urls = metadata(DISTRIBUTION).get_all("Project-URL") or []
    return next((url.partition(",")[2].strip() for url in urls), f"https://pypi.org/project/{DISTRIBUTION}/")


def too_many(audit: Audit) -> str:
    """Return what to say where there are more findings than GitHub takes."""
    return (
        f"{len(audit.findings)} findings are more than the {MOST_RESULTS} that GitHub takes of a run: the most severe "
        "are in the file. Leave some out: write a baseline, or ignore the rules that find most"
    )


def _count(findings: Iterable[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


def _own_rule(key: str, name: str, reason: str) -> dict[str, Any]:
    return {
        "id": key,
        "name": name,
        "shortDescription": {"text": name},
        "fullDescription": {"text": reason},
        "defaultConfiguration": {"level": Severity.ERROR.value},
        "help": {"text": reason, "markdown": reason},
        "properties": {"tags": ["tests"]},
    }


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    bad, good = rule.bad[0].text, rule.good[0].text
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.reason},
        "defaultConfiguration": {"level": rule.severity.value},
        "help": {
            "text": f"{rule.reason}\n\nBad:\n\n{bad}\nGood:\n\n{good}",
            "markdown": f"{rule.reason}\n\nBad:\n\n```python\n{bad}```\n\nGood:\n\n```python\n{good}```\n",
        },
        "properties": {"tags": ["tests"]},
    }


def _sarif_result(finding: Finding, place: int) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(finding.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
        "partialFingerprints": {"floeTestingAudit/v1": finding.fingerprint},
    }
