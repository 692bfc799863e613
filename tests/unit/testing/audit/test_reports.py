"""An audit as programs and people read it."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif
from rich.console import Console

from floe_testing.audit.inventory import Entry, take_inventory
from floe_testing.audit.model import Severity
from floe_testing.audit.registry import all_rules
from floe_testing.audit.reports.machine import MOST_RESULTS, render_json, render_sarif
from floe_testing.audit.reports.markdown import render_markdown
from floe_testing.audit.reports.terminal import explain, print_audit

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

    from floe_testing.audit.model import Audit


@pytest.fixture
def done(repository: Repository) -> Audit:
    """Return an audit with a finding of each severity, one of them suppressed, and a file that is no Python."""
    repository.write(
        "tests/unit/test_orders.py",
        """
        import time

        def test_a(orders):
            time.sleep(1)
            assert (orders.open, "a | b")

        def test_b(shop):
            found = shop.orders()
            assert len(found) == 2

        def test_c(orders):
            time.sleep(1)  # floe: ignore[FT401] the shop has no event
            assert orders.open == 1
        """,
    )
    repository.write("tests/integration/test_ü.py", "def test_a(:\n")
    return repository.audit({"severity": {"FT204": "error", "FT401": "warning"}})


def printed(done: Audit) -> str:
    """Return what a terminal of 200 columns shows."""
    file = StringIO()
    print_audit(done, Console(file=file, width=200))
    return file.getvalue()


def test_terminal(done: Audit) -> None:
    """Findings stand by rule, the most severe first, each on a line that starts with its place; the end counts."""
    assert printed(done).splitlines() == [
        "FT000 unreadable: 1 error",
        "tests/integration/test_ü.py:1:1: FT000 not read: invalid syntax",
        "",
        "FT204 tautology: 1 error",
        "tests/unit/test_orders.py:5:5: FT204 always true, whatever the code does",
        "",
        "FT401 sleep: 1 warning",
        "tests/unit/test_orders.py:4:5: FT401 waits a fixed time",
        "",
        "FT203 length-only: 1 note",
        "tests/unit/test_orders.py:9:5: FT203 all that is checked is a length",
        "",
        "3 tests in 2 modules: 2 errors, 1 warning, 1 note; 1 suppressed with a reason",
    ]


@pytest.fixture
def repeated(repository: Repository) -> Audit:
    """Return an audit with three findings of one message in one file, and one in another file."""
    waits = "import time\n" + "".join(
        f"def test_{each}():\n    time.sleep(1)\n    assert shop.open\n" for each in "abc"
    )
    repository.write("tests/unit/test_orders.py", waits)
    repository.write("tests/unit/test_shops.py", waits.partition("def test_b")[0])
    return repository.audit({"severity": {"FT401": "warning"}})


def test_what_is_alike_in_a_file_has_one_line(repeated: Audit, repository: Repository) -> None:
    """A terminal and Markdown tell a message once for each file, with the lines of the others; all of them count."""
    lines = printed(repeated).splitlines()
    assert lines[:3] == [
        "FT401 sleep: 4 warnings",
        "tests/unit/test_orders.py:3:5: FT401 waits a fixed time; 2 more like it: lines 6, 9",
        "tests/unit/test_shops.py:3:5: FT401 waits a fixed time",
    ]
    assert lines[-1] == "4 tests in 2 modules: 4 warnings"
    table = render_markdown(repeated, repository.project()).splitlines()
    told = "waits a fixed time; 2 more like it: lines 6, 9"
    assert f"| `tests/unit/test_orders.py:3` | FT401 | `test_a`, `test_b`, `test_c` | {told} |" in table


@pytest.fixture
def mixed(repository: Repository) -> Audit:
    """Return an audit where a rule has a note before its errors, two of them on a line, and another has a warning."""
    repository.write(
        "tests/unit/test_orders.py",
        """
        import time

        def test_queries(order, count_queries):
            with count_queries(1):
                order.total == 7

        def test_sums(order):
            order.total == 1
            order.total == 2; order.total == 3

        def test_waits(order):
            time.sleep(1)
            assert order.open
        """,
    )
    return repository.audit({"severity": {"FT401": "warning"}})


def test_rule_of_two_severities(mixed: Audit) -> None:
    """A rule stands with its most severe finding, its heading counts each severity, and a line's colour is its own."""
    file = StringIO()
    print_audit(mixed, Console(file=file, width=200, force_terminal=True, color_system="standard"))
    note, error = "\x1b[1;36mFT208\x1b[0m", "\x1b[1;31mFT208\x1b[0m"
    heading, first, second = file.getvalue().splitlines()[:3]
    assert heading.startswith(f"{error} never-asserted: ")
    assert "3 errors, 1 note" in printed(mixed).splitlines()[0]
    assert note in first
    assert error in second


