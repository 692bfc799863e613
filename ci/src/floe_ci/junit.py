"""JUnit documents: read, whoever wrote them and whatever became of them, counted, and written.

They are read with Python's own parser, piece by piece, into records of what is used of them: what else is installed
makes no difference, and a document of any size is held once.
"""

from __future__ import annotations

import codecs
import math
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Final, Literal
from xml.parsers import expat

from floe_ci import contract
from floe_ci.ansi import plain
from floe_ci.files import without_waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

Outcome = Literal["passed", "failed", "errored", "skipped"]
BAD: Final[frozenset[Outcome]] = frozenset({"failed", "errored"})
"""What a test came to that did not pass and should have."""
Key = tuple[str, str]
"""A test's class and name."""

PROBLEM_SUITE: Final = "floe-ci"
"""The suite for what failed outside of pytest."""
PROBLEM_KIND: Final = "Problem"
"""The type of its one error, whose text is the whole problem."""
ATTEMPTS: Final = "attempts"
"""The property of a case that says how often it was tried; one that was tried once has none."""

_COLLECTION: Final = "collection failure"
"""What pytest's plugin says of a module that can't be imported."""
_INTERNAL: Final = ("pytest", "internal", "internal error")
"""The class, name and message that pytest gives to an error of its own."""
_KINDS: Final[Mapping[str, Outcome]] = {"failure": "failed", "error": "errored", "skipped": "skipped"}
_TAGS: Final = {kind: tag for tag, kind in _KINDS.items()}
_WORST_FIRST: Final[tuple[Outcome, ...]] = ("errored", "failed", "skipped")
_OUTPUTS: Final = ("system-out", "system-err")
_LINE_LENGTH: Final = 300
_PIECE: Final = 1 << 18
_LONGEST_TEXT: Final = 8 << 20
"""Characters of one output or traceback; what comes after is left out, which is said."""
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE: Final = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
_LONGEST_REFERENCE: Final = 16
_MOST_DIGITS: Final = 4
"""Of a number of attempts."""
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MOST_CHARACTERS: Final = 0x110000


@dataclass(frozen=True, slots=True)
class Result:
    """One reason why a case did not pass."""

    outcome: Outcome
    message: str = ""
    text: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A test, or what stands for one."""

    classname: str
    name: str
    seconds: float = 0.0
    results: tuple[Result, ...] = ()
    attempts: int = 1
    properties: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.classname, self.name

    def with_more(self, late: Case) -> Case:
        """Return it with what was told of it late: how what it left came to its end."""
        return replace(
            self,
            seconds=self.seconds + late.seconds,
            results=(*self.results, *late.results),
            outputs=(*self.outputs, *late.outputs),
        )

    @property
    def title(self) -> str:
        """What a test is called."""
        return "::".join(part for part in self.key if part) or "unnamed test"

    @property
    def outcome(self) -> Outcome:
        """The worst of its results."""
        if not self.results:
            return "passed"
        there = {result.outcome for result in self.results}
        return next((outcome for outcome in _WORST_FIRST if outcome in there), "passed")

    @property
    def bad(self) -> bool:
        """Whether it failed or errored."""
        return self.outcome in BAD

    @property
    def flaky(self) -> bool:
        """Whether it passed only when it was tried again."""
        return self.attempts > 1 and self.outcome == "passed"

    @property
    def ran(self) -> bool:
        """Whether it was executed: it was not skipped, or failed as it was expected to."""
        expected = any(each.kind == "pytest.xfail" and "[NOTRUN]" not in each.message for each in self.results)
        return self.outcome != "skipped" or expected

    @property
    def is_unfinished(self) -> bool:
        """Whether it stands for a test that nobody knows the end of."""
        return any(
            result.outcome == "errored" and result.message.startswith(contract.NO_RESULT) for result in self.results
        )

    @property
    def of_collection(self) -> bool:
        """Whether it stands for a module that can't be imported."""
        return self.bad and all(result.message == _COLLECTION for result in self.results)

    @property
    def of_pytest(self) -> bool:
        """Whether it stands for an error in pytest itself, or in a plugin."""
        return any((*self.key, result.message) == _INTERNAL for result in self.results)

    @property
    def reason(self) -> str:
        """Why it didn't pass: what its results say, each with the place that it came from."""
        return "\n".join(filter(None, map(_reason, self.results)))


