"""Requirements in a Markdown document, found in its blocks and so never in its comments.

A heading, an item of a list or a row of a table states a requirement if it begins with an id:

    ### REQ-636: A cluster for each run
    - **FR-001**: A user can log in
    - [ ] T001 Make the folders
    | FR-002 | A user can log out |

So do these, as long as nothing states the same id in one of the ways above: they are also how people mention one.

    ## 3.1 REQ-636 A cluster for each run           ## User story 1 (US-1)
    - FR-001 The system shall …                     - [FR-001] The system shall …
    **FR-001**: WHEN a user … the system SHALL …    - The system shall … (FR-001)
    | Log in | FR-001, FR-002 |                     @FR-001 before a scenario of Gherkin

Everything else mentions an id. What is struck through is superseded, and what follows tells why:
`- ~~**FR-003**: A user has one password~~ FR-007 took its place`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_CHECKBOXES: Final = ("[ ] ", "[x] ", "[X] ")
_SEPARATORS: Final = ":.-\N{EN DASH}\N{EM DASH}"
_WRAPPING: Final = "[](){}<>"
_SECTION: Final = re.compile(r"(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)+)[.):]?\s+")
_LABEL: Final = re.compile(
    r"(?:(?:non-)?functional\s+|user\s+|acceptance\s+|business\s+|system\s+|test\s+|use\s+)?"
    r"(?:requirement|req|story|case|criterion|criteria|feature|epic|scenario|rule|constraint|goal|task)(?![\w-])"
    r"(?:\s+\d+(?:\.\d+)*)?\s*[:#\N{EN DASH}\N{EM DASH}-]*\s*",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"\s*(?:to|through|until|and|\.\.+|[-\N{EN DASH}\N{EM DASH}])\s*$", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\s*(?:,|/|&|\+|;|and|,\s*and)\s*$", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\s,;()\[\]{}<>\"'`*|]+")
_MODAL: Final = re.compile(r"\b(?:shall|must|should|will|when|while|where|if|as an?|given)\b", re.IGNORECASE)
_GHERKIN: Final = ("gherkin", "cucumber", "feature")
_SCENARIO: Final = re.compile(r"\s*(?:Feature|Rule|Background|Scenario(?: Outline| Template)?|Example)s?:\s*(.*)")
FullId = Callable[[str], str | None]


@dataclass(frozen=True)
class Statement:
    """A requirement, as a document states it."""

    id: str
    title: str
    line: int
    superseded: str | None = None
    """Why, empty if the document does not tell; None where it is still asked for."""
    unmet: str | None = None
    """Why it can't be met, empty if the document does not tell; None where it can. Only TOML says so."""
    surely: bool = True
    """Its form is that of a statement; otherwise it may as well be a mention."""


@dataclass(frozen=True)
class Document:
    """What is found in a document, in its order."""

    statements: list[Statement] = field(default_factory=list)
    mentions: list[tuple[str, int]] = field(default_factory=list)
    """Every id that it has, stated or not, with its line."""


@dataclass(frozen=True)
class _Block:
    """A heading, an item, a row or a line of a paragraph: what may state a requirement."""

    kind: str
    line: int
    text: str
    """Of a row, that of its first cell."""
    bold: bool = False
    cells: tuple[str, ...] = ()
    """Of a row."""
    after_strike: str | None = None
    """What follows the part that is struck through, None where the block does not begin with one."""


def read_markdown(text: str, full_id: FullId) -> Document:
    """Return what a document states and mentions.

    Args:
        text: CommonMark with GitHub's tables, checkboxes and strikethrough.
        full_id: Returns the id that a word stands for, None if it is none.
    """
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text))
    document = Document()
    for block in _blocks(tree):
        if block.kind == "gherkin":
            document.statements.extend(_scenarios(block.text, block.line, full_id))
        else:
            document.statements.extend(_statements(block, full_id))
    document.mentions.extend(_mentions(tree, full_id))
    return document


def read_gherkin(text: str, full_id: FullId) -> Document:
    """Return what a file of scenarios states by its tags."""
    mentions = [
        (found, number) for number, line in enumerate(text.splitlines(), start=1) for found in _ids_in(line, full_id)
    ]
    return Document(list(_scenarios(text, 1, full_id)), mentions)


def _blocks(tree: SyntaxTreeNode) -> Iterator[_Block]:
    for node in tree.walk():
        if node.type == "heading":
            yield _block(node, node.children[0])
        elif node.type == "list_item" and node.children and node.children[0].type == "paragraph":
            yield _block(node, node.children[0].children[0])
        elif node.type == "tr":
            first, *others = (cell.children[0] for cell in node.children)
            yield _block(node, first, (_text(first), *map(_text, others)))
        elif node.type == "paragraph" and not _opens_item(node):
            yield from _lines(node)
        elif node.type == "fence" and node.info.strip().lower().startswith(_GHERKIN):
            yield _Block("gherkin", _line(node) + 1, node.content)


