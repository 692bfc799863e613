"""The log of one container: read from its start to its end, in one stream or in several."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import urllib3
from kubernetes import client

from floe_ci.driver.apis import TIME_LIMIT, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PAUSE: Final = 5.0
"""Seconds until a log that is not held open is read again."""
AGAIN: Final = 1.0
"""Seconds until one that could not be read is."""
SETTLED: Final = 1.0
"""Seconds after which a stream that is held open has given what there was,"""
SILENT: Final = 0.2
"""where no line has come for so long."""
QUIET: Final = 60
"""Seconds without a line after which a stream is opened anew: its connection may be dead."""
PIECE: Final = 64 * 1024
LONGEST: Final = 1024 * 1024
"""Bytes of one line that are kept."""
REMEMBERED: Final = 100_000
"""Lines of one second that are told apart when a stream is taken up again."""
STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
GONE: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
"""How the API refuses the log of a container that isn't there any more."""


class ContainerLog:
    """What one container says, from one start of it to its end.

    One thread at a time reads; whoever starts it says what is known of the container, and asks what is to be done.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one place makes them
        self,
        api_client: client.ApiClient,
        path: str,
        container: str,
        take: Callable[[str, str], None],
        close: Callable[[], None],
        since: str = "",
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            api_client: The cluster's.
            path: Of the pod's log in the API.
            container: Its name.
            take: Takes the time of a line as the node has it, which may be empty, and its text.
            close: Is called once, after the last line.
            since: The second to begin at, in UTC as RFC 3339 text; empty: the log's first.
        """
        self._client, self._path, self._container = api_client, path, container
        self._take, self._close = take, close
        self._lock = threading.Lock()
        self._is_closed = False
        self._position = Position(since)
        self._rest = b""
        self._response: urllib3.BaseHTTPResponse | None = None
        self._begun_at = self._given_at = 0.0
        self.read_again_at = 0.0
        """The earliest time, of `time.monotonic`, to read on."""
        self.is_busy = self.is_held_open = False
        self.is_complete = False
        """Whether nothing more will come."""
        self.has_ended = self.is_previous = self.is_gone = False
        """Whether the container has ended, was started again since, and isn't there any more."""
        self.is_waited_for = False
        """Whether somebody goes by what it says, so that it should be read as it is written."""
        self.is_last_time = False
        """Whether it is only to be read to where it is."""

    def is_due(self) -> bool:
        """Tell whether it is to be read now."""
        if self.is_gone and not self.is_busy and not self.is_complete:
            self.close()
        return not (self.is_complete or self.is_busy) and time.monotonic() >= self.read_again_at

    def is_unfinished(self, *, may_pour: bool) -> bool:
        """Tell whether there may be more to read before the last time is over; `may_pour`: while lines keep coming."""
        is_followed = self.is_busy and self.is_held_open and not self.has_ended
        now = time.monotonic()
        is_pouring = may_pour and now - self._given_at < SILENT
        is_settled = now - self._begun_at >= SETTLED and not is_pouring
        return not self.is_complete and not (is_followed and is_settled)

    def begin(self, *, hold: bool) -> None:
        """Note that it is read from now on; with `hold`, for as long as the container runs."""
        self.is_busy, self.is_held_open, self._begun_at = True, hold, time.monotonic()

    def read(self) -> None:
        """Read on from where it was; whatever happens, what was read stays and is not read twice."""
        is_final = self.is_last_time or (self.has_ended and not self.is_held_open)
        pause = 0.0 if self.is_held_open else PAUSE
        try:
            self._copy()
        except client.ApiException as error:
            if is_final and error.status in GONE:
                self._give("", f"[the log ends here: {explain(error)}]")
            else:
                is_final, pause = False, AGAIN
        except (urllib3.exceptions.HTTPError, OSError):
            is_final, pause = False, AGAIN
        if is_final:
            self.close()
        self.read_again_at = time.monotonic() + pause

    def close(self) -> None:
        """Give out what is left of the last line, and nothing more."""
        if self._rest:
            self._give(*split(self._rest)[:2])
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = self.is_complete = True
            self._close()
        with suppress(AttributeError, RuntimeError, ValueError, OSError):
            # Wakes the thread that reads, which then ends.
            self._response.shutdown()  # type: ignore[union-attr]  # as above

    def _copy(self) -> None:
        query: list[tuple[str, Any]] = [
            ("container", self._container),
            ("timestamps", "true"),
            ("follow", "true" if self.is_held_open else "false"),
            ("previous", "true" if self.is_previous else "false"),
        ]
        if self._position.second:
            query.append(("sinceTime", self._position.second))
        resumed = self._position.resumed()
        self._response = self._client.call_api(
            self._path,
            "GET",
            query_params=query,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=(TIME_LIMIT[0], QUIET) if self.is_held_open else TIME_LIMIT,
        )
        try:
            self._rest = b""
            for line, is_whole in lines(self._response.stream(PIECE)):
                if not is_whole:
                    self._rest = line
                    break
                stamp, text, second = split(line)
                if not resumed.is_known(stamp, second, line):
                    self._position.pass_by(stamp, second, line)
                    self._give(stamp, text)
        finally:
            # Not back to the others: it may have been left in the middle.
            self._response.close()

    def _give(self, stamp: str, text: str) -> None:
        self._given_at = time.monotonic()
        with self._lock:
            if not self._is_closed:
                self._take(stamp, text)