@dataclass(slots=True)
class Suite:
    """Cases with one name."""

    name: str
    cases: list[Case] = field(default_factory=list)
    hostname: str = ""
    timestamp: str = ""
    properties: list[tuple[str, str]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The time of all its cases."""
        return sum(case.seconds for case in self.cases)


@dataclass(frozen=True, slots=True)
class Document:
    """What a JUnit file holds."""

    suites: tuple[Suite, ...] = ()
    problem: str | None = None
    """Why it can't be read, or not to its end; the cases are those that are whole."""

    @property
    def cases(self) -> Iterator[Case]:
        """The cases of every suite."""
        return (case for suite in self.suites for case in suite.cases)

    @property
    def timestamp(self) -> str:
        """When the first suite began, by its own word, or nothing."""
        return next((suite.timestamp for suite in self.suites if suite.timestamp), "")

    def of_tests(self) -> Document:
        """Return it without the nameless cases that pytest leaves for tests that were interrupted: none has passed."""
        for suite in self.suites:
            suite.cases = [case for case in suite.cases if case.classname or case.name or case.results]
        return self

    def as_suite(self, name: str) -> Suite:
        """Return its suites as one."""
        return Suite(
            name,
            list(self.cases),
            next((suite.hostname for suite in self.suites if suite.hostname), ""),
            self.timestamp,
            [item for suite in self.suites for item in suite.properties],
        )


@dataclass(frozen=True)
class Counts:
    """Test cases by outcome."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Counts:
        """Count each case once, under its worst outcome."""
        found = Counter(case.outcome for case in cases)
        return cls(*(found[name] for name in ("passed", "failed", "errored", "skipped")))

    @property
    def total(self) -> int:
        """All cases."""
        return self.passed + self.failed + self.errored + self.skipped


def read(path: Path) -> Document:
    """Read a JUnit file; whatever is in its place, what can be read of it is returned with the problem."""
    try:
        with open(path, "rb", opener=without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Document(problem="it can't be read: it is no file")
            document = _parsed(iter(lambda: file.read(_PIECE), b""))
            if document.problem:
                # Once more, without what makes no XML: bytes of another encoding, control characters.
                file.seek(0)
                document = _parsed(_mended(file))
            return document
    except OSError as error:
        return Document(problem=f"it can't be read: {error.strerror or error}")


def write(suites: Iterable[Suite]) -> Iterator[str]:
    """Yield the text of a document, a case at a time."""
    suites = list(suites)
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f"<testsuites{_numbers([case for suite in suites for case in suite.cases])}>\n"
    for suite in suites:
        yield _suite_start(suite)
        yield from map(case_xml, suite.cases)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def case_xml(case: Case) -> str:
    """Return a case's text."""
    properties = (*case.properties, *([(ATTEMPTS, str(case.attempts))] if case.attempts > 1 else ()))
    inner = [
        _properties_xml(properties),
        *map(_result_xml, case.results),
        *(f"<{tag}>{_text(text)}</{tag}>" for tag, text in case.outputs),
    ]
    named = f'<testcase{attributes(classname=case.classname, name=case.name)} time="{case.seconds:.3f}"'
    return f"{named}>{''.join(inner)}</testcase>\n" if any(inner) else f"{named}/>\n"


def with_attempts(cases: Iterable[Case], attempts: Mapping[Key, int]) -> list[Case]:
    """Return the last attempt at each test that was tried more than once, by `attempts`, which says how often.

    What tries a test again leaves a case for each attempt. Other cases of one name are different tests, and all stay.
    """
    cases = list(cases)
    left = dict(attempts)
    kept = []
    for case in reversed(cases):
        tried = attempts.get(case.key, 1)
        if tried == 1:
            kept.append(case)
        elif left[case.key] == tried:
            kept.append(replace(case, attempts=tried))
        elif left[case.key] <= 0:
            kept.append(case)
        left[case.key] = left.get(case.key, 1) - 1
    return kept[::-1]


def with_late(cases: Iterable[Case], late: Collection[Key]) -> list[Case]:
    """Return cases with each of those keys once: what is told late of a test is a case of its own in its file."""
    kept: list[Case] = []
    places: dict[Key, int] = {}
    for case in cases:
        if case.key not in late or case.key not in places:
            places[case.key] = len(kept)
            kept.append(case)
        else:
            kept[places[case.key]] = kept[places[case.key]].with_more(case)
    return kept


def first_line(text: str | None) -> str:
    """Return a text's first line, of 300 characters at most."""
    return next(iter((text or "").strip().splitlines()), "")[:_LINE_LENGTH]


def xml_text(text: str) -> str:
    """Leave out what XML can't hold: terminal colours and control characters."""
    if text.isascii() and text.isprintable():  # as nearly every name is, of which there are many
        return text
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", plain(text))


class _RefusedError(Exception):
    """A document that is not read any further."""


class _Reader:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self.suites: list[Suite] = []
        self.open_case: str | None = None
        self._path: list[str] = []
        self._attributes: dict[str, str] = {}
        self._result_attributes: dict[str, str] = {}
        self._results: list[Result] = []
        self._properties: list[tuple[str, str]] = []
        self._outputs: list[tuple[str, str]] = []
        self._text: list[str] | None = None
        self._length = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path and tag not in {"testsuites", "testsuite"}:
            msg = f"it is no JUnit document: it begins with <{tag}>"
            raise _RefusedError(msg)
        self._path.append(tag)
        if tag == "testsuite":
            get = attributes.get
            self.suites.append(Suite(get("name", ""), [], get("hostname", ""), get("timestamp", "")))
        elif tag == "testcase":
            self._attributes, self._results, self._properties, self._outputs = attributes, [], [], []
            self.open_case = attributes.get("name", "")
        elif tag == "property" and "name" in attributes:
            item = (attributes["name"], attributes.get("value", ""))
            if self.open_case is not None:
                self._properties.append(item)
            elif self.suites:
                self.suites[-1].properties.append(item)
        elif self.open_case is not None and (tag in _KINDS or tag in _OUTPUTS):
            self._result_attributes, self._text, self._length = attributes, [], 0

    def data(self, text: str) -> None:
        if self._text is None or self._length > _LONGEST_TEXT:
            return
        self._length += len(text)
        self._text.append(text if self._length <= _LONGEST_TEXT else f"{text}\n[what comes after is left out]")

    def end(self, tag: str) -> None:
        self._path.pop()
        if tag == "testcase":
            self._end_case()
        elif self._text is not None and (tag in _KINDS or tag in _OUTPUTS):
            text, self._text = "".join(self._text), None
            if tag in _OUTPUTS:
                self._outputs.append((tag, text))
            else:
                get = self._result_attributes.get
                self._results.append(Result(_KINDS[tag], get("message", ""), text, get("type", "")))

    def _end_case(self) -> None:
        get = self._attributes.get
        tried = [value for name, value in self._properties if name == ATTEMPTS]
        case = Case(
            get("classname", ""),
            get("name", ""),
            seconds(get("time", "")),
            tuple(self._results),
            next(
                (int(value) for value in tried if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS), 1
            ),
            tuple(item for item in self._properties if item[0] != ATTEMPTS),
            tuple(self._outputs),
        )
        if not self.suites:
            self.suites.append(Suite(""))
        self.suites[-1].cases.append(case)
        self.open_case = None


def _parsed(pieces: Iterator[str] | Iterator[bytes]) -> Document:
    parser, reader = expat.ParserCreate(), _Reader()
    parser.buffer_text = True
    parser.buffer_size = _PIECE
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = _refuse_entities
    empty, problem = True, None
    try:
        for piece in pieces:
            empty = empty and not piece.strip()
            parser.Parse(piece, False)  # noqa: FBT003 - it takes no names
        parser.Parse("", True)  # noqa: FBT003 - as above
    except _RefusedError as refusal:
        problem = str(refusal)
    except (expat.ExpatError, ValueError, LookupError) as error:
        within = f", within the case {reader.open_case!r}" if reader.open_case is not None else ""
        problem = "it is empty" if empty else f"it is cut off or broken: {error}{within}"
    return Document(tuple(reader.suites), problem)


def _refuse_entities(*_: object) -> None:
    msg = "it declares entities, as no test's results do"
    raise _RefusedError(msg)


def _mended(file: IO[bytes]) -> Iterator[str]:
    """Yield a document's text with everything replaced that XML can't hold."""
    start = file.read(_PIECE)
    decoder = codecs.getincrementaldecoder(_encoding(start))("replace")
    kept = ""
    for piece in (start, *iter(lambda: file.read(_PIECE), b"")):
        text = kept + decoder.decode(piece)
        # A reference may go on in the next piece.
        at = text.rfind("&", -_LONGEST_REFERENCE)
        text, kept = (text[:at], text[at:]) if at >= 0 and ";" not in text[at:] else (text, "")
        yield _without_what_is_no_xml(text)
    yield _without_what_is_no_xml(kept + decoder.decode(b"", final=True))


def _encoding(start: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    declared = _DECLARED.match(start)
    try:
        name = codecs.lookup(declared[1].decode()).name if declared else "utf-8"
        b"x".decode(name, "replace")  # not a codec such as base64
    except LookupError:
        return "utf-8"
    return name


def _without_what_is_no_xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _REFERENCE.sub(_sound_reference, text))


def _sound_reference(match: re.Match[str]) -> str:
    digits, base = (match[1], 16) if match[1] else (match[2], 10)
    code = int(digits, base) if len(digits) < _LONGEST_REFERENCE else _MOST_CHARACTERS
    sound = code < _MOST_CHARACTERS and not _NOT_XML.match(chr(code))
    return match[0] if sound else "\N{REPLACEMENT CHARACTER}"


def seconds(text: str) -> float:
    """Return a duration, 0 for what is none."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _reason(result: Result) -> str:
    """Return a result's message, and where it came from; of a collection error its own lines."""
    body = plain(result.text).rstrip()
    if result.kind == PROBLEM_KIND:
        return body or result.message
    if result.message == _COLLECTION or not result.message.strip():
        return telling(body) or result.message
    last = body.rpartition("\n")[2]
    place = last if _PLACE.fullmatch(last) and last not in result.message else ""
    return "\n".join(filter(None, (plain(result.message).strip(), place)))


_PLACE: Final = re.compile(r"\S+:\d+: .*")
_TELLING: Final = re.compile(r"E   .*|\S.*:\d+: (?:in )?\S.*")


def telling(traceback: str) -> str:
    """Return the lines of pytest's account that say what was raised and where; all where none does."""
    lines = [line for line in traceback.splitlines() if _TELLING.fullmatch(line)]
    return "\n".join(lines) or traceback.strip()


def _suite_start(suite: Suite) -> str:
    more = {"timestamp": suite.timestamp, "hostname": suite.hostname}
    given = attributes(**{name: value for name, value in more.items() if value})
    head = f"<testsuite{attributes(name=suite.name)}{_numbers(suite.cases)}{given}>"
    return f"{head}{_properties_xml(suite.properties)}\n"


def _numbers(cases: list[Case]) -> str:
    counts = Counts.of(cases)
    return attributes(
        tests=str(counts.total),
        failures=str(counts.failed),
        errors=str(counts.errored),
        skipped=str(counts.skipped),
        time=f"{sum(case.seconds for case in cases):.3f}",
    )


def attributes(**given: str) -> str:
    """Return an element's attributes as they stand behind its name."""
    return "".join(f' {name}="{_attribute(value)}"' for name, value in given.items())


def _properties_xml(properties: Iterable[tuple[str, str]]) -> str:
    inner = "".join(f"<property{attributes(name=name, value=value)}/>" for name, value in properties)
    return f"<properties>{inner}</properties>" if inner else ""


def _result_xml(result: Result) -> str:
    kind = attributes(type=result.kind) if result.kind else ""
    tag = _TAGS[result.outcome]
    return f"<{tag}{kind}{attributes(message=result.message)}>{_text(result.text)}</{tag}>"


def _text(text: str) -> str:
    # What `xml.sax` has for this loads all that speaks HTTP.
    return xml_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attribute(value: str) -> str:
    return _text(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
