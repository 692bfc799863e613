"""Follows the log of every container in a namespace from its start, into the results.

Logs are written while the pods live: what a pod said is kept when it is deleted, evicted or restarted. A stream that
ends before its container is taken up again where it was.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import urllib3
from kubernetes import client

from floe_ci.driver.apis import CONNECTING, told
from floe_ci.driver.pods import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from floe_ci.driver.apis import Apis

    Take = Callable[[str], None]

SILENCE: Final = 60.0
"""Seconds after which a stream that says nothing is asked anew: it may be dead."""
AGAIN: Final = 0.5
"""Seconds before a stream that ended is taken up again."""
PATIENCE: Final = 120.0
"""Seconds for which a log may be unreadable before it is given up."""
LONGEST: Final = 1 << 20
"""Bytes of a line; what is longer is cut into lines of that."""


class Log(Protocol):
    """Takes the lines of a log."""

    def line(self, text: str) -> None:
        """Take a line."""

    def close(self) -> None:
        """Take that it has ended."""


class LogFollower:
    """Writes `<pod>/<container>.log`; restarts are `<container>.1.log`, pods of the same name `<pod>.1`."""

    def __init__(
        self,
        apis: Apis,
        namespace: str,
        log: Callable[[str], Log],
        feed: Callable[[client.V1Pod, str], Take | None] = lambda *_: None,
    ) -> None:
        """Prepare; nothing is followed before the first look.

        Args:
            apis: The cluster.
            namespace: Where the pods are.
            log: Opens a log by its name.
            feed: Takes a pod and the name of a container; where it returns a function, that gets the lines.
        """
        self._apis, self._namespace, self._log, self._feed = apis, namespace, log, feed
        self._threads: dict[tuple[str, str, int], threading.Thread] = {}
        self._ended: set[tuple[str, str, int]] = set()
        self._folders: dict[str, list[str]] = {}
        self._over = threading.Event()

    def look(self, pods: Iterable[client.V1Pod]) -> None:
        """Start to follow each container of `pods` that has begun since the last look."""
        for pod in pods:
            for status in statuses(pod):
                current = status.restart_count
                begun = status.state.running or status.state.terminated
                if current and (pod.metadata.uid, status.name, current - 1) not in self._threads:
                    self._follow(pod, status.name, current - 1, previous=True)
                if current:
                    self._ended.add((pod.metadata.uid, status.name, current - 1))
                if begun:
                    self._follow(pod, status.name, current, previous=False)
                if status.state.terminated:
                    self._ended.add((pod.metadata.uid, status.name, current))

    def finish(self, timeout: float = 10) -> None:
        """Wait, up to `timeout` seconds in all, until the logs of ended containers are written to their end."""
        deadline = time.monotonic() + timeout
        for key in self._ended & self._threads.keys():
            self._threads[key].join(max(0.0, deadline - time.monotonic()))
        self._over.set()

    def _follow(self, pod: client.V1Pod, container: str, restart: int, *, previous: bool) -> None:
        key = (pod.metadata.uid, container, restart)
        if key in self._threads:
            return
        name = f"{container}.{restart}.log" if restart else f"{container}.log"
        work = partial(self._copy, key, pod, f"{self._pod_folder(pod)}/{name}", previous=previous)
        thread = threading.Thread(target=work, daemon=True)
        self._threads[key] = thread
        thread.start()

    def _pod_folder(self, pod: client.V1Pod) -> str:
        """Return the folder of one pod: a StatefulSet's next pod has the name of the last, and gets a number."""
        known = self._folders.setdefault(pod.metadata.name, [])
        if pod.metadata.uid not in known:
            known.append(pod.metadata.uid)
        number = known.index(pod.metadata.uid)
        return f"{pod.metadata.name}.{number}" if number else str(pod.metadata.name)

    def _copy(self, key: tuple[str, str, int], pod: client.V1Pod, name: str, *, previous: bool) -> None:
        container = key[1]
        fed, log = self._feed(pod, container), None
        if fed is None:
            log = self._log(name)
        take: Take = log.line if log else lambda line: fed(line.partition(" ")[2]) if fed else None
        place, answered = Place(take), time.monotonic()
        try:
            while not self._over.is_set():
                was_over = previous or key in self._ended
                try:
                    for line in self._lines(pod.metadata.name, container, place.resume(), previous=previous):
                        answered = time.monotonic()
                        place.take(line)
                    answered = time.monotonic()
                    if was_over:
                        return  # it had ended before this was asked for
                except (client.ApiException, urllib3.exceptions.HTTPError, OSError) as error:
                    gone = isinstance(error, client.ApiException) and 400 <= (error.status or 0) < 500  # noqa: PLR2004 - refused
                    silent = isinstance(error, urllib3.exceptions.ReadTimeoutError)
                    if gone or (not silent and time.monotonic() - answered > PATIENCE):
                        if not (gone and place.since):
                            take(f"[the log ends here: {told(error)}]")
                        return
                self._over.wait(AGAIN)
        finally:
            if log:
                log.close()

    def _lines(self, pod: str, container: str, since: str, *, previous: bool) -> Iterator[str]:
        query = [("container", container), ("timestamps", "true"), ("previous" if previous else "follow", "true")]
        if since:
            query.append(("sinceTime", since))
        response = self._apis.client.call_api(
            f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log",
            "GET",
            query_params=query,
            header_params={"Accept": "*/*"},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=(CONNECTING, SILENCE),
        )
        try:
            rest = b""
            for chunk in response.stream(amt=None):
                *lines, rest = (rest + chunk).split(b"\n")
                while len(rest) > LONGEST:
                    lines, rest = [*lines, rest[:LONGEST]], rest[LONGEST:]
                for line in lines:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")
        finally:
            response.close()


class Place:
    """How far a log has been read: the API takes it up by the second, so that lines come twice."""

    def __init__(self, take: Take) -> None:
        """Begin at the start."""
        self.since = ""
        """The time of the last line, as the API gives it."""
        self._take = take
        self._at: list[str] = []
        self._again: list[str] = []

    def resume(self) -> str:
        """Return since when the log is to be asked for; what comes again then is not handed on again."""
        self._again = list(self._at)
        return self.since

    def take(self, line: str) -> None:
        """Hand a line on, with its time, unless it has been."""
        when, _, said = line.partition(" ")
        if when < self.since and len(when) == len(self.since):
            return
        if when == self.since and said in self._again:
            self._again.remove(said)
            return
        self._at = [*self._at, said] if when == self.since else [said]
        self.since = when
        self._take(line)
