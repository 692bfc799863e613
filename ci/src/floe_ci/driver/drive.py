"""The story of one run on a cluster that is there."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import urllib3
from kubernetes import client

from floe_ci.driver import deploy, events, job
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.nodes import wait_for_nodes
from floe_ci.driver.ready import wait_for_services
from floe_ci.driver.spec import DriverReport
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests
from floe_ci.redaction import redact, redact_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.steps import Timings


def drive(apis: Apis, spec: RunSpec, results: Path, timings: Timings) -> DriverReport:
    """Deploy, wait, run, collect; whatever breaks is in the report, and what there is is collected."""
    secrets: list[str] = []
    exit_code = problem = None

    @contextmanager
    def step(name: str) -> Iterator[None]:
        """Time a step; what it fails with is written down, and so may hold no password."""
        with timings.step(name):
            try:
                yield
            except (RunError, UserError) as error:
                raise type(error)(redact(str(error), secrets)) from error
            except (client.ApiException, urllib3.exceptions.HTTPError) as error:
                msg = redact(f"the cluster's API failed: {error}", secrets)
                raise RunError(msg) from error

    try:
        services = Manifests.parse(spec.services, "the rendered manifests")
        with step("namespace"):
            deploy.make_namespace(apis.core, spec)
            secrets += deploy.make_secrets(apis.core, spec, services)
        with step("nodes ready"):
            # Before there are pods: they would all be scheduled to the node that happens to be Ready first.
            wait_for_nodes(apis, spec)
        follower = LogFollower(apis.core, spec.namespace, results / "logs", secrets)
        with Watcher(apis, spec, follower):
            with step("apply"):
                deploy.apply(apis, spec, services)
            with step("services ready"):
                wait_for_services(apis, spec, services)
            if spec.runner:
                with step("tests"):
                    deploy.apply(apis, spec, job.prepare(spec, services))
                    exit_code = job.wait_for_end(apis, spec)
                with step("collect"):
                    problem = job.out_of_memory(apis, spec)
                    job.fetch_results(apis, spec, results)
                    redact_files(results, secrets)
    except (RunError, UserError) as error:
        problem = str(error)
    (results / "events.txt").write_text(redact(all_events(apis, spec), secrets), encoding="utf-8")
    return DriverReport(exit_code=exit_code, problem=problem, steps=timings.steps)


class Watcher:
    """Follows the namespace's logs in the background, from the first pod to the end of the run."""

    def __init__(self, apis: Apis, spec: RunSpec, follower: LogFollower) -> None:
        """Prepare; nothing runs yet."""
        self._apis, self._spec, self._follower = apis, spec, follower
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        """Start."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Look a last time and let the logs be written to their end."""
        self._over.set()
        self._thread.join()
        self._follower.finish()

    def _watch(self) -> None:
        while True:
            last = self._over.wait(timeout=0.5)
            try:
                self._follower.look(self._apis.core.list_namespaced_pod(self._spec.namespace).items)
            except (client.ApiException, urllib3.exceptions.HTTPError) as error:
                # The next look may succeed; the run itself notices a cluster that is gone.
                sys.stderr.write(f"logs: {error}\n")
            if last:
                return


def all_events(apis: Apis, spec: RunSpec) -> str:
    """Return the events, or why there are none."""
    try:
        return events.listing(apis.core, spec.namespace)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        return f"the events could not be read: {error}\n"