def test_line_with_two_findings(mixed: Audit) -> None:
    """A line that has several findings of one kind is named once, and each of them counts."""
    assert printed(mixed).splitlines()[2].endswith("; 2 more like it: line 9")
    assert "3 errors" in printed(mixed).splitlines()[-1]


def test_limit_of_what_is_alike(repeated: Audit) -> None:
    """The limit holds for the lines of a rule and for the places on each, and what is left out is counted."""
    file = StringIO()
    print_audit(repeated, Console(file=file, width=200), 1)
    assert file.getvalue().splitlines()[1:3] == [
        "tests/unit/test_orders.py:3:5: FT401 waits a fixed time; 2 more like it: lines 6, …",
        "… and 1 more: --limit 0 shows all",
    ]


def test_programs_are_told_each_finding(repeated: Audit, repository: Repository) -> None:
    """JSON and SARIF have what is alike one by one, each with its place and a fingerprint of its own."""
    findings = json.loads(render_json(repeated, repository.project()))["findings"]
    assert [finding["line"] for finding in findings] == [3, 6, 9, 3]
    assert len({finding["fingerprint"] for finding in findings}) == 4
    (run,) = json.loads(render_sarif(repeated, repository.project()))["runs"]
    assert len(run["results"]) == 4


def test_terminal_of_a_level(done: Audit) -> None:
    """Findings below the level are not shown, and the last line counts them and says how to see them."""
    lines = printed(done.at_level(Severity.WARNING)).splitlines()
    assert [line for line in lines if "FT203" in line] == []
    told = "3 tests in 2 modules: 2 errors, 1 warning, and 1 note not shown: --level note; 1 suppressed with a reason"
    assert lines[-2:] == ["", told]
    least = printed(done.at_level(Severity.ERROR)).splitlines()[-1]
    assert least.startswith("3 tests in 2 modules: 2 errors, and 1 warning, 1 note not shown: --level note")
    assert printed(done.at_level(Severity.NOTE)) == printed(done)