def _opens_item(node: SyntaxTreeNode) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "list_item" and parent.children[0] is node


def _lines(node: SyntaxTreeNode) -> Iterator[_Block]:
    """Yield the lines of a paragraph, each of which may begin with an id."""
    lines: list[list[SyntaxTreeNode]] = [[]]
    for child in node.children[0].children:
        if child.type in {"softbreak", "hardbreak"}:
            lines.append([])
        elif child.type != "text" or child.content:
            lines[-1].append(child)
    texts = ["".join(map(_text, parts)) for parts in lines]
    for number, parts in enumerate(lines):
        bold = bool(parts) and parts[0].type == "strong"
        # A line without an id goes on with what the one before it says.
        yield _Block("paragraph", _line(node) + number, " ".join(texts[number:]), bold, tuple(texts[number:]))


def _block(node: SyntaxTreeNode, inline: SyntaxTreeNode, cells: tuple[str, ...] = ()) -> _Block:
    # Beside what is seen, the parser leaves empty texts.
    parts = [part for part in inline.children if part.type != "text" or part.content]
    struck = bool(parts) and parts[0].type == "s"
    inner = [part for part in parts[0].children if part.type != "text" or part.content] if struck else parts
    return _Block(
        kind=node.type,
        line=_line(node),
        text=_text(parts[0]) if struck else _text(inline),
        bold=bool(inner) and inner[0].type == "strong",
        cells=cells,
        after_strike="".join(map(_text, parts[1:])).strip(_SEPARATORS + " ") if struck else None,
    )


def _line(node: SyntaxTreeNode) -> int:
    return node.map[0] + 1 if node.map else 1


def _text(node: SyntaxTreeNode) -> str:
    if node.type in {"softbreak", "hardbreak"}:
        return " "
    if node.type in {"text", "code_inline"}:
        return node.content
    return "".join(map(_text, node.children))


def _statements(block: _Block, full_id: FullId) -> list[Statement]:
    sure = _sure(block, full_id)
    if sure is not None:
        return [sure]
    found = _in_cells(block, full_id) if block.kind == "tr" else _at_either_end(block, full_id)
    return [Statement(each, title, block.line, block.after_strike, surely=False) for each, title in found]


def _sure(block: _Block, full_id: FullId) -> Statement | None:
    text = block.text
    checkbox = text.startswith(_CHECKBOXES)
    word, _, rest = text[4 if checkbox else 0 :].strip().partition(" ")
    requirement_id = full_id(word.strip(_WRAPPING + _SEPARATORS))
    if requirement_id is None or block.kind == "paragraph":
        return None
    stated = (
        block.kind == "tr"
        or block.bold
        or checkbox
        or word.endswith(tuple(_SEPARATORS))
        or rest.lstrip().startswith(tuple(_SEPARATORS))
        or (block.kind == "heading" and not any(map(full_id, rest.replace(":", " ").split())))
    )
    if not stated or _goes_on(rest, full_id):
        return None
    title = next((cell for cell in block.cells[1:] if cell), "") if len(block.cells) > 1 else rest
    return Statement(requirement_id, _title(title), block.line, block.after_strike)


def _goes_on(rest: str, full_id: FullId) -> bool:
    """Tell whether an id begins a range of them: `FR-001 - FR-015`."""
    words = _WORD.findall(rest)
    return len(words) > 1 and not words[0].strip(_SEPARATORS) and full_id(words[1].strip(_SEPARATORS)) is not None


def _in_cells(block: _Block, full_id: FullId) -> Iterator[tuple[str, str]]:
    """Yield the ids of the first cell that has nothing else, with the first other cell for a title."""
    for place, cell in enumerate(block.cells):
        ids = _only_ids(cell, full_id)
        if ids:
            others = [other for number, other in enumerate(block.cells) if number != place and other.strip()]
            others = [other for other in others if not _only_ids(other, full_id)]
            title = next((other for other in others if re.search(r"[^\W\d_]", other)), "")
            yield from ((each, _title(title)) for each in ids)
            return


def _only_ids(cell: str, full_id: FullId) -> list[str]:
    words = [word.strip(_SEPARATORS) for word in _WORD.findall(cell.replace("/", " ").replace("&", " "))]
    ids = [full_id(word) for word in words if word.lower() != "and" and word]
    return [each for each in ids if each is not None] if None not in ids else []


