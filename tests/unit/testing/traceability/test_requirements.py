"""Reading the documents that state requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.traceability.config import Ids
from floe_testing.traceability.models import Specification, TraceabilityError
from floe_testing.traceability.requirements import read_specifications

if TYPE_CHECKING:
    from conftest import Repository

pytestmark = pytest.mark.requirement("T034")

DOCUMENTS = ("docs/*.md", "docs/*.toml")


def read(repository: Repository, *globs: str, pattern: str = r"REQ-\d{3}") -> tuple[Specification, ...]:
    """Return the specifications of a repository."""
    return read_specifications(globs or DOCUMENTS, Ids([pattern]), repository.root)


def refused(repository: Repository, *globs: str, pattern: str = r"REQ-\d{3}") -> str:
    """Return why the specifications of a repository are refused."""
    with pytest.raises(TraceabilityError) as caught:
        read(repository, *globs, pattern=pattern)
    return str(caught.value)


def test_markdown_document_is_a_specification(repository: Repository) -> None:
    """A document is called after its file, and its requirements know where they stand."""
    (found,) = read(repository)
    assert found.id == "login"
    assert [(each.id, each.title, each.place) for each in found.requirements] == [
        ("REQ-001", "Log in", "docs/login.md:3"),
        ("REQ-002", "Log out", "docs/login.md:5"),
    ]


def test_toml_document_is_a_specification(repository: Repository) -> None:
    """A TOML document names itself, and tells of each requirement its line and whether it is superseded."""
    repository.write(
        "docs/more.toml",
        'spec = "other"\nrequirements = [\n  { id = "REQ-003", title = "Sign up" },\n'
        '  { id = "REQ-004", title = "Fax", status = "superseded", reason = "nobody does" },\n]\n',
    )
    _, found = read(repository)
    assert found.id == "other"
    assert [(each.id, each.place, each.superseded) for each in found.requirements] == [
        ("REQ-003", "docs/more.toml:3", None),
        ("REQ-004", "docs/more.toml:4", "nobody does"),
    ]


@pytest.mark.parametrize("path", ["specs/001-login/spec.md", "specs/001-login.md"])
def test_ids_take_the_number_of_their_specification(repository: Repository, path: str) -> None:
    """In the first specification `FR-002` is `001-FR-002`, which can be written out as well."""
    repository.write(path, "- **FR-002**: a\n- **001-FR-003b**: b\n- **SC-001**: c\n")
    (found,) = read(repository, "specs/**/*.md", pattern=r"^\d{3}-FR-\d{3}[a-z]?$")
    assert found.id == "001-login"
    assert [each.id for each in found.requirements] == ["001-FR-002", "001-FR-003b"]


def test_an_id_must_match_as_a_whole(repository: Repository) -> None:
    """A pattern without anchors does not make an id of a longer word."""
    repository.write("docs/login.md", "### REQ-0011: a\n### REQ-001: b\n")
    (found,) = read(repository)
    assert [each.id for each in found.requirements] == ["REQ-001"]


def test_absolute_path_is_taken(repository: Repository) -> None:
    """A document may be named by its whole path, and is shown relative to the repository."""
    (found,) = read(repository, str(repository.root / "docs/login.md"))
    assert found.requirements[0].path == "docs/login.md"


def test_every_problem_is_told_with_its_place(repository: Repository) -> None:
    """Ids stated twice, within a document and across two, are told together, each with both places."""
    repository.write("docs/login.md", "### REQ-001: a\n### REQ-001: b\n")
    repository.write("docs/more.toml", 'requirements = [\n  { id = "REQ-001", title = "c" },\n]\n')
    assert refused(repository).splitlines() == [
        "docs/login.md:2: REQ-001 is stated at docs/login.md:1 already",
        "docs/more.toml:2: REQ-001 is stated at docs/login.md:1 already",
    ]


def test_duplicate_of_a_toml_document_has_its_own_line(repository: Repository) -> None:
    """An id that a TOML document states twice is told with the second line."""
    entry = '  { id = "REQ-005", title = "c" },\n'
    repository.write("docs/more.toml", f"requirements = [\n{entry}{entry}]\n")
    assert refused(repository) == "docs/more.toml:3: REQ-005 is stated at docs/more.toml:2 already"


def test_superseded_needs_a_reason(repository: Repository) -> None:
    """What is superseded without a word is refused, in Markdown and in TOML, and so is what can't be met."""
    repository.write("docs/login.md", "- ~~**REQ-001**: Log in~~\n")
    repository.write("docs/more.toml", 'requirements = [{ id = "REQ-002", title = "c", status = "superseded" }]\n')
    repository.write("docs/other.toml", 'requirements = [{ id = "REQ-003", title = "d", status = "unmet" }]\n')
    assert refused(repository).splitlines() == [
        "docs/login.md:1: REQ-001 is superseded, and nothing tells why",
        "docs/more.toml:1: REQ-002 is superseded, and nothing tells why",
        "docs/other.toml:1: REQ-003 is unmet, and nothing tells why",
    ]


