"""Watches the pods of a namespace while tests run: one that fails ends every wait at once, with its log and events."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import urllib3
from kubernetes.client import ApiException

from floe_testing.cluster import pods
from floe_testing.contract import LABEL_NAME
from floe_testing.errors import FloeTestingError
from floe_testing.waiting.polling import interruptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubernetes.client import CoreV1Api, V1Pod

LOG_LINES = 30
"""How many lines of a container's log a message shows."""
LOG_ATTEMPTS, LOG_PAUSE = 3, 0.5
"""How often a log is asked for, and the seconds between: while a container is started again, its predecessor moves."""
NO_LOG = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""So begins what the kubelet answers, with a 200, in place of the log of a container that it has removed."""
API_ERRORS = (ApiException, urllib3.exceptions.HTTPError)

_REQUEST_TIMEOUT = 5.0


class PodFailedError(FloeTestingError):
    """A pod of the run's namespace failed, so that there is no use in waiting."""


@dataclass(frozen=True)
class Trouble:
    """A pod's failure, with what could be read of its cause."""

    failure: pods.Failure
    service: str
    """The pod's service; empty where it has no label that says so."""
    controller: str | None
    """Whose pod it is: where it can't recover, another pod of the same controller takes its place."""
    report: str
    over: bool = False
    """The pod is ready again, was replaced, or is gone."""