class Position:
    """Where in a log a reader is: the API goes back to a second, and what was read of that second is known."""

    def __init__(self, second: str = "", until: str = "", known: Counter[int] | None = None) -> None:
        """Begin at the start of the log, or as is given."""
        self.second = second
        """The second of the latest line, as RFC 3339 text; empty: none came."""
        self._until = until
        self._known = known or Counter()

    def pass_by(self, stamp: str, second: str, line: bytes) -> None:
        """Note a line that was read."""
        if second > self.second:
            self.second, self._until = second, ""
            self._known.clear()
        if second == self.second:
            self._known[hash(line)] += 1
        if len(self._known) > REMEMBERED:
            self._until = stamp
            self._known.clear()

    def resumed(self) -> Position:
        """Return what knows the lines that come a second time."""
        return Position(self.second, self._until, self._known.copy())

    def is_known(self, stamp: str, second: str, line: bytes) -> bool:
        """Tell whether a line comes a second time, once for each time that it came before."""
        if not second or second > self.second:
            return False
        if second < self.second or stamp <= self._until:
            return True
        key = hash(line)
        if not self._known[key]:
            return False
        self._known[key] -= 1
        return True


def lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each line of a stream without its end, and whether it is whole; of a long one its first part."""
    line, left_out = bytearray(), 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for each in whole:
            left_out += append(line, each)
            yield shortened(line, left_out), True
            line, left_out = bytearray(), 0
        left_out += append(line, rest)
    if line:
        yield shortened(line, left_out), False


def append(line: bytearray, piece: bytes) -> int:
    """Add to a line what it may hold, and return how much was left out."""
    room = LONGEST - len(line)
    line += piece[:room]
    return max(0, len(piece) - room)


def shortened(line: bytearray, left_out: int) -> bytes:
    """Return a line, cut between two words where it is too long: half a password would not be recognised."""
    if not left_out:
        return bytes(line)
    kept = line.rpartition(b" ")[0]
    return bytes(kept) + b" [%d bytes of this line are left out]" % (len(line) - len(kept) + left_out)


def split(line: bytes) -> tuple[str, str, str]:
    """Return a line's time, its text, and the second that it is of; empty where the node gave no time."""
    stamp, _, text = line.partition(b" ")
    if not (match := STAMP.fullmatch(stamp)):
        return "", line.decode(errors="replace"), ""
    second = (match[1] + match[2]).decode()
    return stamp.decode(), text.decode(errors="replace"), second
