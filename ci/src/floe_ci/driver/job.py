"""Runs the tests as a Job, and gets the results out of its pod while that pod lives."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from floe_ci import contract
from floe_ci.driver import closer, deploy, pods
from floe_ci.driver.apis import is_passing
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
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
COLLECTED = f"{contract.RESULTS_DIR}/.collected"
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
        for container in document["spec"]["template"]["spec"]["containers"]:
            if container["name"] == RUNNER:
                container["command"] = ["timeout", "--kill-after=30", str(spec.timeouts.job), "pytest"]
                container["args"] = list(spec.pytest_args)
                container["envFrom"] = sources
    return manifests


def wait_for_end(apis: Apis, spec: RunSpec) -> int:
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
        reason = pods.failure(found)
        if reason or found.status.phase == "Failed":
            msg = f"{reason or pods.state(found)}\n{closer.look(apis, spec.namespace, [found])}"
            raise RunError(msg)
        return pods.state(found)

    def look() -> str:
        found = job_pod(apis, spec)
        return closer.look(apis, spec.namespace, [found] if found else [])

    wait_until("tests", observe, timeout=spec.timeouts.job + spec.timeouts.services, is_passing=is_passing, look=look)
    return ended[-1]


def job_pod(apis: Apis, spec: RunSpec) -> V1Pod | None:
    """Return the Job's pod, or None while there is none."""
    selector = f"{pods.JOB_NAME}={JOB}"
    found = apis.core.list_namespaced_pod(spec.namespace, label_selector=selector).items
    return found[0] if found else None


def fetch_results(apis: Apis, spec: RunSpec, folder: Path) -> None:
    """Copy the pod's results into `folder`, then let the pod end.

    Raises:
        RunError: The pod is gone, or the copy failed.
    """
    found = job_pod(apis, spec)
    if found is None:
        msg = "the Job's pod is gone, and its results with it"
        raise RunError(msg)
    inside = ("exec", "--namespace", spec.namespace, found.metadata.name, "--container", KEEPER, "--")
    packed = apis.kubectl(*inside, "tar", "--create", "--directory", contract.RESULTS_DIR, ".", timeout=300)
    unpack(packed, folder)
    apis.kubectl(*inside, "touch", COLLECTED)


def unpack(packed: bytes, folder: Path) -> None:
    """Write the plain files of a tar archive into `folder`; links, and names that leave the folder, are left out.

    Raises:
        RunError: The archive is cut off: a connection that ends too early looks like the end of the file.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
            for member in archive:
                path = (folder / member.name).resolve()
                content = archive.extractfile(member) if member.isfile() else None
                if content and path.is_relative_to(folder.resolve()):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read())
    except tarfile.TarError as error:
        msg = f"the results did not come whole: {error}, after {len(packed)} bytes"
        raise RunError(msg) from error


def out_of_memory(apis: Apis, spec: RunSpec) -> str | None:
    """Return what to do where the kernel killed the test process for the memory it took."""
    found = job_pod(apis, spec)
    return pods.failure(found) if found else None