def test_documents_that_cannot_be_read_are_told_together(repository: Repository) -> None:
    """A document without a requirement, one that is no TOML and one with a wrong table are all told."""
    repository.write("docs/empty.md", "# Nothing\n")
    repository.write("docs/broken.toml", "requirements = [\n")
    repository.write("docs/wrong.toml", 'requirements = [{ id = "REQ-009", titel = "c" }]\n')
    repository.write("docs/id.toml", 'requirements = [\n  { id = "REQ-9", title = "c" },\n]\n')
    (repository.root / "docs/latin.md").write_bytes(b"### REQ-001: caf\xe9\n")
    text = refused(repository)
    assert "docs/empty.md: states no requirement; an id must match REQ-\\d{3}, as a whole" in text
    assert "docs/broken.toml: not valid TOML" in text
    assert "requirements[0].titel: unknown key; did you mean 'title'?" in text
    assert "docs/id.toml:2: 'REQ-9' is no id" in text
    assert "docs/latin.md: not UTF-8" in text


def test_what_is_stated_surely_comes_first(repository: Repository) -> None:
    """What looks like a statement is none where another place surely states the id, and is one only once."""
    repository.write("docs/login.md", "- REQ-001 is what all begins with\n- REQ-002 The fax\n- REQ-002 again\n")
    repository.write("docs/more.md", "### REQ-001: Log in\n\nSee REQ-007.\n")
    login, more = read(repository)
    assert [(each.id, each.line) for each in login.requirements] == [("REQ-002", 2)]
    assert [(each.id, each.line) for each in more.requirements] == [("REQ-001", 1)]
    assert [(each.id, each.place) for each in more.mentions] == [
        ("REQ-001", "docs/more.md:1"),
        ("REQ-007", "docs/more.md:3"),
    ]


def test_scenarios_are_read(repository: Repository) -> None:
    """A file of Gherkin states what its tags name."""
    repository.write("docs/users.feature", "@REQ-003\nFeature: Users\n")
    (found,) = read(repository, "docs/*.feature")
    assert [(each.id, each.title, each.place) for each in found.requirements] == [
        ("REQ-003", "Users", "docs/users.feature:1")
    ]


def test_two_specifications_may_not_share_a_name(repository: Repository) -> None:
    """Two documents of one name could not be told apart."""
    repository.write("docs/login.toml", 'requirements = [{ id = "REQ-003", title = "c" }]\n')
    assert refused(repository) == "docs/login.toml:1: this specification is called 'login', as that of docs/login.md is"


def test_other_kinds_of_documents_are_refused(repository: Repository) -> None:
    """Only Markdown and TOML are read."""
    repository.write("docs/login.rst", "REQ-001\n")
    assert "not from .rst" in refused(repository, "docs/login.rst")


def test_no_document_says_how_to_name_one(repository: Repository) -> None:
    """Where nothing matches, the message holds the table to write."""
    text = refused(repository, "nothing/*.md")
    assert "nothing/*.md" in text
    assert "[tool.floe-testing.traceability] specs = [" in text
