"""How the elements of `junit.xml` are written."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from floe_testing.results.junit import _quoted, _to_text

CHARACTERS = [chr(number) for number in [*range(1, 0x180), 0x2028, 0xFFFD, 0x1F600]]


@pytest.mark.parametrize("name", ["name", "prefix:name", "{uri}name"])
def test_as_elementtree_writes_it(name: str) -> None:
    """An element is written as ElementTree does, whatever stands in its attributes."""
    elements = [ET.Element("testcase", {name: f"a{each}b"}, time="0.001") for each in ["", *CHARACTERS]]
    assert [_to_text(each) for each in elements] == [ET.tostring(each, encoding="unicode") for each in elements]


def test_children_and_text() -> None:
    """What is in an element is written too."""
    outer, inner = ET.Element("testcase"), ET.Element("system-out")
    inner.text = "a < b"
    outer.append(inner)
    assert _to_text(outer) == "<testcase><system-out>a &lt; b</system-out></testcase>"
    assert _to_text(ET.Element("skipped")) == "<skipped />"


def test_quoted_can_be_read_back() -> None:
    """A quoted value is read as what it was, but for what XML has no character for, which is shown by its number."""
    for each in CHARACTERS:
        read = ET.fromstring(f"<a b={_quoted(f'x{each}y')} />").get("b")
        legal = each in "\t\n\r" or (each >= " " and each != "\x7f")
        assert read == (f"x{each}y" if legal else f"x#x{ord(each):02X}y")
