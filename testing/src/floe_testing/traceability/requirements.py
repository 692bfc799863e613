"""The requirements of a repository, read from the documents that state them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from floe_testing.settings import SettingsError, Table, load_toml, validate
from floe_testing.suite.reading import Problem
from floe_testing.traceability.config import Ids, Text
from floe_testing.traceability.markdown import Document, Statement, read_gherkin, read_markdown
from floe_testing.traceability.models import Mention, Requirement, Specification, TraceabilityError

_NAMED_AFTER_FOLDER: Final = "spec"
_FEW: Final = 5


def read_specifications(globs: Sequence[str], ids: Ids, root: Path) -> tuple[Specification, ...]:
    """Return what the documents state, sorted by path.

    Args:
        globs: Paths and globs, relative to `root`.
        ids: What an id looks like.
        root: The repository.

    Raises:
        TraceabilityError: Names every document that can't be read, every id stated twice, and a document without any.
    """
    found = {root / name for pattern in globs for name in glob(pattern, root_dir=root, recursive=True)}  # noqa: PTH207 - it takes absolute ones too
    files = sorted(path for path in found if path.is_file())
    if not files:
        message = (
            f"no document states requirements: nothing matches {', '.join(globs)}. "
            'Name yours in pyproject.toml: [tool.floe-testing.traceability] specs = ["docs/requirements/*.md"]'
        )
        raise TraceabilityError(message)
    read: list[_Read] = []
    problems: list[str] = []
    for file in files:
        relative = Path(os.path.relpath(file, root)).as_posix()
        try:
            read.append(_read(file, relative, ids))
        except (SettingsError, TraceabilityError) as error:
            problems.append(str(error))
    specifications = _settled(read)
    problems += map(str, _problems(specifications))
    if problems:
        raise TraceabilityError("\n".join(problems))
    return tuple(specifications)


@dataclass(frozen=True)
class _Read:
    """A document as it was read, before it is known what the others state."""

    spec_id: str
    relative: str
    document: Document


def _settled(read: Iterable[_Read]) -> list[Specification]:
    """Return what the documents state: what looks like a statement is one where nothing states the same id surely."""
    read = list(read)
    stated = {each.id for one in read for each in one.document.statements if each.surely}
    specifications = []
    for one in read:
        found: list[Requirement] = []
        for each in one.document.statements:
            if each.surely or each.id not in stated:
                stated.add(each.id)
                found.append(
                    Requirement(
                        id=each.id,
                        title=each.title,
                        path=one.relative,
                        line=each.line,
                        superseded=each.superseded,
                        unmet=each.unmet,
                    )
                )
        first = dict(reversed(one.document.mentions))
        mentions = (Mention(id=each, path=one.relative, line=line) for each, line in first.items())
        specifications.append(
            Specification(
                id=one.spec_id,
                requirements=tuple(found),
                mentions=tuple(sorted(mentions, key=lambda mention: mention.line)),
            )
        )
    return specifications


class _Entry(Table):
    id: Text
    title: Text
    status: Literal["active", "superseded", "unmet"] = "active"
    reason: Text | None = None


class _Document(Table):
    spec: Text | None = None
    """The specification's id; the file's name unless given."""
    requirements: Annotated[tuple[_Entry, ...], Field(min_length=1)]


def _read(file: Path, relative: str, ids: Ids) -> _Read:
    spec_id = file.parent.name if file.stem == _NAMED_AFTER_FOLDER else file.stem
    full_id = partial(_full_id, ids=ids, number=spec_id.partition("-")[0])
    match file.suffix:
        case ".md":
            found = read_markdown(_text(file, relative), full_id)
        case ".feature":
            found = read_gherkin(_text(file, relative), full_id)
        case ".toml":
            document = validate(_Document, load_toml(file, relative), relative)
            spec_id = document.spec or spec_id
            found = Document(_toml_statements(document, _text(file, relative), relative, full_id, ids))
        case suffix:
            message = (
                f"{relative}: requirements are read from .md, .feature and .toml, "
                f"not from {suffix or 'a file without an ending'}"
            )
            raise TraceabilityError(message)
    if not found.statements:
        seen = ", ".join(f"{each} in line {line}" for each, line in found.mentions[:_FEW])
        mentioned = f"; it mentions {seen}" if seen else ""
        message = f"{relative}: states no requirement; an id must match {ids.shown}, as a whole{mentioned}"
        raise TraceabilityError(message)
    return _Read(spec_id, relative, found)


def _text(file: Path, relative: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{relative}: not UTF-8: {error}"
        raise TraceabilityError(message) from None


def _full_id(word: str, ids: Ids, number: str) -> str | None:
    """Return the id that a word stands for: in the specification `001-login`, `FR-002` is `001-FR-002`."""
    if ids.match(word):
        return word
    whole = f"{number}-{word}"
    return whole if number.isdecimal() and ids.match(whole) else None


def _toml_statements(
    document: _Document, text: str, relative: str, full_id: Callable[[str], str | None], ids: Ids
) -> list[Statement]:
    lines = _Lines(text)
    statements: list[Statement] = []
    problems: list[Problem] = []
    for entry in document.requirements:
        line = lines.next_of(entry.id)
        whole = full_id(entry.id)
        if whole is None:
            message = f"'{entry.id}' is no id: one must match {ids.shown}, as a whole"
            problems.append(Problem(path=relative, line=line, message=message))
            continue
        reasons = {entry.status: entry.reason or ""}
        statements.append(
            Statement(whole, entry.title, line, superseded=reasons.get("superseded"), unmet=reasons.get("unmet"))
        )
    if problems:
        raise TraceabilityError("\n".join(map(str, problems)))
    return statements


class _Lines:
    """Finds the line of each id of a TOML document, which its parser does not tell."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._seen: dict[str, int] = {}

    def next_of(self, requirement_id: str) -> int:
        """Return the next line, counted from 1, that holds the id in quotes; the last one again where there is none."""
        start = self._seen.get(requirement_id, 0)
        quoted = (f'"{requirement_id}"', f"'{requirement_id}'")
        found = (
            number
            for number, line in enumerate(self._lines[start:], start=start + 1)
            if any(each in line for each in quoted)
        )
        self._seen[requirement_id] = next(found, start or 1)
        return self._seen[requirement_id]


def _problems(specifications: Iterable[Specification]) -> list[Problem]:
    problems: list[Problem] = []
    stated: dict[str, Requirement] = {}
    documents: dict[str, Requirement] = {}
    for specification in specifications:
        if not specification.requirements:
            continue  # others state surely what this one seems to
        first = specification.requirements[0]
        same = documents.setdefault(specification.id, first)
        if same is not first:
            message = f"this specification is called '{specification.id}', as that of {same.path} is"
            problems.append(Problem(path=first.path, line=1, message=message))
        for requirement in specification.requirements:
            earlier = stated.setdefault(requirement.id, requirement)
            if earlier is not requirement:
                message = f"{requirement.id} is stated at {earlier.place} already"
                problems.append(Problem(path=requirement.path, line=requirement.line, message=message))
            for what, reason in (("superseded", requirement.superseded), ("unmet", requirement.unmet)):
                if reason == "":
                    message = f"{requirement.id} is {what}, and nothing tells why"
                    problems.append(Problem(path=requirement.path, line=requirement.line, message=message))
    return problems
