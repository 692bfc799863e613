"""Runs the tests as a Job, and gets the results out of its pod while that pod lives."""

from __future__ import annotations

import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from floe_ci import contract
from floe_ci.driver import closer, deploy, pods
from floe_ci.driver.apis import is_passing
from floe_ci.driver.exec import Exec
from floe_ci.driver.fetch import fetch
from floe_ci.driver.poll import persist, wait_until
from floe_ci.ends import Problem
from floe_ci.errors import BrokenError, RunError
from floe_ci.manifests import Document, Manifests
from floe_ci.reporter import REPORTER as PLUGIN

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from kubernetes.client import V1Pod

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec

JOB = "floe-test-runner"
RUNNER = "runner"
"""The container that runs the tests."""
KEEPER = "results"
"""The container that keeps the pod alive until the results are out."""
WIDE = frozenset({"ClusterRole", "ClusterRoleBinding"})
"""The kinds by which the tests may do something outside of their namespace."""
COLLECTED = PurePosixPath(contract.RESULTS_DIR, ".collected")
"""Tells the keeper that it may end."""
EVENTS = PurePosixPath(contract.RESULTS_DIR, ".floe-events.jsonl")
"""What the reporter writes, and the keeper prints."""
REPORTER = "floe-reporter"
"""The ConfigMap that has the reporter, and the volume that it is in the runner by."""
REPORTER_DIR = "/floe-reporter"
KEEP = f"""\
trap : TERM
touch {EVENTS}
tail -c +1 -F {EVENTS} 2> /dev/null &
until [ -e {COLLECTED} ]; do sleep 0.2; done
sleep 0.5
kill $!
"""
"""What the keeper does: it prints what the reporter writes, and outlives the tests until their results are out."""
START = f"""\
export PYTHONPATH={REPORTER_DIR}${{PYTHONPATH:+:$PYTHONPATH}}
limit=$1; shift
exec timeout --kill-after=30 "$limit" pytest "$@"
"""
"""Starts pytest with the reporter on its path, beside what the tier's environment has there."""
TIMED_OUT = 124
"""The exit code that `timeout` gives, for a Job that ran into its deadline."""


def prepare(spec: RunSpec, services: Manifests) -> Manifests:
    """Return the runner's manifests for this run: its image, arguments, environment and deadline."""
    configmaps = services.connection_configmaps(contract.LABEL_CONNECTION)
    sources = [{"configMapRef": {"name": name}} for name in configmaps]
    sources += [{"secretRef": {"name": contract.CREDENTIALS_SECRET}}]
    sources += [{"secretRef": {"name": deploy.ENVIRONMENT_SECRET}}]

    manifests = Manifests.parse(spec.runner, "k8s/runner").with_images(lambda _: spec.runner_image)
    for document in manifests.documents:
        for subject in document.get("subjects", ()):
            # A binding of the whole cluster: kubectl's own namespace does not reach into it.
            subject["namespace"] = spec.namespace
        # Two runs in one cluster would meet in what belongs to no namespace.
        if document["kind"] in WIDE:
            document["metadata"]["name"] += f"-{spec.namespace}"
        if document.get("roleRef", {}).get("kind") in WIDE:
            document["roleRef"]["name"] += f"-{spec.namespace}"
        if document["kind"] != "Job":
            continue
        # The test process ends itself before the deadline of the Job, which has to leave time to collect.
        document["spec"]["activeDeadlineSeconds"] = spec.timeouts.job + 300
        template = document["spec"]["template"]["spec"]
        template["volumes"].append({"name": REPORTER, "configMap": {"name": REPORTER}})
        for container in template["containers"]:
            if container["name"] == KEEPER:
                container["command"] = ["/bin/sh", "-c", KEEP]
            if container["name"] == RUNNER:
                container["command"] = ["sh", "-c", START, "sh", str(spec.timeouts.job)]
                container["args"] = list(spec.pytest_args)
                container["envFrom"] = sources
                container["env"].append({"name": contract.ENV_EVENTS, "value": str(EVENTS)})
                container["volumeMounts"].append({"name": REPORTER, "mountPath": REPORTER_DIR, "readOnly": True})
    return Manifests((reporter(spec), *manifests.documents))


