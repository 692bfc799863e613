"""What the running test has printed and logged so far, read while it runs."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

import pytest

from floe_testing.unpatched import clock, system

Output = dict[str, str]
"""By stream: `stdout`, `stderr` and `log`."""

MOST: Final = 1 << 16
"""Bytes that are kept of a stream, the last ones."""
INTERVAL: Final = 0.5
"""Seconds between two looks."""

_LONGEST_END: Final = 1.0
"""Seconds in which a thread ends that has nothing left to do."""
_STREAMS: Final = {"stdout": "out", "stderr": "err"}


class RunningOutput:
    """Reads what pytest captures, and leaves it there.

    pytest has no public way to look at it. What can't be found, in another version of pytest or with `--capture=no`, is
    empty; what a test itself captures with `capsys` is its own.
    """

    def __init__(self, plugins: pytest.PytestPluginManager) -> None:
        """Read by way of pytest's plugins for capturing and logging."""
        self._plugins = plugins
        self.item: pytest.Item | None = None

    def read(self) -> Output:
        """Return the output of the current test, of all its phases; nothing where tests run in another process."""
        if self.item is None:
            return {}
        parts: dict[str, list[str]] = {"stdout": [], "stderr": [], "log": []}
        for _, stream, content in list(getattr(self.item, "_report_sections", ())):
            parts.setdefault(stream, []).append(content)
        capturing = getattr(self._plugins.getplugin("capturemanager"), "_global_capturing", None)
        for stream, name in _STREAMS.items():
            parts[stream].append(_peek(getattr(getattr(capturing, name, None), "tmpfile", None)))
        with suppress(AttributeError, ValueError):
            parts["log"].append(self._plugins.getplugin("logging-plugin").report_handler.stream.getvalue())
        return {stream: _last("".join(texts)) for stream, texts in parts.items()}


class Watch:
    """Calls a function every half second, in a thread that is not there while the process forks.

    A process that forks with a second thread is warned by Python, and rightly: tests that fork shall not notice.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        """Take the function; nothing runs yet."""
        self._look = look
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="floe-results", daemon=True)
        self._thread.start()
        _watches.add(self)

    def stop(self) -> None:
        """Look no more; the thread has ended when this returns."""
        _watches.discard(self)
        self._ended.set()
        if self._thread:
            self._thread.join()
            _wait_for_end(Path(f"/proc/self/task/{self._thread.native_id}"))

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._look()


_watches: WeakSet[Watch] = WeakSet()
_stopped: list[Watch] = []


def _wait_for_end(task: Path) -> None:
    # Before Python 3.13, `join` returns a moment before the kernel's thread is gone.
    deadline = clock.perf_counter() + _LONGEST_END
    while task.exists() and clock.perf_counter() < deadline:
        os.sched_yield()


def _before_fork() -> None:
    _stopped.extend(_watches)
    for watch in _stopped:
        watch.stop()


def _after_fork_in_parent() -> None:
    while _stopped:
        _stopped.pop().start()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_stopped.clear)


def _peek(file: Any) -> str:  # noqa: ANN401 - one of pytest's, or none
    with suppress(AttributeError, OSError, ValueError):
        if hasattr(file, "getvalue"):
            return str(file.getvalue())
        # Neither moves the file's place nor waits for its lock.
        descriptor = file.fileno()
        size = system.fstat(descriptor).st_size
        return system.pread(descriptor, MOST, max(0, size - MOST)).decode("utf-8", "replace")
    return ""


def _last(text: str) -> str:
    return text if len(text) <= MOST else f"… {len(text) - MOST} characters before\n{text[-MOST:]}"
