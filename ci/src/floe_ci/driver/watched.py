"""Pods as the cluster tells of them: one watch, however many there are, and nothing is asked where nothing changes."""

from __future__ import annotations

import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

import urllib3
from kubernetes import client, watch

from floe_ci.driver import poll
from floe_ci.driver.apis import explain
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

    from floe_ci.driver.apis import Apis

INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""The annotation by which a Job's pod says which of its parts it has."""
AT_ONCE: Final = 15
"""Seconds after which a watch is begun again: an answer that stays away for longer counts as lost."""
GLANCE: Final = 0.1
"""Seconds between two watches."""
AGAIN: Final = 1.0
"""Seconds before the cluster is asked again that did not answer."""


class WatchedPods:
    """The pods of a namespace that a label selects, as they were seen last; one that is gone stays known as gone."""

    def __init__(
        self,
        apis: Apis,
        namespace: str,
        selector: str = "",
        stop: threading.Event | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        """Prepare; the cluster is not asked yet.

        Args:
            apis: The cluster's.
            namespace: Where they are.
            selector: The label; empty: all.
            stop: Ends it when it is set.
            goes_on: Whether it asks again for ever where the cluster does not tell; as a rule whoever looks is told.
        """
        self._apis, self._namespace, self._selector = apis, namespace, selector
        self._stop, self._goes_on = stop, goes_on
        self._over = threading.Event()
        self._there: dict[str, V1Pod] = {}
        self._gone: set[str] = set()
        self._changed = threading.Condition()
        self._news = True
        self._error: RunError | None = None
        self._version = ""
        self._thread = threading.Thread(target=self._keep_on, daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more; the thread ends with the answer that it waits for."""
        self._over.set()

    def look(self, timeout: float) -> None:
        """Wait for news of the pods, for `timeout` seconds at most.

        Raises:
            RunError: The cluster does not tell of its pods any more.
            Stopped: The run was told to stop.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._news, timeout)
            self._news = False
            if self._stop and self._stop.is_set():
                raise poll.Stopped
            if self._error:
                raise self._error

    def all(self) -> list[V1Pod]:
        """Return those that are there."""
        return list(self._there.values())

    def ask(self) -> None:
        """Ask the cluster now, and once: what it does not tell may be told by the watch still."""
        with suppress(client.ApiException, urllib3.exceptions.HTTPError, ValueError):
            for pod in self._apis.pods(self._namespace, self._selector):
                self._take(pod)

    def is_gone(self, pod: V1Pod) -> bool:
        """Tell whether the cluster has no such pod any more, or is about to have none."""
        return bool(pod.metadata.deletion_timestamp) or pod.metadata.uid in self._gone

    def wake(self) -> None:
        """End the wait of who looks."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def _keep_on(self) -> None:
        try:
            while not self._over.is_set():
                try:
                    self._list()
                    self._watch()
                except RunError as error:
                    if not self._goes_on:
                        self._error = error
                        return
                    self._over.wait(AGAIN)
        except poll.Stopped:
            pass
        finally:
            self.wake()

    def _list(self) -> None:
        try:
            listing = self._apis.ask(
                "pods",
                lambda: self._apis.core.list_namespaced_pod(self._namespace, label_selector=self._selector),
                stop=self._stop,
            )
            version, found = listing.metadata.resource_version, {pod.metadata.uid: pod for pod in listing.items}
        except (AttributeError, TypeError, ValueError) as error:
            msg = f"pods: the answer is no list of them: {error}"
            raise RunError(msg) from error
        left = self._there.keys() - found.keys()
        for pod in found.values():
            self._take(pod)
        for uid in left:
            self._lose(uid)
        self._version = version
        self.wake()

    def _watch(self) -> None:
        """Take what changes, until the cluster has forgotten where that went on, or does not answer."""
        while not self._over.is_set():
            changes = watch.Watch().stream(
                self._apis.core.list_namespaced_pod,
                self._namespace,
                label_selector=self._selector,
                resource_version=self._version,
                timeout_seconds=AT_ONCE,
            )
            try:
                for change in changes:
                    pod = change["object"]
                    self._take(pod)
                    if change["type"] == "DELETED":
                        self._lose(pod.metadata.uid)
                    self._version = pod.metadata.resource_version
                    self.wake()
                self._over.wait(GLANCE)
            except client.ApiException as error:
                if error.status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED} and not self._apis.may_pass(error):
                    msg = f"pods: {explain(error)}"
                    raise RunError(msg) from error
                self._over.wait(0 if error.status == HTTPStatus.GONE else AGAIN)
                return
            except (urllib3.exceptions.HTTPError, ValueError):
                self._over.wait(AGAIN)
                return

    def _take(self, pod: V1Pod) -> None:
        self._there[pod.metadata.uid] = pod

    def _lose(self, uid: str) -> None:
        self._there.pop(uid, None)
        self._gone.add(uid)


class JobPods(WatchedPods):
    """The first pod of each index of one Job."""

    def __init__(self, apis: Apis, namespace: str, selector: str, stop: threading.Event | None = None) -> None:
        """Prepare; the cluster is not asked yet."""
        super().__init__(apis, namespace, selector, stop)
        self._pods: dict[int, V1Pod] = {}
        self._started: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        """Begin to watch, and to hear of what starts."""
        threading.Thread(target=self._hear_of_starts, daemon=True).start()
        return super().__enter__()

    def get(self, index: int) -> V1Pod | None:
        """Return the pod of an index, as it was seen last; None: there has been none."""
        return self._pods.get(index)

    def has_started(self, pod: V1Pod, container: str) -> bool:
        """Tell whether a node has said that it has started a container: it does so up to a second before the status."""
        return (pod.metadata.uid, f"spec.containers{{{container}}}") in self._started

    def _hear_of_starts(self) -> None:
        """Take events, for as long as the cluster tells of them: whoever may not see them goes by the status."""
        with suppress(client.ApiException, urllib3.exceptions.HTTPError, ValueError, AttributeError):
            told = watch.Watch()
            while not self._over.is_set():
                for change in told.stream(
                    self._apis.core.list_namespaced_event,
                    self._namespace,
                    field_selector="involvedObject.kind=Pod,reason=Started",
                    timeout_seconds=AT_ONCE,
                ):
                    about = change["object"].involved_object
                    self._started.add((about.uid, about.field_path))
                    self.wake()
                self._over.wait(GLANCE)

    def _take(self, pod: V1Pod) -> None:
        super()._take(pod)
        index = int((pod.metadata.annotations or {}).get(INDEX, -1))
        known = self._pods.get(index)
        # A cluster that is too old for one pod an index makes a second, for which nobody has an order.
        if index >= 0 and (known is None or known.metadata.uid == pod.metadata.uid):
            self._pods[index] = pod
