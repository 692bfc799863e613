"""Follows the log of every container in a namespace from its start, line by line, while the pods live.

What a pod said is kept when it is deleted, evicted or restarted. A stream that ends while its container runs (a node's
log is rotated, an API server restarts, a connection is lost) is taken up again where it was.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from floe_ci.driver.container_log import ContainerLog
from floe_ci.driver.pods import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from kubernetes.client import V1ContainerStatus, V1Pod

    from floe_ci.driver.apis import Apis

AT_ONCE: Final = 64
"""Streams that are held open; what further containers say is read every few seconds."""
BRIEF_AT_ONCE: Final = 8
"""Of those that are not held open."""
POURING: Final = 2.0
"""Seconds for which the last lines of a stream that is held open are waited for while it brings some."""


class LogFile(Protocol):
    """Takes the lines of one log."""

    def line(self, text: str) -> None:
        """Take a line, without its end."""

    def close(self) -> None:
        """Take no more."""


class Logs(Protocol):
    """Opens logs by name."""

    def log(self, name: str) -> LogFile:
        """Open `name`, a path relative to the results."""


class LogFollower:
    """Writes `logs/<pod>/<container>.log`; restarts are `<container>.1.log`, pods of the same name `<pod>.1`."""

    def __init__(  # noqa: PLR0913 - whose logs, from when, and where to
        self,
        apis: Apis,
        namespace: str,
        logs: Logs,
        feed: Callable[[str, str], Callable[[str], None] | None] = lambda _pod, _container: None,
        since: datetime | None = None,
        *,
        prefix: str = "",
    ) -> None:
        """Prepare; nothing is followed before the first look.

        Args:
            apis: The cluster's.
            namespace: Whose containers are followed.
            logs: Takes the lines, with the time of each.
            feed: Returns what takes the lines of a pod's container instead, without their times; None: a log does.
            since: What was said before is not read; None: all is.
            prefix: What the names of the pods' folders begin with.
        """
        self._apis, self._namespace = apis, namespace
        self._logs, self._feed, self._prefix = logs, feed, prefix
        self._since = since.strftime("%Y-%m-%dT%H:%M:%SZ") if since else ""
        self._followed: dict[tuple[str, str, int], ContainerLog] = {}
        self._numbers: dict[str, list[str]] = {}
        self._changed = threading.Condition()

    def look(self, pods: Iterable[V1Pod]) -> None:
        """Follow each container of `pods` that has begun since the last look, and take up each log that broke off."""
        with self._changed:
            there = set()
            for pod in pods:
                there.add(pod.metadata.uid)
                for status in statuses(pod):
                    self._note(pod, status)
            for (uid, _, _), log in self._followed.items():
                log.is_gone = log.is_gone or uid not in there
            self._take_up([log for log in self._followed.values() if log.is_due()])

    def finish(self, timeout: float = 10) -> None:
        """Read each log to where it is, for up to `timeout` seconds in all; afterwards no line is written any more."""
        begun = time.monotonic()
        with self._changed:
            for log in self._followed.values():
                log.is_last_time, log.read_again_at = True, 0.0
            while (left := timeout - (gone := time.monotonic() - begun)) > 0:
                open_ = [log for log in self._followed.values() if log.is_unfinished(may_pour=gone < POURING)]
                if not open_:
                    break
                self._take_up([log for log in open_ if log.is_due()])
                self._changed.wait(min(left, 0.1))
        for log in self._followed.values():
            log.close()

    def _note(self, pod: V1Pod, status: V1ContainerStatus) -> None:
        """Note what became of a container and of the one before it."""
        current = status.restart_count or 0
        for (uid, name, restart), log in self._followed.items():
            if (uid, name) == (pod.metadata.uid, status.name) and restart < current - 1:
                log.is_gone = True
        if current:
            before = self._log(pod, status.name, current - 1)
            before.has_ended = before.is_previous = True
        if status.state.running or status.state.terminated:
            self._log(pod, status.name, current).has_ended = status.state.terminated is not None

    def _log(self, pod: V1Pod, container: str, restart: int) -> ContainerLog:
        key = (pod.metadata.uid, container, restart)
        if key not in self._followed:
            take, close = self._taker(pod, container, restart)
            path = f"/api/v1/namespaces/{self._namespace}/pods/{pod.metadata.name}/log"
            log = ContainerLog(self._apis.api_client, path, container, take, close, self._since)
            log.is_waited_for = self._feed(pod.metadata.name, container) is not None
            self._followed[key] = log
        return self._followed[key]

    def _taker(self, pod: V1Pod, container: str, restart: int) -> tuple[Callable[[str, str], None], Callable[[], None]]:
        """Return what takes the time and the text of each line, and what is called after the last."""
        if feed := self._feed(pod.metadata.name, container):
            return lambda _, text: feed(text), lambda: None
        known = self._numbers.setdefault(pod.metadata.name, [])
        if pod.metadata.uid not in known:
            known.append(pod.metadata.uid)
        # A StatefulSet's next pod has the name of the last, and gets a number.
        number = known.index(pod.metadata.uid)
        folder = f"{self._prefix}{pod.metadata.name}{f'.{number}' if number else ''}"
        name = f"{container}.{restart}.log" if restart else f"{container}.log"
        file = self._logs.log(f"logs/{folder}/{name}")
        return lambda stamp, text: file.line(f"{stamp} {text}" if stamp else text), file.close

    def _take_up(self, logs: Iterable[ContainerLog]) -> None:
        """Read these logs, as many as may be read at once: those that somebody goes by, then those that waited longest.

        A stream is kept for each of the former.
        """
        busy = [log for log in self._followed.values() if log.is_busy]
        held = sum(log.is_held_open for log in busy)
        brief = len(busy) - held
        kept = [log for log in self._followed.values() if log.is_waited_for and not log.has_ended and not log.is_busy]
        for log in sorted(logs, key=lambda log: (not log.is_waited_for, log.read_again_at)):
            room = AT_ONCE if log.is_waited_for else AT_ONCE - sum(not each.is_busy for each in kept)
            hold = not log.has_ended and not log.is_last_time and held < room
            if not hold and brief >= BRIEF_AT_ONCE:
                continue
            held, brief = held + hold, brief + (not hold)
            log.begin(hold=hold)
            threading.Thread(target=partial(self._read, log), daemon=True).start()

    def _read(self, log: ContainerLog) -> None:
        try:
            log.read()
        finally:
            with self._changed:
                log.is_busy = False
                self._changed.notify_all()
