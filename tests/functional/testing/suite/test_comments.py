"""The comments of a module."""

import ast
import io
import tokenize

import pytest

from floe_testing.suite.comments import Comment, comments

CODES = (
    """one = "# no" '# no'  # said""",
    r"""two = r"\"# no" '\\'  # said""",
    'three = """\n# no\n"" # no \\""" # no\n"""  # said',
    "four = b'''\n# no\n'' # no \\''' # no\n'''  # said",
    "five = 'a\\\n# no'  # said",
    """six = f"{one} # no {two!r:#>9}"  # said""",
    """seven = ("a"  # said\n    "b")""",
    """eight = '' ""  # said "'""",
    "nine = '\N{LATIN SMALL LETTER E WITH ACUTE}#'  # said",
)


def test_alone_and_behind() -> None:
    """A comment has its line, its column in characters, its text, and whether it is alone on its line."""
    source = b'# -*- coding: latin-1 -*-\nname = "\xe9\xe9"  # said\n\n    # alone\n'
    assert comments(source) == [
        Comment(1, 0, "# -*- coding: latin-1 -*-", alone=True),
        Comment(2, 13, "# said", alone=False),
        Comment(4, 4, "# alone", alone=True),
    ]


@pytest.mark.parametrize("code", CODES)
def test_what_is_in_strings(code: str) -> None:
    """What looks like a comment in a string of any kind is none, and what comes behind the string is."""
    ast.parse(code)
    assert [each.text[:6] for each in comments(code.encode())] == ["# said"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_as_python_has_them(end: str, mark: str) -> None:
    """Comments are those that Python's own tokens have, whatever ends the lines, and with a byte order mark."""
    source = (mark + "\n".join(CODES).replace("\n", end)).encode()
    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    expected = [(*each.start, each.string) for each in tokens if each.type == tokenize.COMMENT]
    assert [each[:3] for each in comments(source)] == expected


@pytest.mark.parametrize("before_3_12", [True, False], ids=["before 3.12", "from 3.12 on"])
def test_comment_that_is_no_text(monkeypatch: pytest.MonkeyPatch, *, before_3_12: bool) -> None:
    """Bytes that are no text of the encoding are taken in a comment, as Python takes them."""
    monkeypatch.setattr("floe_testing.suite.comments._ENDS_AT_QUOTES", before_3_12)
    source = b"one = 1  # caf\xe9\ntwo = 2  # said\n"
    ast.parse(source)
    assert [(each.line, each.text[-3:]) for each in comments(source)] == [(1, "af\ufffd"), (2, "aid")]
