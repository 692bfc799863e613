"""What `docs/audits` says of the audit's precision, held to the lists of findings behind it."""

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from floe_testing.audit.model import Severity
from floe_testing.audit.registry import all_rules

AUDITS = Path(__file__).parents[3] / "docs" / "audits"
README = (AUDITS / "README.md").read_text(encoding="utf-8")
DRAWS = sorted(AUDITS.glob("draw-*.csv"))
BAR = 0.8


def read(file: Path) -> list[dict[str, str]]:
    """Return the rows of a list."""
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_table_is_what_the_draws_come_to() -> None:
    """The README's table is, to the letter, what the script computes from the draws."""
    script = [sys.executable, str(AUDITS / "precision.py")]
    table = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True).stdout
    assert table in README


@pytest.mark.parametrize("file", DRAWS, ids=lambda file: file.stem)
def test_row_of_a_draw_is_what_it_came_to(file: Path) -> None:
    """The README's line of each draw has the verdicts of its list."""
    count = Counter(each["verdict"] for each in read(file))
    numbers = [count.total(), *(count[each] for each in ("right", "wrong", "arguable"))]
    clear, every = count["right"] / (count["right"] + count["wrong"]), count["right"] / count.total()
    number = file.stem.removeprefix("draw-")
    assert f"| {number} | {' | '.join(map(str, numbers))} | {clear:.0%} | {every:.0%} |" in README


@pytest.mark.parametrize("file", DRAWS, ids=lambda file: file.stem)
def test_each_finding_of_a_draw_is_judged_once_with_a_reason(file: Path) -> None:
    """No finding counts twice, each that is not simply right has a note, and each is of a rule that there is."""
    rows = read(file)
    places = Counter((each["package"], each["place"], each["rule"]) for each in rows)
    assert [each for each, number in places.items() if number > 1] == []
    assert [each["place"] for each in rows if each["verdict"] != "right" and not each["note"]] == []
    assert {each["rule"] for each in rows} <= {"FT000", *(rule.id for rule in all_rules())}


def test_draws_have_fresh_packages() -> None:
    """No package is in two draws, none was mended by before, and all are of the list."""
    drawn = [(file.name, name) for file in DRAWS for name in {each["package"] for each in read(file)}]
    names = [name for _, name in drawn]
    lists = [read(file) for file in sorted(AUDITS.glob("packages*.csv"))]
    listed = {re.sub(r"[-.]", "_", each["package"]) for rows in lists for each in rows}
    mended_by = {each["package"] for each in read(AUDITS / "precision.csv")}
    assert len(names) == len(set(names))
    assert {re.sub(r"[-.]", "_", name).lower() for name in names} <= listed
    assert not mended_by & {re.sub(r"[-.]", "_", name).lower() for name in names}
    assert not mended_by & listed
    assert sorted(len(rows) for rows in lists) == [*[60] * 6, 100, 120, 300]
    assert len(listed) == 880


def test_each_rule_is_spoken_of() -> None:
    """A rule that no draw has is named as one whose precision is not known."""
    measured = {each["rule"] for file in DRAWS for each in read(file)}
    unmeasured = {rule.id for rule in all_rules() if rule.id.startswith("FT")} - measured
    assert [rule for rule in sorted(unmeasured) if rule not in README] == []


def test_severities_follow_the_draws() -> None:
    """An error or a warning is right in 80 % of all its findings, arguable ones too, since it was last mended."""
    section = README.partition("## Errors and warnings since each rule was last mended")[2].partition("\n## ")[0]
    row = re.compile(r"^\| (FT\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)
    shares = {rule: int(right) / int(judged) for rule, judged, right in row.findall(section)}
    measured = {each["rule"] for file in DRAWS for each in read(file)}
    severe = {rule.id for rule in all_rules() if rule.severity is not Severity.NOTE and rule.id in measured}
    assert shares.keys() == severe
    assert {rule: share for rule, share in shares.items() if share < BAR} == {}


def test_list_of_earlier_findings_is_whole() -> None:
    """The findings that rules were mended by, which the benchmark looks for, are each listed once with a reason."""
    rows = read(AUDITS / "precision.csv")
    places = Counter((each["package"], each["place"], each["rule"]) for each in rows)
    assert [each for each, number in places.items() if number > 1] == []
    assert [each["place"] for each in rows if not each["reason"]] == []
