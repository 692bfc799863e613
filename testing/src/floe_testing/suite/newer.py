"""Modules in a syntax that is newer than the Python that reads them, put in the words of an older one.

Lines stay where they are, so that what is found in the older text stands in the newer one too.
"""

import ast
import re
from dataclasses import dataclass

import libcst
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper

_TRIPLE = 3
_DEEPEST = 100
_LONGEST = 10_000
_SIGNS = re.compile(rb"(?:[-+~]\s*|\bnot\s+|\blambda\b[^:]*:\s*|\bawait\s+){%d,}" % _DEEPEST)


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: bytes


def in_older_words(source: bytes) -> bytes | None:
    """Return a module without parameters of types, `type` statements, and other news since Python 3.11.

    None if it is no Python of any version that is known.
    """
    if _is_deep(source):
        return None
    try:
        wrapper = MetadataWrapper(libcst.parse_module(source), unsafe_skip_copy=True)
        finder = _Finder(source)
        wrapper.visit(finder)
    except (libcst.ParserSyntaxError, libcst.CSTValidationError, UnicodeDecodeError, RecursionError):
        return None
    except libcst.CSTLogicError:  # it reads the module, and stumbles over what it has read: `t"{order}"`
        return None
    text = source
    for edit in sorted(finder.edits, key=lambda each: -each.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _is_deep(source: bytes) -> bool:
    """Tell whether a module may be nested so deeply that libcst, which is not Python inside, ends the whole process."""
    depth = deepest = 0
    for bracket in re.findall(rb"[(\[{)\]}]", source):
        depth = depth + 1 if bracket in b"([{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    longest = max(map(len, source.splitlines()), default=0)
    return deepest > _DEEPEST or longest > _LONGEST or _SIGNS.search(source) is not None


class _Finder(libcst.CSTVisitor):
    """Finds what is new, and what to write for it."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider,)

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.edits: list[_Edit] = []
        self._source = source

    def visit_TypeParameters(self, node: libcst.TypeParameters) -> bool:  # noqa: N802 - libcst's name
        start, end = self._span(node)
        self.edits.append(_Edit(start, end, _blank(self._source[start:end])))
        return False

    def visit_TypeAlias(self, node: libcst.TypeAlias) -> None:  # noqa: N802 - as above
        start, _ = self._span(node)
        _, end = self._span(node.name)
        self.edits.append(_Edit(start, end, node.name.value.encode().ljust(end - start)))

    def visit_ExceptHandler(self, node: libcst.ExceptHandler) -> None:  # noqa: N802 - as above
        self._put_in_brackets(node.type)

    def visit_ExceptStarHandler(self, node: libcst.ExceptStarHandler) -> None:  # noqa: N802 - as above
        self._put_in_brackets(node.type)

    def visit_FormattedString(self, node: libcst.FormattedString) -> bool:  # noqa: N802 - as above
        return self._string(node)

    def visit_TemplatedString(self, node: libcst.TemplatedString) -> bool:  # noqa: N802 - as above
        return self._string(node)

    def _put_in_brackets(self, kinds: libcst.BaseExpression | None) -> None:
        if isinstance(kinds, libcst.Tuple) and not kinds.lpar:
            start, end = self._span(kinds)
            self.edits += [_Edit(start - 1, start, b"("), _Edit(end, end, b")")]

    def _string(self, node: libcst.FormattedString | libcst.TemplatedString) -> bool:
        """Write a template as a formatted string; one of which this Python can't read the inside, as a plain string."""
        start, end = self._span(node)
        text = self._source[start:end]
        prefix = len(node.start) - len(node.start.lstrip("fFrRtT"))
        formatted = text[:prefix].replace(b"t", b"f").replace(b"T", b"F") + text[prefix:]
        try:
            ast.parse(b"(" + formatted + b")")
        except SyntaxError:
            formatted = _plain(text)
        self.edits.append(_Edit(start, end, formatted))
        return False

    def _span(self, node: libcst.CSTNode) -> tuple[int, int]:
        span = self.get_metadata(ByteSpanPositionProvider, node)
        if not isinstance(span, CodeSpan):
            raise RecursionError
        return span.start, span.start + span.length


def _blank(text: bytes) -> bytes:
    """Return spaces of the same length, over as many lines."""
    lines = text.split(b"\n")
    return b"\n".join([*(b" " * (len(line) - 1) + b"\\" for line in lines[:-1]), b" " * len(lines[-1])])


def _plain(text: bytes) -> bytes:
    """Return a plain string of the same length, over as many lines."""
    quotes = b'"' * (_TRIPLE if b"\n" in text else 1)
    inner = text[len(quotes) : len(text) - len(quotes)]
    return quotes + b"".join(b"\n" if each == ord("\n") else b"x" for each in inner) + quotes