class PodWatcher:
    """Looks at a namespace's pods in a thread of its own, from entering to leaving its context.

    Waits ask it in their pauses. What had failed before it began is none of its business.
    """

    def __init__(self, core: CoreV1Api, namespace: str, interval: float = 1.0) -> None:
        """Prepare to look each `interval` seconds; the client stays the caller's to close."""
        self._core, self._namespace, self._interval = core, namespace, interval
        self._before: frozenset[pods.Failure] = frozenset()
        self._known: set[pods.Failure] = set()
        # Never changed in place: waits read it while the thread is about a look.
        self._troubles: tuple[Trouble, ...] = ()
        self._expected: list[frozenset[str]] = []
        self._spared: set[str] = set()
        self._turn = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"pods of {namespace}", daemon=True)

    def __enter__(self) -> Self:
        """Take note of what has failed already, and start.

        Raises:
            kubernetes.client.ApiException: The pods may not be listed.
            urllib3.exceptions.HTTPError: The API can't be reached.
        """
        self._before = frozenset(failure for pod in self._list() for failure in pods.failures(pod))
        self._thread.start()
        interruptions.append(self.check)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        interruptions.remove(self.check)
        self._end.set()
        self._thread.join()

    def check(self) -> None:
        """Tell of the pods that failed since the test began, or earlier and are not well again.

        Raises:
            PodFailedError: With each pod's failure, the tail of its log and its events.
        """
        if troubles := self._troubles:
            raise PodFailedError("\n\n".join(each.report for each in troubles))

    def troubles(self, services: Iterable[str] | None = None) -> list[Trouble]:
        """Return the troubles of these services' pods, or all. A pod of `dagster-webserver` is of `dagster` too."""
        wanted = None if services is None else set(services)
        return [
            each for each in self._troubles if wanted is None or {each.service, each.service.partition("-")[0]} & wanted
        ]

    def begin_test(self) -> None:
        """Forget the troubles that are over: they were those of an earlier test."""
        with self._turn:
            self._troubles = tuple(each for each in self._troubles if not each.over)

    @contextmanager
    def expecting(self, *services: str) -> Iterator[None]:
        """Take failures that begin in this block for the test's own doing.

        Args:
            services: The services whose pods may fail, by their label; every pod where none is named.
        """
        expected = frozenset(services)
        with self._turn:
            self._expected.append(expected)
        try:
            yield
        finally:
            # What failed since the thread's last look began in the block as well.
            self.try_look()
            with self._turn:
                self._expected.remove(expected)

    def try_look(self) -> None:
        """Look once. An API that doesn't answer is for those to tell of who need it: the next look may succeed."""
        with suppress(*API_ERRORS), self._turn:
            found = self._list()
            # A pod that is well again may fail in the same way a second time.
            well = {pod.metadata.uid for pod in found if pods.is_ready(pod) and not any(pods.failures(pod))}
            self._known = {each for each in self._known if each.uid not in well}
            noticed = [trouble for pod in found for trouble in self._new_troubles(pod)]
            self._troubles = tuple(replace(each, over=is_over(each, found)) for each in (*self._troubles, *noticed))

    def _new_troubles(self, pod: V1Pod) -> Iterator[Trouble]:
        service = (pod.metadata.labels or {}).get(LABEL_NAME, "")
        in_trouble = {(each.failure.uid, each.failure.container) for each in self._troubles}
        for failure in pods.failures(pod):
            if failure in self._before | self._known:
                continue
            self._known.add(failure)
            if any(not expected or service in expected for expected in self._expected):
                self._spared.add(failure.uid)
            # What follows from a failure that was told is no news: the crash loop after a kill.
            if failure.uid not in self._spared and (failure.uid, failure.container) not in in_trouble:
                in_trouble.add((failure.uid, failure.container))
                yield Trouble(failure, service, controller(pod), self._report(failure, pod))

    def _list(self) -> list[V1Pod]:
        return list(self._core.list_namespaced_pod(self._namespace, _request_timeout=_REQUEST_TIMEOUT).items)

    def _report(self, failure: pods.Failure, pod: V1Pod) -> str:
        parts = [f"{failure} in namespace {self._namespace} ({pods.state(pod)})"]
        if failure.container:
            parts += ["its log ends:", *self._log(failure, pod)]
        parts += ["its events:", *self._events(failure)]
        return "\n".join(parts)

    def _log(self, failure: pods.Failure, pod: V1Pod) -> list[str]:
        """Return the last lines of the container that failed, not of one that was started since."""
        lines = ["  (there is none)"]
        for attempt in range(LOG_ATTEMPTS):
            if attempt:
                self._end.wait(LOG_PAUSE)
                with suppress(*API_ERRORS):
                    pod = self._core.read_namespaced_pod(
                        failure.pod, self._namespace, _request_timeout=_REQUEST_TIMEOUT
                    )
            ended = pods.last_ended(pod, failure.container)
            if ended is None:
                break
            with suppress(*API_ERRORS):
                log = self._read_log(failure, previous=ended == "previous")
                if log and not log.startswith(NO_LOG):
                    return [f"  {line}" for line in log.splitlines()]
                lines = ["  (there is none)" if log else "  (it is empty)"]
        return lines

    def _read_log(self, failure: pods.Failure, *, previous: bool) -> str:
        return str(
            self._core.read_namespaced_pod_log(
                failure.pod,
                self._namespace,
                container=failure.container,
                previous=previous,
                tail_lines=LOG_LINES,
                _request_timeout=_REQUEST_TIMEOUT,
            )
        )

    def _events(self, failure: pods.Failure) -> list[str]:
        try:
            found = self._core.list_namespaced_event(
                self._namespace, field_selector=f"involvedObject.uid={failure.uid}", _request_timeout=_REQUEST_TIMEOUT
            ).items
        except API_ERRORS as error:
            return [f"  (they can't be read: {type(error).__name__})"]
        return [f"  {each.type} {each.reason}: {each.message}" for each in found] or ["  (there are none)"]

    def _watch(self) -> None:
        while not self._end.wait(self._interval):
            self.try_look()


def is_over(trouble: Trouble, found: Iterable[V1Pod]) -> bool:
    """Tell whether a pod that failed is ready again, was replaced by one that is, or is gone."""
    failed = [pod for pod in found if pod.metadata.uid == trouble.failure.uid]
    stand_ins = [pod for pod in found if trouble.controller and controller(pod) == trouble.controller]
    ready = any(pods.is_ready(pod) and not pods.has_ended(pod) for pod in (*failed, *stand_ins))
    return ready or not failed


def controller(pod: V1Pod) -> str | None:
    """Return the uid of the object that makes this pod anew; none where nothing does."""
    return next((str(each.uid) for each in pod.metadata.owner_references or () if each.controller), None)
