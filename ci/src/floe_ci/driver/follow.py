"""Follows the log of every container in a namespace from its start, into files.

Logs are written while the pods live: what a pod said is kept when it is deleted, evicted or restarted.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import urllib3
from kubernetes import client

from floe_ci.driver.pods import statuses
from floe_ci.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class LogFollower:
    """Writes `<folder>/<pod>/<container>.log`; restarts are `<container>.1.log`, pods of the same name `<pod>.1`."""

    def __init__(self, core: client.CoreV1Api, namespace: str, folder: Path, secrets: Iterable[str]) -> None:
        """Prepare; nothing is followed before the first look."""
        self._core = core
        self._namespace = namespace
        self._folder = folder
        self._secrets = tuple(secrets)
        self._threads: dict[tuple[str, str, int], threading.Thread] = {}
        self._ended: set[tuple[str, str, int]] = set()
        self._folders: dict[str, list[str]] = {}

    def look(self, pods: Iterable[client.V1Pod]) -> None:
        """Start to follow each container of `pods` that has begun since the last look."""
        for pod in pods:
            for status in statuses(pod):
                current = status.restart_count
                begun = status.state.running or status.state.terminated
                if current and (pod.metadata.uid, status.name, current - 1) not in self._threads:
                    self._follow(pod, status.name, current - 1, previous=True)
                    self._ended.add((pod.metadata.uid, status.name, current - 1))
                if begun:
                    self._follow(pod, status.name, current, previous=False)
                if status.state.terminated:
                    self._ended.add((pod.metadata.uid, status.name, current))

    def finish(self, timeout: float = 10) -> None:
        """Wait, up to `timeout` seconds each, until the logs of ended containers are written to their end."""
        for key in self._ended:
            self._threads[key].join(timeout)

    def _follow(self, pod: client.V1Pod, container: str, restart: int, *, previous: bool) -> None:
        key = (pod.metadata.uid, container, restart)
        if key in self._threads:
            return
        name = f"{container}.{restart}.log" if restart else f"{container}.log"
        path = self._pod_folder(pod) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        work = partial(self._copy, pod.metadata.name, container, path, previous=previous)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads[key] = thread

    def _pod_folder(self, pod: client.V1Pod) -> Path:
        """Return the folder of one pod: a StatefulSet's next pod has the name of the last, and gets a number."""
        known = self._folders.setdefault(pod.metadata.name, [])
        if pod.metadata.uid not in known:
            known.append(pod.metadata.uid)
        number = known.index(pod.metadata.uid)
        return self._folder / (f"{pod.metadata.name}.{number}" if number else pod.metadata.name)

    def _copy(self, pod: str, container: str, path: Path, *, previous: bool) -> None:
        with path.open("w", encoding="utf-8") as log:
            try:
                response = self._core.read_namespaced_pod_log(
                    pod,
                    self._namespace,
                    container=container,
                    previous=previous,
                    follow=not previous,
                    timestamps=True,
                    _preload_content=False,
                )
                # Whole lines, so that a secret is never cut in two.
                for line in response:
                    log.write(redact(line.decode(errors="replace"), self._secrets))
                    log.flush()
            except (client.ApiException, urllib3.exceptions.HTTPError) as error:
                log.write(f"[the log ends here: {error}]\n")
