"""One run on a cluster that is there: what it makes, waits for, runs and collects."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci.driver import deploy, events, job
from floe_ci.driver.apis import API_ERRORS, is_passing, told
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.nodes import wait_for_nodes
from floe_ci.driver.pods import JOB_NAME
from floe_ci.driver.poll import persist
from floe_ci.driver.ready import wait_for_services
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes import client

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.run import Run

COLLECTING: Final = 540.0
HURRY: Final = 2.5
"""Seconds that the results may take out of their pod, and where the run was interrupted."""
LOOKING: Final = 0.5
"""Seconds between two looks at the namespace's pods."""


class ClusterRun:
    """A run's part in a cluster; each of its methods blocks, and ends early when the run is interrupted."""

    def __init__(self, apis: Apis, spec: RunSpec, run: Run, claim: Callable[[], None] | None = None) -> None:
        """Prepare; nothing is made yet.

        Args:
            apis: The cluster.
            spec: What is to be done in it.
            run: Takes the steps, the logs and the tests' events.
            claim: Makes the namespace; None: it is made unless it is there.
        """
        self._apis, self._spec, self._run = apis, spec, run
        self._claim = claim or (lambda: deploy.make_namespace(apis.core, spec))
        self._stop = run.interrupts.stop
        self._services = Manifests.parse(spec.services, "the rendered manifests")
        self._watcher = Watcher(apis, spec.namespace, LogFollower(apis, spec.namespace, run.folder.log, self._feed))

    def prepare(self) -> None:
        """Make the namespace and its secrets, wait for the nodes, and begin to follow the logs.

        Raises:
            RunError: The cluster refuses, or the nodes don't come.
        """
        with self._step("namespace"):
            self._claim()
            passwords = persist(lambda: deploy.make_secrets(self._apis.core, self._spec, self._services), is_passing)
            self._run.folder.redactor.add(passwords)
        with self._step("nodes ready"):
            # Before there are pods: they would all be scheduled to the node that happens to be Ready first.
            wait_for_nodes(self._apis, self._spec, self._stop)
        self._watcher.start()

    def services(self) -> None:
        """Apply the services, and wait until they truly are ready.

        Raises:
            RunError: The cluster refuses one, or one doesn't become ready.
        """
        with self._step("apply"):
            deploy.apply(self._apis, self._spec, self._services)
        with self._step("services ready"):
            wait_for_services(self._apis, self._spec, self._services, self._stop)

    def tests(self) -> int:
        """Run the tests as a Job, and return pytest's exit code.

        Raises:
            RunError: The Job's pod can't run, or is gone.
            BrokenError: The tests took too long, or too much memory.
        """
        with self._step("tests"):
            deploy.apply(self._apis, self._spec, job.prepare(self._spec, self._services))
            return job.end_of(job.wait_for_end(self._apis, self._spec, self._stop), self._apis, self._spec)

    def collect(self) -> tuple[str, ...]:
        """Gather what the tests left and what the cluster says, whatever happened before; return notes.

        Raises:
            RunError: The results could not be had; everything else is there.
        """
        hurry = self._run.interrupts.signal is not None
        with self._run.timings.step("collect"):
            if not self._watcher.started:
                return ()
            try:
                return self._fetched(HURRY if hurry else COLLECTING)
            finally:
                self._run.folder.write("events.txt", self._events(HURRY if hurry else 30))
                self._watcher.end(HURRY / 2 if hurry else 20)

    def close(self) -> None:
        """Follow nothing any more."""
        self._watcher.end(0)

    def _fetched(self, seconds: float) -> tuple[str, ...]:
        if not self._spec.runner or not self._job_began():
            return ()
        with TemporaryDirectory(prefix="floe-ci-") as private:
            raw = Path(private) / "raw"
            try:
                notes = job.fetch_results(self._apis, self._spec, raw, seconds=seconds)
            finally:
                left_out = self._run.folder.gather(raw) if raw.exists() else ()
            return (*notes, *left_out)

    def _job_began(self) -> bool:
        try:
            return job.job_pod(self._apis, self._spec) is not None
        except API_ERRORS:
            return True  # it is not known, and to ask for its results says why

    def _events(self, patience: float) -> str:
        try:
            return persist(lambda: events.listing(self._apis.core, self._spec.namespace), is_passing, patience)
        except API_ERRORS as error:
            return f"the events could not be read: {told(error)}\n"

    def _feed(self, pod: client.V1Pod, container: str) -> Callable[[str], None] | None:
        is_keeper = container == job.KEEPER and (pod.metadata.labels or {}).get(JOB_NAME) == job.JOB
        return self._run.live.feed if is_keeper else None

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Time a step; a failure of the API is told as what it is."""
        with self._run.timings.step(name):
            try:
                yield
            except API_ERRORS as error:
                msg = f"the cluster's API failed: {told(error)}"
                raise RunError(msg) from error


class Watcher:
    """Follows the namespace's logs in the background, from the first pod to the end of the run."""

    def __init__(self, apis: Apis, namespace: str, follower: LogFollower) -> None:
        """Prepare; nothing runs yet."""
        self.started = False
        self._apis, self._namespace, self._follower = apis, namespace, follower
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.started = True
        self._thread.start()

    def end(self, seconds: float) -> None:
        """Look a last time and let the logs be written to their end, for some seconds at most."""
        if self.started and not self._over.is_set():
            self._over.set()
            self._thread.join(seconds)
            self._follower.finish(seconds)

    def _watch(self) -> None:
        last = False
        while not last:
            last = self._over.wait(LOOKING)
            try:
                self._follower.look(self._apis.core.list_namespaced_pod(self._namespace).items)
            except API_ERRORS:
                continue  # the next look may succeed; the run itself notices a cluster that is gone
