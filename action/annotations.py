"""Shows results on GitHub: the failures beside their lines in the change, the summary on the page of the run.

Usage: annotations.py FOLDER [RESULTS...]: where the tests' paths begin, relative to the repository, and the folders
with `junit.xml` and `summary.md`. It needs nothing but Python, and its exit code is 0 whatever the tests' verdict.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

MOST: Final = 10
"""GitHub shows so many errors of one step."""
LONGEST_MESSAGE: Final = 4000
LARGEST_SUMMARY: Final = 1_000_000
"""Bytes: GitHub refuses the page of a step that has more than a mebibyte."""
PLACE: Final = re.compile(r"^([^\s:]+\.py):(\d+): ", re.MULTILINE)
"""A line of pytest's traceback."""


@dataclass(frozen=True)
class Annotation:
    """A failed test: what failed, why, and where, if that is known."""

    title: str
    message: str
    file: str = ""
    line: str = ""

    def __str__(self) -> str:
        """Return the command that GitHub's runner reads from the output."""
        properties = {"file": self.file, "line": self.line, "title": self.title}
        told = ",".join(f"{name}={escaped(value, ':,')}" for name, value in properties.items() if value)
        return f"::error {told}::{escaped(self.message)}"


def main(arguments: Sequence[str]) -> int:
    """Print the annotations of all results, and add their summaries to the page."""
    folder, results = PurePosixPath(arguments[0]), [Path(argument) for argument in arguments[1:]]
    found = [annotation for place in results for annotation in annotations(place / "junit.xml", folder)]
    print(*limited(found), sep="\n", end="\n" if found else "")
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        told = [summary.read_bytes() for place in results if (summary := place / "summary.md").is_file()]
        with Path(page).open("ab") as file:
            file.write(shortened(b"\n\n".join(told)))
    return 0


def annotations(junit: Path, folder: PurePosixPath) -> Iterator[Annotation]:
    """Yield an annotation for each test that failed or could not run; one, if the file can't be read."""
    if not junit.is_file():
        yield Annotation("no results", f"{junit} is not there: what the step before printed says why")
        return
    try:
        cases = list(ET.parse(junit).iter("testcase"))  # noqa: S314 - what the run itself has written
    except ET.ParseError as error:
        yield Annotation("unreadable results", f"{junit}: {error}")
        return
    for case in cases:
        for problem in (*case.iterfind("failure"), *case.iterfind("error")):
            name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
            yield annotation(name, problem.get("message") or "", problem.text or "", folder)


def annotation(name: str, message: str, traceback: str, folder: PurePosixPath) -> Annotation:
    """Return the annotation of one failure: at the first line of the traceback that is in the repository."""
    why = "\n".join(part for part in (message, last_error(traceback)) if part)[:LONGEST_MESSAGE]
    for file, line in PLACE.findall(traceback):
        if not PurePosixPath(file).is_absolute() and ".." not in PurePosixPath(file).parts:
            return Annotation(name, why or name, str(folder / file), line)
    return Annotation(name, why or name)


def last_error(traceback: str) -> str:
    """Return the place where it was raised, as pytest tells it last; where there is none, the last error."""
    lines = [line for line in traceback.splitlines() if PLACE.match(f"{line} ") or line.startswith("E  ")]
    return lines[-1].removeprefix("E").strip() if lines else ""


def limited(found: Sequence[Annotation]) -> list[Annotation]:
    """Return as many annotations as are shown, the last of which says how many there are beside them."""
    if len(found) <= MOST:
        return list(found)
    rest = len(found) - MOST + 1
    return [*found[: MOST - 1], Annotation(f"{rest} more", f"{rest} more tests failed: the summary has them all")]


def shortened(page: bytes) -> bytes:
    """Return a page without what is too much for GitHub, which is said at its end."""
    if len(page) <= LARGEST_SUMMARY:
        return page + b"\n"
    whole = page[:LARGEST_SUMMARY].decode(errors="ignore").rpartition("\n")[0]
    return f"{whole}\n\nThe rest is in `summary.md` among the results.\n".encode()


def escaped(text: str, further: str = "") -> str:
    """Return text as GitHub's runner reads it back; properties may not hold what separates them."""
    return "".join(f"%{ord(sign):02X}" if sign in f"%\r\n{further}" else sign for sign in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
