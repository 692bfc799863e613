"""Which blocks of a Markdown document state a requirement."""

import re

import pytest

from floe_testing.traceability.markdown import Statement, read_gherkin, read_markdown

pytestmark = pytest.mark.requirement("T034")


def read(text: str) -> list[Statement]:
    """Return the statements of a document whose ids are like FR-001."""
    return read_markdown(text, known).statements


def known(word: str) -> str | None:
    """Return a word that is an id like FR-001."""
    return word if re.fullmatch(r"FR-\d{3}[a-z]?", word) else None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("### FR-001: Log in", "Log in"),
        ("### FR-001 Log in", "Log in"),
        ("### FR-001", ""),
        ("## [FR-001] Log in", "Log in"),
        ("FR-001: Log in\n==============", "Log in"),
        ("# FR-001: Replaces FR-002", "Replaces FR-002"),
        ("- **FR-001**: Log in", "Log in"),
        ("- **FR-001:** Log in", "Log in"),
        ("* **FR-001** Log in", "Log in"),
        ("1. FR-001: Log in", "Log in"),
        ("- FR-001 - Log in", "Log in"),
        ("- FR-001 \N{EM DASH} Log in", "Log in"),
        ("- [ ] FR-001 Log in", "Log in"),
        ("- [x] **FR-001** Log in", "Log in"),
        ("- [X] FR-001 [P] `log in`", "[P] log in"),
        ("- **FR-001**: Log in\n  with a *password*", "Log in with a password"),
        ("- Users\n  - **FR-001**: Log in", "Log in"),
        ("| id | what |\n| - | - |\n| FR-001 | Log in |", "Log in"),
        ("| id |\n| - |\n| FR-001 |", ""),
        ("| id | what |\n| - | - |\n| **FR-001** | a \\| b |", "a | b"),
        ("> - **FR-001**: Log in", "Log in"),
    ],
)
def test_statement_is_found(text: str, title: str) -> None:
    """Headings, items and rows that begin with an id state a requirement, with what follows for its title."""
    assert [(each.id, each.title, each.superseded) for each in read(text)] == [("FR-001", title, None)]


@pytest.mark.parametrize(
    "text",
    [
        "# FR-001 to FR-015: Users",
        "# FR-001 - FR-015: Users",
        "- FR-001 to FR-015",
        "- FR-001",
        "- see **FR-001**: log in",
        "FR-001 is for users",
        "As FR-001: says, users log in",
        "Users log in (FR-001)",
        "```\n### FR-001: in code\n```",
        "    - **FR-001**: in code",
        "<!--\n### FR-001: in a comment\n-->",
        "### FR-01: too short",
        "### XFR-001: something else",
        "| what | id |\n| - | - |\n| Log in | see FR-001 |",
        "-",
        "",
    ],
)
def test_mention_states_nothing(text: str) -> None:
    """Titles of ranges, references, code and comments state no requirement."""
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- FR-001 The system shall log in", {"FR-001": "The system shall log in"}),
        ("- FR-001 (log in)", {"FR-001": "(log in)"}),
        ("- [FR-001] The system shall log in", {"FR-001": "The system shall log in"}),
        ("- (FR-001) log in", {"FR-001": "log in"}),
        ("- {FR-001} log in", {"FR-001": "log in"}),
        ("* FR-001 (MUST): log in", {"FR-001": "(MUST): log in"}),
        ("- **Requirement FR-001**: log in", {"FR-001": "log in"}),
        ("- Requirement FR-001: log in", {"FR-001": "log in"}),
        ("- FR-001, FR-002: log in and out", {"FR-001": "log in and out", "FR-002": "log in and out"}),
        ("- FR-001 and FR-002: log in and out", {"FR-001": "log in and out", "FR-002": "log in and out"}),
        ("- FR-001/FR-002 log in and out", {"FR-001": "log in and out", "FR-002": "log in and out"}),
        ("- A user can log in (FR-001)", {"FR-001": "A user can log in"}),
        ("- [ ] A user can log in [FR-001].", {"FR-001": "[ ] A user can log in"}),
        ("1. FR-001 log in\n2. FR-002 log out", {"FR-001": "log in", "FR-002": "log out"}),
        ("## 3.1 FR-001: log in", {"FR-001": "log in"}),
        ("## 3.1. FR-001 log in", {"FR-001": "log in"}),
        ("## Requirement FR-001: log in", {"FR-001": "log in"}),
        ("## Requirement: FR-001", {"FR-001": ""}),
        ("### A.2 Functional requirement FR-001 - log in", {"FR-001": "log in"}),
        ("## User Story 1 (FR-001)", {"FR-001": ""}),
        ("## User Story 1 - Log in (FR-001)", {"FR-001": "User Story 1 - Log in"}),
        ("### Log in [FR-001]", {"FR-001": "Log in"}),
        ("## FR-001, FR-002: Log in", {"FR-001": "Log in", "FR-002": "Log in"}),
        ("**FR-001**: WHEN one logs in\nit SHALL answer", {"FR-001": "WHEN one logs in it SHALL answer"}),
        ("FR-001: WHEN one logs in it SHALL answer", {"FR-001": "WHEN one logs in it SHALL answer"}),
        ("FR-001 The system shall log in", {"FR-001": "The system shall log in"}),
        ("**FR-001** log in\n**FR-002** log out", {"FR-001": "log in", "FR-002": "log out"}),
        ("> FR-001: log in", {"FR-001": "log in"}),
        ("**Requirement FR-001**: log in", {"FR-001": "log in"}),
        ("- Users\n\n  FR-001: log in", {"FR-001": "log in"}),
        ("| what | id |\n| - | - |\n| Log in | FR-001 |", {"FR-001": "Log in"}),
        ("| id | what |\n| - | - |\n| FR-001, FR-002 | Log in |", {"FR-001": "Log in", "FR-002": "Log in"}),
        ("| n | id | what |\n| - | - | - |\n| 1 | `FR-001` | Log in |", {"FR-001": "Log in"}),
        (
            "```gherkin\n@FR-001 @smoke @FR-002\nScenario: Log in\n  Given a user\n```",
            {"FR-001": "Log in", "FR-002": "Log in"},
        ),
        ("@FR-001\nScenario: Log in", {"FR-001": "Log in"}),
    ],
)
def test_what_looks_like_a_statement_is_found(text: str, found: dict[str, str]) -> None:
    """Numbers, words and brackets around an id, several ids, paragraphs, cells and tags may state a requirement."""
    statements = read(text)
    assert {each.id: each.title for each in statements} == found
    assert [each.surely for each in statements] == [False] * len(found)


