"""Requirements in a Markdown document, found in its blocks and so never in its code or comments.

A heading, an item of a list or a row of a table states a requirement if it begins with an id:

    ### REQ-636: A cluster for each run
    - **FR-001**: A user can log in
    - [ ] T001 Make the folders
    | FR-002 | A user can log out |

Others mention one. In an item, the id must be bold, or stand after a checkbox or before a colon or a dash; a heading
may also go on without any of these, unless it names a second id. What is struck through is superseded, and what
follows tells why: `- ~~**FR-003**: A user has one password~~ FR-007 took its place`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_CHECKBOXES: Final = ("[ ] ", "[x] ", "[X] ")
_SEPARATORS: Final = ":.-\N{EN DASH}\N{EM DASH}"
_WRAPPING: Final = "[](){}"


@dataclass(frozen=True)
class Statement:
    """A requirement, as a document states it."""

    id: str
    title: str
    line: int
    superseded: str | None = None
    """Why, empty if the document does not tell; None where it is still asked for."""


@dataclass(frozen=True)
class _Block:
    """A heading, the first paragraph of an item, or a row: what may state a requirement."""

    kind: str
    line: int
    text: str
    """Of a row, that of its first cell."""
    bold: bool
    title: str = ""
    """Of a row, its second cell."""
    after_strike: str | None = None
    """What follows the part that is struck through, None where the block does not begin with one."""


def read_markdown(text: str, full_id: Callable[[str], str | None]) -> list[Statement]:
    """Return the requirements of a document, in its order.

    Args:
        text: CommonMark with GitHub's tables, checkboxes and strikethrough.
        full_id: Returns the id that a word stands for, None if it is none.
    """
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text))
    return [found for block in _blocks(tree) if (found := _statement(block, full_id)) is not None]


def _blocks(tree: SyntaxTreeNode) -> Iterator[_Block]:
    for node in tree.walk():
        if node.type == "heading":
            yield _block(node, node.children[0])
        elif node.type == "list_item" and node.children and node.children[0].type == "paragraph":
            yield _block(node, node.children[0].children[0])
        elif node.type == "tr":
            first, *others = (cell.children[0] for cell in node.children)
            yield _block(node, first, _text(others[0]) if others else "")


def _block(node: SyntaxTreeNode, inline: SyntaxTreeNode, title: str = "") -> _Block:
    # Beside what is seen, the parser leaves empty texts.
    parts = [part for part in inline.children if part.type != "text" or part.content]
    struck = bool(parts) and parts[0].type == "s"
    inner = [part for part in parts[0].children if part.type != "text" or part.content] if struck else parts
    return _Block(
        kind=node.type,
        line=node.map[0] + 1 if node.map else 1,
        text=_text(parts[0]) if struck else _text(inline),
        bold=bool(inner) and inner[0].type == "strong",
        title=title,
        after_strike="".join(map(_text, parts[1:])).strip(_SEPARATORS + " ") if struck else None,
    )


def _text(node: SyntaxTreeNode) -> str:
    if node.type in {"softbreak", "hardbreak"}:
        return " "
    if node.type in {"text", "code_inline"}:
        return node.content
    return "".join(map(_text, node.children))


def _statement(block: _Block, full_id: Callable[[str], str | None]) -> Statement | None:
    text = block.text
    checkbox = text.startswith(_CHECKBOXES)
    word, _, rest = text[4 if checkbox else 0 :].strip().partition(" ")
    requirement_id = full_id(word.strip(_WRAPPING + _SEPARATORS))
    if requirement_id is None:
        return None
    stated = (
        block.kind == "tr"
        or block.bold
        or checkbox
        or word.endswith(tuple(_SEPARATORS))
        or rest.lstrip().startswith(tuple(_SEPARATORS))
        or (block.kind == "heading" and not any(map(full_id, rest.replace(":", " ").split())))
    )
    if not stated:
        return None
    title = (block.title or rest).lstrip(_SEPARATORS + " ").strip()
    return Statement(requirement_id, title, block.line, block.after_strike)
