"""What `docs/audits` says of the audit's precision, held to the list of findings behind it."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from floe_testing.audit.rule import all_rules

AUDITS = Path(__file__).parents[3] / "docs" / "audits"
README = (AUDITS / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def judged() -> list[dict[str, str]]:
    """Return the judged findings."""
    with (AUDITS / "precision.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_table_is_what_the_list_comes_to() -> None:
    """The README's table is, to the letter, what the script computes from the list."""
    script = [sys.executable, str(AUDITS / "precision.py")]
    table = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True).stdout
    assert table in README


def test_precision_is_enough(judged: list[dict[str, str]]) -> None:
    """Of at least 200 findings 90 % are right, and of each rule's at least 80 %."""
    right = [each for each in judged if each["verdict"] == "true"]
    assert len(judged) >= 200
    assert len(right) / len(judged) >= 0.9
    count, correct = Counter(each["rule"] for each in judged), Counter(each["rule"] for each in right)
    assert {rule for rule in count if correct[rule] / count[rule] < 0.8} == set()


def test_each_finding_is_judged_once_with_a_reason(judged: list[dict[str, str]]) -> None:
    """No finding counts twice, each verdict has a reason, and each is of a rule that there is."""
    assert [
        each for each, number in Counter((x["package"], x["place"], x["rule"]) for x in judged).items() if number > 1
    ] == []
    assert [each["place"] for each in judged if not each["reason"]] == []
    assert {each["rule"] for each in judged} <= {rule.id for rule in all_rules()}


def test_each_rule_is_spoken_of(judged: list[dict[str, str]]) -> None:
    """A rule that found nothing in the sample is named as one whose precision is not known."""
    unmeasured = {rule.id for rule in all_rules() if rule.id.startswith("FT")} - {each["rule"] for each in judged}
    assert [rule for rule in sorted(unmeasured) if rule not in README] == []


def test_packages_are_listed(judged: list[dict[str, str]]) -> None:
    """The packages of the list are those of the README's other table, in the same versions: five at the least."""
    packages = {(each["package"], each["version"]) for each in judged}
    assert len(packages) >= 5
    assert [pair for pair in sorted(packages) if f"| {pair[0]} | {pair[1]} |" not in README] == []