def test_other_reports_of_a_level(done: Audit, repository: Repository) -> None:
    """JSON, SARIF and Markdown leave out what is below the level too, and each of them says how much that is."""
    shown = done.at_level(Severity.WARNING)
    document = json.loads(render_json(shown, repository.project()))
    assert document["summary"]["findings"] == {"note": 0, "warning": 1, "error": 2}
    assert document["summary"]["hidden"] == {"note": 1, "warning": 0, "error": 0}
    assert [finding["rule"] for finding in document["findings"]] == ["FT000", "FT401", "FT204"]
    sarif = render_sarif(shown, repository.project())
    (run,) = json.loads(sarif)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["FT000", "FT401", "FT204"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told == {"level": "note", "message": {"text": "1 note not shown: --level note"}}
    assert Sarif.model_validate_json(sarif)
    assert "1 note not shown: --level note." in render_markdown(shown, repository.project()).splitlines()


def test_terminal_when_there_is_nothing(repository: Repository) -> None:
    """Without findings there is the count alone."""
    repository.write("tests/unit/test_a.py", "def test_a(shop):\n    assert shop.open == 1\n")
    assert printed(repository.audit()) == "1 test in 1 module: nothing found\n"


def test_json(done: Audit, repository: Repository) -> None:
    """The JSON has a summary, the findings with their fingerprints, and the reasons of those that are suppressed."""
    document = json.loads(render_json(done, repository.project()))
    assert document["summary"]["tests"] == 3
    assert document["summary"]["findings"] == {"note": 1, "warning": 1, "error": 2}
    assert [finding["rule"] for finding in document["findings"]] == ["FT000", "FT401", "FT204", "FT203"]
    assert all(len(finding["fingerprint"]) == 20 for finding in document["findings"])
    assert [finding["reason"] for finding in document["suppressed"]] == ["the shop has no event"]


def test_sarif_follows_its_schema(done: Audit, repository: Repository) -> None:
    """The SARIF is valid, names its rules, and has what GitHub needs to show and to recognise a finding."""
    text = render_sarif(done, repository.project())
    (run,) = Sarif.model_validate_json(text).runs
    driver = run.tool.driver
    assert [rule.id for rule in driver.rules] == ["FT000", "FT001", "FT002", *(rule.id for rule in all_rules())]
    results = json.loads(text)["runs"][0]["results"]
    assert [driver.rules[result["ruleIndex"]].id for result in results] == [result["ruleId"] for result in results]
    assert [result["level"] for result in results] == ["error", "warning", "error", "note"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert places[0]["artifactLocation"]["uri"] == "tests/integration/test_%C3%BC.py"
    assert places[1]["region"] == {"startLine": 4, "startColumn": 5}
    assert len({result["partialFingerprints"]["floeTestingAudit/v1"] for result in results}) == 4


def test_sarif_says_what_each_rule_is_about(done: Audit, repository: Repository) -> None:
    """Every rule has a help, those of the audit itself too, and the tool says where it is described."""
    driver = json.loads(render_sarif(done, repository.project()))["runs"][0]["tool"]["driver"]
    assert driver["informationUri"].startswith("https://")
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in driver["rules"])


def test_sarif_of_more_than_github_takes(done: Audit, repository: Repository) -> None:
    """Where there are too many findings the most severe are kept, and the file says that there were more."""
    note = next(finding for finding in done.findings if finding.rule == "FT203")
    many = replace(done, findings=(*[note] * MOST_RESULTS, *done.findings))
    document = json.loads(render_sarif(many, repository.project()))
    (run,) = document["runs"]
    assert len(run["results"]) == MOST_RESULTS == 25_000
    assert [result["ruleId"] for result in run["results"][:4]] == ["FT000", "FT204", "FT401", "FT203"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "25004 findings are more than the 25000" in told["message"]["text"]
    del run["results"][4:]  # of those that are alike one is enough to be held to the schema
    assert Sarif.model_validate(document)


def test_sarif_of_nothing(repository: Repository) -> None:
    """Without findings the SARIF is valid, and says so with an empty list."""
    text = render_sarif(repository.audit(), repository.project())
    assert Sarif.model_validate_json(text)
    assert json.loads(text)["runs"][0]["results"] == []


def test_markdown(done: Audit, repository: Repository) -> None:
    """The report has a section for each question, the strength of checks by tier, and what is suppressed."""
    text = render_markdown(done, repository.project())
    lines = text.splitlines()
    assert "| unit | 3 | 1 | 1 | 1 |" in lines
    assert "FT203 length-only: 1" in text
    assert "| `tests/unit/test_orders.py:5` | FT204 | `test_a` | always true, whatever the code does |" in lines
    assert "| tautology | 1 |" in lines
    assert "| value | 1 |" in lines
    assert "| `tests/unit/test_orders.py:12` | FT401 | the shop has no event |" in lines
    assert "| `tests/integration/test_ü.py:1` | FT000 |  | not read: invalid syntax |" in lines
    titles = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert titles[:7] == [
        *("Mock fallbacks", "Duplicated configuration", "Strength of assertions", "Side effects"),
        *("Classification of tests", "Journeys without an end-to-end test", "Plugins without an integration test"),
    ]


def test_inventory(repository: Repository) -> None:
    """The report lists the modules of the infrastructure with their lines and what they hold."""
    repository.write(
        "shoptest/fixtures.py",
        "import pytest\n@pytest.fixture\ndef shop(): ...\ndef helper(): ...\nclass ShopError(Exception): ...\n",
    )
    repository.write(
        "shoptest/plugin.py", "import click\ndef pytest_configure(): ...\n@click.command()\ndef go(): ...\n"
    )
    repository.write("shoptest/base.py", "class Base:\n    def setup_method(self): ...\nclass Other: ...\n")
    repository.write("shoptest/model.py", "from pydantic import BaseModel\nclass Order(BaseModel): ...\n")
    repository.write("shoptest/__init__.py", "")
    repository.write("shoptest/broken.py", "def (")
    assert take_inventory(["shoptest"], repository.root) == [
        Entry("shoptest/base.py", 3, ("base classes of tests", "classes")),
        Entry("shoptest/fixtures.py", 5, ("errors", "fixtures", "functions")),
        Entry("shoptest/model.py", 2, ("models",)),
        Entry("shoptest/plugin.py", 4, ("commands", "hooks")),
    ]
    text = render_markdown(repository.audit(), repository.project({"infrastructure": ["shoptest"]}))
    assert "| `shoptest/fixtures.py` | 5 | errors, fixtures, functions |" in text.splitlines()


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_explain(rule: object, tmp_path: Path) -> None:  # noqa: ARG001 - one folder for each
    """What a rule is about can be read at a terminal: its reason, and each of its examples with its path."""
    (found,) = [each for each in all_rules() if each is rule]
    file = StringIO()
    explain(found, Console(file=file, width=300))
    text = file.getvalue()
    assert text.startswith(f"{found.id} {found.name} {found.severity}\n")
    assert found.reason in text
    assert text.count("bad ─") == len(found.bad)
    assert text.count("arguable: a note ─") == len(found.arguable)
    assert text.count("good ─") == len(found.good)
    assert all(example.path in text for example in (*found.bad, *found.arguable, *found.good))
