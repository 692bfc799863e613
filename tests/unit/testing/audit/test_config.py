"""What a repository may say of its audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.config import AuditConfig
from floe_testing.audit.project import JOURNEYS_TABLE, Plugin
from floe_testing.audit.reading import read_project
from floe_testing.audit.registry import followed_rules
from floe_testing.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

SLEEP = "import time\ndef test_a(shop):\n    time.sleep(1)\n    assert shop.open == 7\ndef test_b():\n    total(7)\n"


def test_every_problem_at_once(tmp_path: Path) -> None:
    """Unknown keys and rules are told together, each with the nearest that there is."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.floe-testing.audit]\nselct = ['FT2']\nignore = ['FT409']\ntiers = { units = ['t/unit'] }\n"
        "severity = { FT401 = 'bad' }\njourneys = { buy = { marker = 'buy', services = ['shop'] } }\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        read_project(tmp_path)
    text = str(caught.value)
    assert "5 problems" in text
    assert "tool.floe-testing.audit.selct: unknown key; did you mean 'select'?" in text
    assert "no rule is called 'FT409'; did you mean 'FT40" in text
    assert "must be 'unit', 'contract', 'integration' or 'e2e'" in text
    assert "'note', 'warning' or 'error'" in text
    assert 'must be one of { services = ["…"] } and { marker = "…" }, not both' in text


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        ({}, ["FT201", "FT401"]),
        ({"select": ["FT4"]}, ["FT401"]),
        ({"ignore": ["FT401"]}, ["FT201"]),
        ({"select": ["FT2", "FT4"], "ignore": ["FT2"]}, ["FT401"]),
        ({"exclude": ["tests/unit/*"]}, []),
    ],
)
def test_which_rules_and_files(config: dict[str, object], rules: list[str], repository: Repository) -> None:
    """Rules are selected and ignored by how their ids start, and files excluded by their path."""
    assert sorted(rule for rule, _ in repository.found(SLEEP, **config)) == rules


def test_severity(repository: Repository) -> None:
    """A repository decides what a rule's findings count for."""
    repository.write("tests/unit/test_orders.py", SLEEP)
    findings = repository.audit({"severity": {"FT401": "error", "FT2": "note"}}).findings
    assert {finding.rule: finding.severity.value for finding in findings} == {"FT401": "error", "FT201": "note"}


@pytest.mark.parametrize(
    ("config", "path", "tier"),
    [
        ({}, "tests/unit/orders/test_a.py", "unit"),
        ({}, "src/shop/tests/end_to_end/test_a.py", "e2e"),
        ({}, "tests/test_unit.py", ""),
        ({"tiers": {"integration": ["t/smoke", "t/live"]}}, "t/live/test_a.py", "integration"),
        ({"tiers": {"integration": ["t/smoke"]}}, "t/smoker/test_a.py", ""),
        ({"tiers": {"integration": ["t/smoke"]}}, "t/unit/test_a.py", ""),
    ],
)
def test_tier_of_a_path(config: dict[str, object], path: str, tier: str) -> None:
    """A folder called like a tier is of it, unless the tiers' folders are named."""
    assert AuditConfig.model_validate(config).tier(path) == tier


def test_plugins_and_lines(tmp_path: Path) -> None:
    """The plugins are the entry points, of all groups or of those that are named; keys are found by their line."""
    text = (
        '[project.entry-points."orders.stores"]\npg = "orders.pg:Store"\nmem = "orders.mem"\n'
        "[project.entry-points.pytest11]\norders = 'orders.plugin'\n"
        f"[{JOURNEYS_TABLE}]\nbuy = {{ keyword = 'buy' }}\n[{JOURNEYS_TABLE}.sell]\nmarker = 'sell'\n"
    )
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    project = read_project(tmp_path)
    assert [plugin.name for plugin in project.plugins] == ["mem", "pg", "orders"]
    assert [project.line_of(JOURNEYS_TABLE, name) for name in ("buy", "sell", "unknown")] == [7, 8, 1]
    assert project.line_of("project.entry-points.orders.stores", "mem") == 3

    table = "[tool.floe-testing.audit]\nplugin-groups = ['orders.stores']\n"
    (tmp_path / "pyproject.toml").write_text(text + table, encoding="utf-8")
    assert read_project(tmp_path).plugins == (
        Plugin("orders.stores", "mem", "orders.mem"),
        Plugin("orders.stores", "pg", "orders.pg:Store"),
    )


def test_without_settings(tmp_path: Path) -> None:
    """A repository that says nothing has every rule, and its tests in `tests`."""
    project = read_project(tmp_path)
    assert (project.config.paths, project.plugins, len(followed_rules(project.config)) > 20) == (("tests",), (), True)