def test_scenarios_state_by_their_tags() -> None:
    """A tag of a scenario or a feature states a requirement, a comment does not, and each knows its line."""
    text = "@FR-001\nFeature: Users\n\n  # @FR-009\n  @fast @FR-002 # quick\n  Scenario Outline: Log in\n    Given x\n"
    found = read_gherkin(text, known).statements
    assert [(each.id, each.title, each.line) for each in found] == [("FR-001", "Users", 1), ("FR-002", "Log in", 5)]


def test_every_id_is_a_mention() -> None:
    """Each id that a reader sees is known with its line, in text, code and tables, and no comment or longer word."""
    text = (
        "# FR-001 to FR-015\n\nAs `FR-002` and (FR-003), **FR-004**:\nFR-005/FR-006.\n\n```\nmark('FR-007')\n```\n\n"
        "<!-- FR-008 -->\n\n| a |\n| - |\n| x FR-009 |\n\nXFR-010 FR-0111\n"
    )
    assert sorted(read_markdown(text, known).mentions) == [
        *(("FR-001", 1), ("FR-002", 3), ("FR-003", 3), ("FR-004", 3), ("FR-005", 4), ("FR-006", 4)),
        *(("FR-007", 7), ("FR-009", 14), ("FR-015", 1)),
    ]


def test_lines_are_those_of_the_document() -> None:
    """Each statement knows its line, in a list, in a table and under a heading."""
    items = "- **FR-002**: b\n  more\n- **FR-003**: c\n"
    text = f"# Title\n\n### FR-001: a\n\ntext\n\n{items}\n|i|t|\n|-|-|\n|FR-004|d|\n|FR-005|e|\n"
    assert [(each.id, each.line) for each in read(text)] == [
        ("FR-001", 3),
        ("FR-002", 7),
        ("FR-003", 9),
        ("FR-004", 13),
        ("FR-005", 14),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- ~~**FR-001**: Log in~~ FR-002 took its place", "FR-002 took its place"),
        ("### ~~FR-001: Log in~~: nobody does", "nobody does"),
        ("- ~~FR-001: Log in~~", ""),
        ("| i | t |\n| - | - |\n| ~~FR-001~~ gone | Log in |", "gone"),
    ],
)
def test_struck_through_is_superseded(text: str, reason: str) -> None:
    """What is struck through is superseded, for the reason that follows it."""
    (found,) = read(text)
    assert (found.id, found.title, found.superseded) == ("FR-001", "Log in", reason)
