"""What a file that can't be read is: a test of the suite, or something else of a test's name."""

import re
from pathlib import Path
from typing import Final

NEEDED: Final = frozenset({"conftest.py", "__init__.py"})
"""Files that the tests beside them can't do without."""
_NAMED_TESTS: Final = re.compile(rb"\b(?:def|class)\s+\w*test", re.IGNORECASE)
"""What stands in each file with tests, whether it is Python or not."""
_OF_TESTS: Final = frozenset({"test", "tests", "testing"})
_OF_DATA: Final = re.compile(
    r"(?:^|[-_.])(?:data|fixtures?|samples?|snippets?|templates?|resources?|assets|corpus|snapshots?|golden|expected"
    r"|inputs?|outputs?|out|generated|testdata|datafiles|cookiecutters?)$"
)
"""How names of folders end whose files tests read or write."""
_TEMPLATE: Final = re.compile(rb"^\s*\{%.*%\}\s*$|\{\{\s*cookiecutter\.", re.MULTILINE)
_PYTHON_2: Final = re.compile(
    rb"^\s*(?:print\s+(?:[\"'%]|\w+\s*(?:,|$))|exec\s+[\"'\w]|except\s+[\w.]+\s*,\s*\w+\s*:|raise\s+[\w.]+\s*,\s)",
    re.MULTILINE,
)
"""Statements that only Python 2 reads."""
_SEVERAL: Final = 2


def why_no_test(file: Path, relative: str) -> str:
    """Return why a file that can't be read is plainly no test of the suite; nothing if it may be one.

    Args:
        file: Where it is.
        relative: The same from the root, with forward slashes.
    """
    folder = next((each for each in _below_tests(relative) if _OF_DATA.search(each.lower())), "")
    if folder:
        return f"below a folder of data, {folder}"
    try:
        text = file.read_bytes()
    except OSError:
        return ""
    if _TEMPLATE.search(text):
        return "a template"
    if len(_PYTHON_2.findall(text)) >= _SEVERAL:
        return "Python 2"
    return "" if file.name in NEEDED or _NAMED_TESTS.search(text) else "without a test"


def _below_tests(relative: str) -> list[str]:
    """Return the folders of a file that are in the outermost one of tests; all of them where none is of tests."""
    folders = relative.split("/")[:-1]
    first = next((place for place, name in enumerate(folders) if name.lower() in _OF_TESTS), -1)
    return folders[first + 1 :]
