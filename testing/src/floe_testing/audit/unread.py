"""What a file that can't be read is: a test of the suite, or something else of a test's name."""

import re
from pathlib import Path
from typing import Final

from floe_testing.suite.collection import CollectionRules
from floe_testing.suite.syntax import parse

NEEDED: Final = frozenset({"conftest.py", "__init__.py"})
"""Files that the tests beside them can't do without."""
_NAMED_TESTS: Final = re.compile(
    rb"\b(?:def|class)\s+\w*test|^[ \t]*(?:from|import)\s[^#\n]*test|^<{7} ", re.IGNORECASE | re.MULTILINE
)
"""What stands in each file with tests, whether it is Python or not; and a conflict, which only sources have."""
_FUNCTIONS: Final = re.compile(rb"\bdef\s+(\w+)")
_OF_TESTS: Final = frozenset({"test", "tests", "testing"})
_OF_DATA: Final = re.compile(
    r"(?:^|[-_.])(?:test[-_.]?data|data[-_]?files|samples?|snippets?|corpus|golden|test[-_]?packages|test[-_]?modules"
    r"|cookiecutters?|broken|malformed|syntax_?errors?|(?:bad|invalid)_?syntax|unpars(?:e?able|ed))$"
)
"""How names of folders end that hold no test of the suite, and whose files may be meant not to be Python.

A folder `data` or `output` may as well be that of the tests of a part with that name.
"""
_TAG: Final = re.compile(rb"\{%.*?%\}|\{#.*?#\}")
_EXPRESSION: Final = re.compile(rb"\{\{[^{}\n]*\}\}")
_PYTHON_2: Final = (
    (re.compile(rb"(^\s*|[:;]\s*)(?:print|exec)\s+(?=[\"'%`\w])"), rb"\1_ = "),
    (re.compile(rb"(^\s*except\s+[\w.]+)\s*,\s*[a-z_]+\s*:"), rb"\1:"),
    (re.compile(rb"(^\s*|[:;]\s*)raise\s+(?=[\w.]+\s*,\s)"), rb"\1_ = "),
)
"""Statements that only Python 2 reads, and what any reads instead; `except A, B:` may be that of the newest one."""
_SEVERAL: Final = 2


def why_no_test(file: Path, relative: str, rules: CollectionRules) -> str:
    """Return why a file that can't be read is plainly no test of the suite; nothing if it may be one.

    Args:
        file: Where it is.
        relative: The same from the root, with forward slashes.
        rules: What pytest takes for a test.
    """
    folder = next((each for each in _below_tests(relative) if _OF_DATA.search(each.lower())), "")
    if folder:
        return f"in a folder of data, {folder}"
    try:
        text = file.read_bytes()
    except OSError:
        return ""
    if _is_template(text):
        return "a template"
    if file.name in NEEDED:
        return ""
    if not _may_have_tests(text, rules):
        return "without a test"
    return "Python 2" if _is_python_2(text) else ""


def _below_tests(relative: str) -> list[str]:
    """Return the folders of a file that are in the outermost one of tests; all of them where none is of tests."""
    folders = relative.split("/")[:-1]
    first = next((place for place, name in enumerate(folders) if name.lower() in _OF_TESTS), -1)
    return folders[first + 1 :]


def _may_have_tests(text: bytes, rules: CollectionRules) -> bool:
    """Tell whether a text looks like a module with tests, be it only by an import of what runs them."""
    names = (name.decode(errors="replace") for name in _FUNCTIONS.findall(text))
    return _NAMED_TESTS.search(text) is not None or any(map(rules.is_test_function, names))


def _is_template(text: bytes) -> bool:
    """Tell whether a text is Python but for a template's tags; those within the strings of a test don't make it one."""
    rendered = _EXPRESSION.sub(b"_", _TAG.sub(b"", text))
    return rendered != text and _problem_in(rendered) is None


def _is_python_2(text: bytes) -> bool:
    """Tell whether the first problems that Python has with a text are all statements of Python 2."""
    lines = text.splitlines(keepends=True)
    for _ in range(_SEVERAL):
        line = _problem_in(b"".join(lines))
        if line is None or not 0 < line <= len(lines):
            return False
        mended = lines[line - 1]
        for statement, newer in _PYTHON_2:
            mended = statement.sub(newer, mended, count=1)
        if mended == lines[line - 1]:
            return False
        lines[line - 1] = mended
    return True


def _problem_in(text: bytes) -> int | None:
    """Return the line, from 1, that keeps a text from being read; 0 where no line alone does, None where it is read."""
    try:
        parse(text, "")
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return 0
    return None
