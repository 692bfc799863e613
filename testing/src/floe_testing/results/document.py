"""A JUnit document on disk that can be read at every moment, though it grows.

A reader, or the kernel's SIGKILL, may come between any two writes. To rename a new file into place after each test
would write n² bytes; a journal needs somebody who outlives the process to make a document of it, and when a container
ends nobody in it does. So the document has padding, what comes next is written there where it doesn't count, and then
a single byte, which no reader sees half written, makes it count and hides what it replaces:

    <?floe ?>RUNNING<![CDATA[ ················································ ]]><?floe?>
    <?floe ?>RUNNING<![CDATA[ ?>FINISHED<?floe ? ····························· ]]><?floe?>    as text, and now
    <?floe ? RUNNING<![CDATA[ ?>FINISHED<?floe ? ····························· ]]><?floe?>    as an element

No byte but that one changes twice, so a reader who has the beginning from before and the rest from after reads a whole
document too. Where the padding is used up, a new file with twice as much takes the document's place: over a session as
many bytes as the finished document has, times a small constant. Nothing is forced to the disk: what survives is the
death of the process, not that of the machine.

Where the disk has no room, the document stays as it is but for one more byte: behind the padding waits an element
that says so, since what is cut off is not to be taken for the whole.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from floe_testing.unpatched import system

_OPEN: Final = b"<?floe ? "
"""An instruction. Its last byte is the switch: `>` ends it there, a space lets it go on to the next `?>`."""
_HIDE: Final = b"<![CDATA[ "
_CLOSE: Final = b" ]]><?floe?>"
"""What ends either: plain text by its first three characters, an instruction by its last two."""
_LEAST_PADDING: Final = 1 << 18


class LiveDocument:
    """The document: a head, elements that are settled, elements that are shown until others take their place.

    Where the disk is full, it stays as it is, with an element that says so: tests are not to fail for it.
    """

    def __init__(self, path: Path, head: str, tail: str, cut: str = "") -> None:
        """Write the document without an element.

        Args:
            path: Where it is. What is there goes.
            head: What it begins with; open elements end there.
            tail: What closes them.
            cut: XML that stands at the end as soon as nothing more can be written.

        Raises:
            OSError: It can't be written.
        """
        self._path = path
        self._head = _ascii(head)
        self._tail = _OPEN + _ascii(cut) + _HIDE + _CLOSE + _ascii(tail)
        self._settled = bytearray()
        self._shown = b""
        self._file = -1
        self._is_stuck = False
        self._switch = self._next = self._end = self._cut = 0
        self._rewrite()

    def show(self, elements: str) -> None:
        """Let `elements` take the place of those that were shown before.

        Args:
            elements: XML whose text holds no `>`, as `ElementTree.tostring` gives it.
        """
        shown = _ascii(elements)
        if self._shown:
            self._replace(b"", shown)
        elif shown:
            self._shown = shown
            self._write(shown + _HIDE, b">")

    def settle(self, elements: str) -> None:
        """Add `elements` for good, and hide in the same moment those that were shown.

        Args:
            elements: As for `show`.
        """
        settled = _ascii(elements)
        self._settled += settled
        self._replace(settled, b"")

    def update_head(self, head: str) -> None:
        """Write another head over the one there is. A reader may see part of it: only numbers should differ.

        Raises:
            ValueError: It has another length.
        """
        written = _ascii(head)
        if len(written) != len(self._head):
            message = f"a head of {len(self._head)} bytes can't become one of {len(written)}"
            raise ValueError(message)
        self._head = written
        self._put(written, 0)

    def close(self) -> None:
        """Leave the document as it is."""
        system.close(self._file)

    def _replace(self, settled: bytes, shown: bytes) -> None:
        """Let what is settled and what is shown from now on take the place of what was shown, in one moment."""
        end, switch = (b"?>", b" ") if self._shown else (b"", b">")
        self._shown = shown
        hidden = settled + _OPEN + (shown + _HIDE if shown else b"")
        following = self._next + len(end) + len(settled) + len(_OPEN) - 1
        if self._write(hidden, switch, end, opening=following if shown else None):
            self._switch = following

    def _write(self, hidden: bytes, switch: bytes, end: bytes = b"", opening: int | None = None) -> bool:
        """Write into the padding, then turn the switch; where there is no room, rewrite and return False.

        Args:
            hidden: What comes next.
            switch: The byte that makes it count.
            end: What stands before it, to end what the switch lets go on.
            opening: The place of a switch in what is hidden that is on from the beginning. It is turned when all is
                there: a reader who has the beginning from before may see what follows it.
        """
        following = self._next + len(end) + len(hidden)
        if following > self._end:
            self._rewrite()
            return False
        self._put(hidden, self._next + len(end))
        self._put(end, self._next)
        if opening is not None:
            self._put(b">", opening)
        self._put(switch, self._switch)
        self._next = following
        return True

    def _put(self, data: bytes, place: int) -> None:
        if self._is_stuck:
            return
        try:
            system.put(self._file, data, place)
        except OSError:
            self._stay()

    def _rewrite(self) -> None:
        if self._is_stuck:
            return
        begin = self._head + self._settled + _OPEN
        switch = len(begin) - 1
        if self._shown:
            begin = begin[:-1] + b">" + self._shown + _HIDE
        end = len(begin) + max(_LEAST_PADDING, len(begin))
        try:
            self._become(begin.ljust(end) + _CLOSE + self._tail)
        except OSError:
            if self._file < 0:
                raise
            self._stay()
            return
        self._switch, self._next, self._end = switch, len(begin), end
        self._cut = end + len(_CLOSE + _OPEN) - 1

    def _stay(self) -> None:
        """Write no more, and say so. The byte has its place on the disk: it needs no room."""
        self._is_stuck = True
        with suppress(OSError):
            system.put(self._file, b">", self._cut)

    def _become(self, document: bytes) -> None:
        """Put a new file in the document's place."""
        new = beside(self._path)
        file = system.write_file(new, document)
        system.replace(new, self._path)
        if self._file >= 0:
            system.close(self._file)
        self._file = file


def _ascii(text: str) -> bytes:
    # No character is then cut in two where a write is.
    return text.encode("ascii", "xmlcharrefreplace")


def beside(path: Path) -> Path:
    """Return where to write what then takes the place of the file at `path`."""
    return path.with_name(f".{path.name}.new")
