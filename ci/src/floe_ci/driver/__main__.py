"""`python -m floe_ci.driver SPEC RESULTS`: one run, from manifests to collected results."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3
from kubernetes import client, config

from floe_ci.driver import deploy, events, job
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.spec import DriverReport, RunSpec
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests
from floe_ci.report import redact
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from collections.abc import Iterable

REPORT = "driver.json"


def drive(spec: RunSpec, results: Path) -> DriverReport:
    """Deploy, wait, run, collect; whatever breaks is in the report, and what there is is collected."""
    apis, timings = deploy.Apis(), Timings()
    secrets: tuple[str, ...] = ()
    exit_code = problem = None
    try:
        services = Manifests.parse(spec.services, "the rendered manifests")
        with timings.step("namespace"):
            deploy.make_namespace(apis.core, spec)
            secrets = deploy.make_secrets(apis.core, spec, services)
        with timings.step("nodes ready"):
            # Before there are pods: they would all be scheduled to the node that happens to be Ready first.
            deploy.wait_for_nodes(apis.core, spec)
        follower = LogFollower(apis.core, spec.namespace, results / "logs", secrets)
        with Watcher(apis, spec, follower):
            with timings.step("apply"):
                deploy.apply(spec, services)
            with timings.step("services ready"):
                deploy.wait_for_services(apis, spec, services)
            if spec.runner:
                with timings.step("tests"):
                    deploy.apply(spec, job.prepare(spec, services))
                    exit_code = job.wait_for_end(apis, spec)
                with timings.step("collect"):
                    problem = job.out_of_memory(apis, spec)
                    job.fetch_results(apis, spec, results)
                    redact_files(results, secrets)
    except (RunError, UserError) as error:
        problem = redact(str(error), secrets)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        problem = redact(f"the cluster's API failed: {error}", secrets)
    (results / "events.txt").write_text(redact(all_events(apis, spec), secrets), encoding="utf-8")
    return DriverReport(exit_code=exit_code, problem=problem, steps=timings.steps)


def redact_files(folder: Path, secrets: Iterable[str]) -> None:
    """Redact what the tests wrote: a connection string is easily part of a failed assertion."""
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode(errors="surrogateescape")
            path.write_bytes(redact(text, secrets).encode(errors="surrogateescape"))


class Watcher:
    """Follows the namespace's logs in the background, from the first pod to the end of the run."""

    def __init__(self, apis: deploy.Apis, spec: RunSpec, follower: LogFollower) -> None:
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


def all_events(apis: deploy.Apis, spec: RunSpec) -> str:
    """Return the events, or why there are none."""
    try:
        return events.listing(apis.core, spec.namespace)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        return f"the events could not be read: {error}\n"


def main(spec_file: str, results_dir: str) -> None:
    """Read the run's specification, drive it, and write the report beside the results."""
    spec = RunSpec.model_validate_json(Path(spec_file).read_text(encoding="utf-8"))
    results = Path(results_dir)
    results.mkdir(parents=True, exist_ok=True)
    config.load_kube_config()
    report = drive(spec, results)
    (results / REPORT).write_text(report.model_dump_json(indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
