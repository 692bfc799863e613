"""The comments of a module, which its tree does not have."""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from typing import Final, NamedTuple

_ENDS_AT_QUOTES: Final = sys.version_info < (3, 12)
"""A string ends where its quotes come again; later, the fields of a formatted one may have strings in them."""
_COMMENTS_AND_STRINGS: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)"""
    r"""|\"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"{3}|'{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'{3}"""
    r"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'""",
    re.DOTALL,
)


class Comment(NamedTuple):
    """A comment."""

    line: int
    column: int
    """From 0, in characters."""
    text: str
    """With its `#`."""
    alone: bool
    """Nothing else stands on its line."""


def comments(source: bytes) -> list[Comment]:
    """Return the comments of a module, in their order; the source is one that could be parsed."""
    if b"#" not in source:
        return []
    plain = source.replace(b"\r\n", b"\n")
    return _scanned(plain) if _ENDS_AT_QUOTES and b"\r" not in plain else list(_tokenized(source))


def _scanned(source: bytes) -> list[Comment]:
    """Return what `_tokenized` does, in a tenth of the time: there every token is made, and that in Python."""
    text = _text(source)
    found: list[Comment] = []
    line, start = 1, 0
    for match in _COMMENTS_AND_STRINGS.finditer(text):
        if match["comment"] is not None:
            place = match.start()
            line += text.count("\n", start, place)
            start = text.rfind("\n", 0, place) + 1
            found.append(Comment(line, place - start, match["comment"], not text[start:place].strip()))
    return found


def _tokenized(source: bytes) -> Iterator[Comment]:
    tokens = tokenize.generate_tokens(io.StringIO(_text(source)).readline)
    try:
        for token in tokens:
            if token.type == tokenize.COMMENT:
                line, column = token.start
                yield Comment(line, column, token.string, not token.line[:column].strip())
    except (tokenize.TokenError, SyntaxError):
        return  # of a syntax newer than this Python's, from there on


def _text(source: bytes) -> str:
    """Return a module's text, in whose comments Python takes any bytes."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError:
        encoding = "utf-8"  # such bytes are in one of the first two lines
    return source.decode(encoding, errors="replace")
