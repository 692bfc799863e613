"""The standard streams as a command finds them: closed, on a full disk, or of an encoding that lacks characters."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

INPUT, OUTPUT, ERRORS = range(3)


class Lasting(io.FileIO):
    """A stream that a command goes on without once it can't be written: what comes then is dropped."""

    def __init__(self, number: int) -> None:
        """Take the number of a file that is open, and stays so."""
        super().__init__(number, "w", closefd=False)
        self.problem: OSError | None = None
        """The first error; None: all was written."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, and keep the error where that can't be done."""
        if self.problem is None:
            try:
                return self._write(data)
            except OSError as error:
                self.problem = error
        return memoryview(data).nbytes

    def _write(self, data: ReadableBuffer) -> int:
        """Write what goes in at once, when anything does: who shares the stream may have set it not to block."""
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


def guard() -> None:
    """Put streams in the place of standard output and errors that no write to them fails on.

    Where a test has put its own there, they stay.
    """
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return
    # Else the next file that is opened has the number of a stream, and what is told goes into it.
    for number in (INPUT, OUTPUT, ERRORS):
        try:
            os.fstat(number)
        except OSError:  # the file that is opened has the lowest number that is free: this one
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _over(OUTPUT, sys.stdout), _over(ERRORS, sys.stderr)


def exit_code(code: object, program: str, lost: int) -> object:
    """Return the exit code of a command that ended with one, once all that it told is written.

    What standard output did not take is told; a reader that went away has read what it wanted.

    Args:
        code: What it ended with.
        program: What it is a command of.
        lost: What it ends with if it would have ended with 0, and its output is not where it should be.
    """
    if not isinstance(problem := _problem(), OSError) or problem.errno == errno.EPIPE:
        return code
    print(f"{program}: standard output can't be written: {problem.strerror}", file=sys.stderr)  # noqa: T201 - as told
    return code or lost


def _problem() -> OSError | None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.problem if isinstance(raw, Lasting) else None


def _over(number: int, former: TextIO | None) -> TextIO:
    """Return a stream that takes any text: what its encoding has no character for is written as Python escapes it.

    Who has chosen something else for that, such as `PYTHONIOENCODING=latin-1:replace`, has it.
    """
    handler = former.errors if former else None
    return io.TextIOWrapper(
        io.BufferedWriter(Lasting(number)),
        encoding=former.encoding if former else "utf-8",
        errors="backslashreplace" if handler in {None, "strict", "surrogateescape"} else handler,
        line_buffering=number == ERRORS or bool(former and former.isatty()),
    )