def _at_either_end(block: _Block, full_id: FullId) -> Iterator[tuple[str, str]]:
    """Yield the ids that a block begins with, behind a number and a word like `requirement`; or that it ends with."""
    text = block.text
    if text.startswith("@") and block.kind == "paragraph":
        following = _SCENARIO.match(block.cells[1]) if len(block.cells) > 1 else None
        words = [full_id(word.lstrip("@")) for word in block.cells[0].split()]
        yield from ((each, following[1].strip() if following else "") for each in words if each)
        return
    if block.kind == "paragraph":
        ids, rest = _leading(_LABEL.sub("", text, count=1) if _LABEL.match(text) else text, full_id)
        if ids and (rest.lstrip().startswith(tuple(_SEPARATORS)) or block.bold or _MODAL.search(rest)):
            yield from ((each, _title(_until_next(block, full_id, rest))) for each in ids)
        return
    text = text[4:] if text.startswith(_CHECKBOXES) else text
    text = text[numbered.end() :] if (numbered := _SECTION.match(text)) else text
    text = text[label.end() :] if (label := _LABEL.match(text)) else text
    ids, rest = _leading(text, full_id)
    if ids and (rest.strip(_SEPARATORS + " ") or block.kind == "heading"):
        yield from ((each, _title(rest)) for each in ids)
    elif not ids and (ending := re.search(r"[\[(]([^\[\]()]+)[\])][.:]?\s*$", block.text)):
        yield from ((each, _title(block.text[: ending.start()])) for each in _only_ids(ending[1], full_id))


def _until_next(block: _Block, full_id: FullId, rest: str) -> str:
    """Return the title of a paragraph's line: what follows, up to the next line that begins with an id."""
    title = rest[: max(len(rest) - len(" ".join(block.cells[1:])), 0)] if len(block.cells) > 1 else rest
    for line in block.cells[1:]:
        if _leading(line, full_id)[0]:
            break
        title += f" {line}"
    return " ".join(title.split())


def _leading(text: str, full_id: FullId) -> tuple[list[str], str]:  # noqa: C901 - one condition for each way to go on
    """Return the ids that a text begins with, and the rest; none where they are the ends of a range."""
    first, _, others = text.partition(" ")
    if full_id(first) is None:
        text = f"{first.replace('/', ' / ')} {others}"
    ids: list[str] = []
    end = 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()].strip(_WRAPPING + "* ")
        bare = word[0].strip(_SEPARATORS + "&/+")
        found = full_id(bare)
        if found is None:
            if not bare or bare.lower() == "and":
                continue  # what stands between two ids
            if bare.lower() in {"to", "through", "until"} and ids:
                following = _WORD.search(text, word.end())
                if following and full_id(following[0].strip(_SEPARATORS)):
                    return [], text
            break
        if ids and not _BETWEEN.fullmatch(between or ",") and _RANGE.fullmatch(between):
            return [], text
        if between and not ids:
            break
        if ids and text[end : word.start()].strip(" ") in set(_SEPARATORS):
            return [], text
        ids.append(found)
        end = word.end()
        if word[0].endswith(tuple(":.")):
            break
    if not ids:
        return [], text
    last = text[:end]
    stop = len(last.rstrip(_SEPARATORS))
    return ids, text[stop:].lstrip(_WRAPPING)


def _title(text: str) -> str:
    return text.strip(_SEPARATORS + " ").lstrip("])} " + _SEPARATORS).strip()


def _scenarios(text: str, first: int, full_id: FullId) -> Iterator[Statement]:
    """Yield what the tags of scenarios state, each with the name of the scenario."""
    tagged: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), start=first):
        stripped = line.strip()
        if stripped.startswith("@"):
            tags = stripped.partition(" #")[0].split()
            tagged += [(found, number) for tag in tags if (found := full_id(tag.lstrip("@"))) is not None]
        elif scenario := _SCENARIO.match(line):
            yield from (Statement(found, scenario[1].strip(), place, surely=False) for found, place in tagged)
            tagged = []


def _mentions(tree: SyntaxTreeNode, full_id: FullId) -> Iterator[tuple[str, int]]:
    for node in tree.walk():
        if node.type in {"inline", "fence", "code_block"} and node.map is not None:
            first = node.map[0] + (2 if node.type == "fence" else 1)
            for number, line in enumerate(node.content.splitlines()):
                yield from ((found, first + number) for found in _ids_in(line, full_id))


def _ids_in(line: str, full_id: FullId) -> Iterable[str]:
    for word in _WORD.findall(line):
        for part in (word, *re.split(r"[/:@=]", word)):
            found = full_id(part.strip(_SEPARATORS + "?!@~_"))
            if found is not None:
                yield found
                if part == word:
                    break
