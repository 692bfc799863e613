"""Which blocks of a Markdown document state a requirement."""

import re

import pytest

from floe_testing.traceability.markdown import Statement, read_markdown

pytestmark = pytest.mark.requirement("T034")


def read(text: str) -> list[Statement]:
    """Return the statements of a document whose ids are like FR-001."""
    return read_markdown(text, lambda word: word if re.fullmatch(r"FR-\d{3}[a-z]?", word) else None)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("### FR-001: Log in", "Log in"),
        ("### FR-001 Log in", "Log in"),
        ("### FR-001", ""),
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
        "- FR-001 (log in)",
        "- FR-001",
        "- see **FR-001**: log in",
        "FR-001: a paragraph",
        "```\n### FR-001: in code\n```",
        "    - **FR-001**: in code",
        "<!--\n### FR-001: in a comment\n-->",
        "### FR-01: too short",
        "### XFR-001: something else",
        "| what | id |\n| - | - |\n| Log in | FR-001 |",
        "-",
        "",
    ],
)
def test_mention_states_nothing(text: str) -> None:
    """Titles of ranges, references, code and comments state no requirement."""
    assert read(text) == []


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