def reporter(spec: RunSpec) -> Document:
    """Return the ConfigMap with the plugin that tells of the tests as they begin and end."""
    metadata: dict[str, Any] = {"name": REPORTER}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {f"{PLUGIN}.py": spec.reporter}}


def wait_for_end(apis: Apis, spec: RunSpec, stop: threading.Event | None = None) -> int:
    """Wait until the test process has ended and return its exit code; the pod lives on, and its results can be had.

    Raises:
        RunError: The pod can't run, was evicted or deleted, or the deadline passed.
    """
    ended: list[int] = []
    seen: list[str] = []

    def observe() -> str | None:
        found = job_pod(apis, spec)
        if found is None:
            if seen:
                msg = f"the Job's pod is gone; it was last seen as {seen[-1]}"
                raise RunError(msg)
            return "the Job has no pod yet"
        seen.append(pods.state(found))
        states = {status.name: status.state for status in found.status.container_statuses or ()}
        if RUNNER in states and (end := states[RUNNER].terminated):
            ended.append(end.exit_code)
            # Tests can be over before the node has started the second container.
            starts = KEEPER in states and states[KEEPER].waiting
            return f"container {KEEPER} has not started" if starts else None
        if killed := pods.killed_for_memory(found):
            raise BrokenError(Problem("memory", killed))
        reason = pods.failure(found)
        if reason or found.status.phase == "Failed":
            msg = f"{reason or pods.state(found)}\n{closer.look(apis, spec.namespace, [found])}"
            raise RunError(msg)
        return pods.state(found)

    def look() -> str:
        found = job_pod(apis, spec)
        return closer.look(apis, spec.namespace, [found] if found else [])

    limit = spec.timeouts.job + spec.timeouts.services
    wait_until("tests", observe, timeout=limit, is_passing=is_passing, look=look, stop=stop)
    return ended[-1]


def job_pod(apis: Apis, spec: RunSpec) -> V1Pod | None:
    """Return the Job's pod, or None while there is none."""
    selector = f"{pods.JOB_NAME}={JOB}"
    found = apis.core.list_namespaced_pod(spec.namespace, label_selector=selector).items
    return found[0] if found else None


def fetch_results(apis: Apis, spec: RunSpec, folder: Path, *, seconds: float) -> tuple[str, ...]:
    """Copy the pod's results into `folder`, then let the pod end; return what was left out, a line each.

    Raises:
        RunError: The pod is gone, or the copy failed.
    """
    found = persist(lambda: job_pod(apis, spec), is_passing, patience=seconds / 2)
    if found is None:
        msg = "the Job's pod is gone, and its results with it"
        raise RunError(msg)
    pod = found.metadata.name
    notes = fetch(
        apis,
        spec.namespace,
        pod,
        KEEPER,
        contract.RESULTS_DIR,
        folder,
        seconds=seconds,
        without=(COLLECTED.name, EVENTS.name),
    )
    try:
        Exec(apis, spec.namespace, pod, KEEPER, ("touch", str(COLLECTED))).run(deadline=time.monotonic() + seconds)
    except RunError as error:
        # The pod lives on until its Job's deadline, and nothing of it is lost.
        return (*notes, f"the pod of the tests could not be told to end: {error}")
    return notes


def end_of(code: int, apis: Apis, spec: RunSpec) -> int:
    """Return the test process's exit code, where the tests came to an end of their own.

    Raises:
        BrokenError: They were killed for the memory that they took, or took too long.
    """
    found = persist(lambda: job_pod(apis, spec), is_passing)
    killed = pods.killed_for_memory(found) if found else None
    if killed:
        raise BrokenError(Problem("memory", killed))
    if code == TIMED_OUT:
        raise BrokenError(Problem("timeout", f"the tests took longer than {spec.timeouts.job} s and were stopped"))
    return code
