"""The document that grows: what stands in it at each moment of its growth."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml

from floe_testing.results import document
from floe_testing.results.document import LiveDocument

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-644")

HEAD = '<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite tests="{:04}">'
TAIL = "</testsuite></testsuites>"
NASTY = "a--b ]]&gt; ?&gt; &lt;?floe ?&gt; -- ü \N{PILE OF POO}"
"""As it stands in XML: whatever could end what hides it."""


def case(name: str, text: str = NASTY) -> str:
    """Return a test case as XML."""
    return f'<testcase classname="t" name="{name}"><system-out>{text}</system-out></testcase>'


def names(content: bytes) -> list[str]:
    """Return the names of the test cases of a document, as `junitparser` reads it."""
    return [str(test.name) for suite in JUnitXml.fromstring(content) for test in suite]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the document is."""
    return tmp_path / "junit.xml"


@pytest.fixture
def growing(path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveDocument:
    """Return a document without an element, with little padding for the sake of the readers."""
    monkeypatch.setattr(document, "_LEAST_PADDING", 5000)
    return LiveDocument(path, HEAD.format(0), TAIL)


@pytest.fixture
def watched(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what the file holds after each byte that is written into it, from the next one on."""
    seen: list[bytes] = []
    pwrite = os.pwrite

    def write(file: int, data: bytes, place: int) -> int:
        if not os.path.samestat(os.fstat(file), path.stat()):
            return pwrite(file, data, place)  # the session that this is a test of writes its own results
        os.lseek(file, place, os.SEEK_SET)
        written = os.write(file, data[:1])
        seen.append(path.read_bytes())
        return written

    monkeypatch.setattr(document.system, "pwrite", write)
    return seen


def without_repeats(items: list[list[str]]) -> list[list[str]]:
    """Return the items that differ from the one before."""
    return [item for before, item in zip([None, *items], items, strict=False) if item != before]


def ordinary(growing: LiveDocument) -> None:
    """Let two tests run one after the other, and a file fail to be collected."""
    growing.settle(case("collected"))
    for name in ("first", "second"):
        growing.show(case(f"{name} runs"))
        growing.show(case(f"{name} still runs"))
        growing.settle(case(name))


def parallel(growing: LiveDocument) -> None:
    """Let two tests run at once, of which the second ends first."""
    growing.show(case("a runs"))
    growing.show(case("a runs") + case("b runs"))
    growing.settle(case("b"))
    growing.show(case("a runs"))
    growing.show(case("a runs"))
    growing.settle(case("a"))


def test_empty_document(growing: LiveDocument, path: Path) -> None:
    """A document without an element can be read."""
    growing.close()
    assert names(path.read_bytes()) == []


def test_every_byte_of_an_ordinary_session(growing: LiveDocument, watched: list[bytes]) -> None:
    """Wherever writing is cut off, the tests that have ended stand there, each once, and the one that runs."""
    ordinary(growing)
    assert without_repeats([names(content) for content in watched]) == [
        [],
        ["collected"],
        ["collected", "first runs"],
        ["collected", "first still runs"],
        ["collected", "first"],
        ["collected", "first", "second runs"],
        ["collected", "first", "second still runs"],
        ["collected", "first", "second"],
    ]


def test_every_byte_of_a_parallel_session(growing: LiveDocument, watched: list[bytes]) -> None:
    """Of tests that run at the same time, each that has ended stands there from then on."""
    parallel(growing)
    assert without_repeats([names(content) for content in watched]) == [
        [],
        ["a runs"],
        ["a runs", "b runs"],
        ["b"],
        ["b", "a runs"],
        ["b", "a"],
    ]


@pytest.mark.parametrize("session", [ordinary, parallel])
def test_slow_reader(session: Callable[[LiveDocument], None], growing: LiveDocument, watched: list[bytes]) -> None:
    """Who reads the beginning before a write and the rest after it reads a document, with all that had ended before."""
    session(growing)
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(4000):
        early, late = sorted(chance.sample(range(len(watched)), 2))
        place = chance.randrange(watched[-1].rindex(b"<?floe ? ") + 20)
        mixed = watched[early][:place] + watched[late][place:]
        ended = [name for name in names(watched[early]) if not name.endswith("runs")]
        assert [name for name in names(mixed) if name in ended] == ended


def test_text_is_kept(growing: LiveDocument, path: Path) -> None:
    """What a test wrote is what a reader gets."""
    growing.show(case("runs"))
    growing.settle(case("ended"))
    growing.close()
    assert [out.text for out in ET.parse(path).iter("system-out")] == [  # noqa: S314 - it is our own
        "a--b ]]> ?> <?floe ?> -- ü \N{PILE OF POO}"
    ]


def test_growth(growing: LiveDocument, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the padding is used up, settled and shown elements go on, and the file is replaced, not emptied."""
    monkeypatch.setattr(document, "_LEAST_PADDING", 0)
    before = path.open("rb")
    for number in range(300):
        growing.show(case(f"runs {number}", "x" * 1000))
        assert names(path.read_bytes())[-1] == f"runs {number}"
        growing.settle(case(f"{number}", "y" * 1000))
        assert names(path.read_bytes())[-1] == f"{number}"
    with before:
        assert names(before.read())[0] == "0"
    assert names(path.read_bytes()) == [str(number) for number in range(300)]


def test_what_is_written_is_a_multiple_of_what_there_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that are written grow as the document does, not as its square."""
    written = 0
    put = os.pwrite

    def count_put(file: int, data: bytes, place: int) -> int:
        nonlocal written
        written += len(data)
        return put(file, data, place)

    monkeypatch.setattr(document.system, "pwrite", count_put)
    growing = LiveDocument(path, HEAD.format(0), TAIL)
    for number in range(5000):
        growing.show(case(f"runs {number}", "x" * 100))
        growing.settle(case(f"{number}", "y" * 100))
    growing.close()
    finished = 5000 * len(case("1000", "y" * 100))
    assert written < 12 * finished


@pytest.mark.parametrize("fails", ["put", "write_file"])
def test_no_room(path: Path, fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that can't grow any more keeps what it has, and ends with what says that something is missing."""
    monkeypatch.setattr(document, "_LEAST_PADDING", 2000)
    growing = LiveDocument(path, HEAD.format(0), TAIL, case("cut"))
    growing.settle(case("first"))
    assert names(path.read_bytes()) == ["first"]
    put = document.system.put

    def refuse(file: int | Path, data: bytes, place: int = 0) -> None:
        if not isinstance(file, int) or data != b">":
            raise OSError(28, "No space left on device")
        put(file, data, place)

    monkeypatch.setattr(document.system, fails, refuse)
    for number in range(9):
        growing.settle(case(f"later {number}", "x" * 1000))
    growing.close()
    seen = names(path.read_bytes())
    assert seen[0] == "first"
    assert seen[-1] == "cut"
    assert 2 <= len(seen) < 9


def test_head(growing: LiveDocument, path: Path) -> None:
    """A head of the same length takes the place of the head."""
    growing.settle(case("ended"))
    growing.update_head(HEAD.format(1))
    growing.close()
    (suite,) = JUnitXml.fromfile(str(path))
    assert suite.tests == 1
    assert [test.name for test in suite] == ["ended"]


def test_head_survives_growth(growing: LiveDocument, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head that was written last is that of the file that takes the document's place."""
    monkeypatch.setattr(document, "_LEAST_PADDING", 0)
    growing.update_head(HEAD.format(7))
    growing.settle(case("long", "x" * (1 << 19)))
    growing.close()
    (suite,) = JUnitXml.fromfile(str(path))
    assert suite.tests == 7


def test_head_of_another_length(growing: LiveDocument) -> None:
    """A head that would write over what comes after it is refused."""
    with pytest.raises(ValueError, match="can't become one of"):
        growing.update_head(HEAD.format(10_000))
    growing.close()
