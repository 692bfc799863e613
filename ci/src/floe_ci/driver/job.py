"""Runs the tests as a Job, and gets the results out of its pod while that pod lives."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from kubernetes.client import ApiException

from floe_ci import contract, reporter
from floe_ci.driver import closer, events, nodes, order, pods, poll
from floe_ci.driver.apis import CALL
from floe_ci.driver.execute import Broken, Container, NotBegun, run
from floe_ci.driver.fetch import fetch
from floe_ci.driver.problems import OutOfMemory, TimedOut
from floe_ci.ends import Problem
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from kubernetes.client import V1ContainerState, V1Pod

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.deploy import Given
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Document

RUNNER = "runner"
"""The container that runs the tests."""
KEEPER = "results"
"""The container that keeps the pod alive until the results are out."""
WIDE = frozenset({"ClusterRole", "ClusterRoleBinding"})
"""The kinds by which the tests may do something outside of their namespace."""
COLLECTED: Final = ".collected"
"""The file of the results folder by which the keeper is told to end."""
EVENTS: Final = order.EVENTS.removeprefix(f"{contract.RESULTS_DIR}/")
"""The file of the results folder to which the tests' reporter writes what happens, a line each."""
HANDED: Final = ".floe-handed.jsonl"
"""The file of the results folder by which tests are handed out to a pod."""
REPORTER: Final = "floe-reporter"
"""The ConfigMap with the reporter."""
REPORTER_DIR: Final = f"/{REPORTER}"
MOUNT: Final = {"name": REPORTER, "mountPath": REPORTER_DIR, "readOnly": True}
AGAIN: Final = 2
"""How often the tests' pod is made anew, or another takes its place, where a node could not start it."""
COMBINING: Final = "512Mi"
"""The memory that the keeper may take where it combines the coverage of shards."""
DEADLINE: Final = "DeadlineExceeded"
KILLED: Final = 137
"""The exit code of a process that was killed, such as one that `timeout` could not end otherwise."""
ENDED_WITH_POD: Final = frozenset({143, KILLED})
"""What a process exits with whose pod is deleted or evicted: SIGTERM at first, SIGKILL in the end."""
TOLD: Final = 5.0
"""Seconds until it is known of a process that was ended by a signal whether its pod was evicted."""
UNHEARD: Final = "the tests have ended, and not all that they told has come"
TIMED_OUT: Final = 124
"""The exit code that `timeout` gives, for tests that ran into their deadline."""
REMOVING: Final = 120.0
"""Seconds until a pod that could not start must be gone."""
LOOK: Final = 0.2
"""Seconds between two looks at whether the tests have ended."""
ASK: Final = 1.0
"""Seconds until the cluster is asked again of tests that have not told of their end: that takes some of their time."""
GLANCE: Final = 0.1
"""Seconds between two looks at whether the pod can be sent the tests."""
MARK: Final = 10.0
"""Seconds to tell the keeper to end."""
KEEP: Final = f"""\
trap 'kill $! 2>/dev/null; exit 0' TERM
tail --lines=+1 --follow=name --retry --sleep-interval=0.1 {order.EVENTS} 2>/dev/null &
until [ -e {contract.RESULTS_DIR}/{COLLECTED} ]; do sleep 0.2; done
kill $!
"""
"""What the keeper does: tell what the reporter writes, until the results are out. Of a file that is not there in the
beginning, `tail` looks every so often whether it has grown."""


class NotStarted(RunError):  # noqa: N818 - what became of the pod, not of the run
    """A node failed to start a container, as one under load does now and then; nothing of the tests has been lost."""


def prepare(spec: RunSpec, services: Manifests) -> Manifests:
    """Return the runner's manifests for this run: its image, what it waits for, deadline and reporter."""
    manifests = Manifests.parse(spec.runner, "k8s/runner").with_images(lambda _: spec.runner_image)
    for document in manifests.documents:
        for subject in document.get("subjects", ()):
            # A binding of the whole cluster: the namespace of what is applied does not reach into it.
            subject["namespace"] = spec.namespace
        # Two runs in one cluster would meet in what belongs to no namespace.
        if document["kind"] in WIDE:
            document["metadata"]["name"] += f"-{spec.namespace}"
        if document.get("roleRef", {}).get("kind") in WIDE:
            document["roleRef"]["name"] += f"-{spec.namespace}"
        if document["kind"] == "Job":
            prepare_job(document, spec, services)
    if not spec.reporter:
        return manifests
    brought = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{REPORTER}{spec.suffix}"},
        "data": {f"{name}.py": text for name, text in {reporter.REPORTER: spec.reporter, **spec.plugins}.items()},
    }
    return Manifests((brought, *manifests.documents))


def prepare_job(document: Document, spec: RunSpec, services: Manifests) -> None:
    """Fit the Job for this run."""
    document["metadata"]["name"] = name_of(spec)
    configmaps = services.connection_configmaps(contract.LABEL_CONNECTION)
    sources = [{"configMapRef": {"name": name}} for name in configmaps]
    sources += [{"secretRef": {"name": contract.CREDENTIALS_SECRET}}]
    pod = document["spec"]["template"]["spec"]
    runner, keeper = (container_of(pod, name) for name in (RUNNER, KEEPER))
    if spec.reporter:
        keeper["command"] = ["/bin/sh", "-c", KEEP]
        pod["volumes"] = [
            *(pod.get("volumes") or ()),
            {"name": REPORTER, "configMap": {"name": f"{REPORTER}{spec.suffix}"}},
        ]
        add_reporter(runner)
    if spec.shards != 1:
        index(document, spec)
        # It makes one report of what all shards covered, with the script that is there.
        keeper["volumeMounts"] = [*(keeper.get("volumeMounts") or ()), MOUNT]
        keeper["resources"]["limits"]["memory"] = COMBINING
    order.have_wait(pod, runner, keeper, with_tests=bool(spec.tests) or spec.is_ahead)
    runner["envFrom"] = sources
    if spec.is_ahead:
        # Nobody knows for how long; whoever waits for the end of its tests has a limit.
        document["spec"].pop("activeDeadlineSeconds", None)
    else:
        # The test process ends itself before the deadline of the Job, which has to leave time to collect.
        ready = spec.timeouts.services * (2 if spec.addons else 1)
        document["spec"]["activeDeadlineSeconds"] = ready + spec.timeouts.job + 300


def container_of(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one of a pod's containers, which is there."""
    return next(each for each in pod["containers"] if each["name"] == name)


def command_of(spec: RunSpec, arguments: Iterable[str]) -> list[str]:
    """Return the command of the test process."""
    command = ["timeout", "--kill-after=30", str(spec.timeouts.job), "pytest", *arguments]
    if not spec.reporter:
        return command
    # A variable of the container would hide the one of the tier's environment, or of the image.
    script = f'export PYTHONPATH="{REPORTER_DIR}${{PYTHONPATH:+:$PYTHONPATH}}"; exec "$@"'
    return ["/bin/sh", "-c", script, "sh", *command]


def add_reporter(runner: dict[str, Any]) -> None:
    """Have the test process find the reporter, and tell it where to write."""
    events = {"name": reporter.ENV_EVENTS, "value": order.EVENTS}
    runner["env"] = [*(runner.get("env") or ()), events]
    runner["volumeMounts"] = [*(runner.get("volumeMounts") or ()), MOUNT]


def index(document: Document, spec: RunSpec) -> None:
    """Have the Job make a pod for each shard, and one that fails end no other, nor be made again."""
    count = spec.shards if isinstance(spec.shards, int) else 1
    document["spec"] |= {
        "completions": count,
        "parallelism": spec.at_once or count,
        "completionMode": "Indexed",
        "backoffLimitPerIndex": 0,
    }
    # It would end all shards with the first that fails.
    document["spec"].pop("backoffLimit", None)


def no_pod_yet(apis: Apis, spec: RunSpec) -> str:
    """Return that the Job has no pod, with what the cluster last said of why, such as that a quota is used up."""
    said = events.warnings(apis.core, spec.namespace, name_of(spec))
    return " ".join(("the Job has no pod yet", *(f"({why})" for why in said[-1:])))


def name_of(spec: RunSpec) -> str:
    """Return the Job's name."""
    return f"{pods.TESTS_JOB}{spec.suffix}"


def send(apis: Apis, spec: RunSpec, given: Given, stop: threading.Event | None = None) -> float:
    """Wait for the pod that waits, and send the tests to it with the order to run them.

    Returns:
        When they began, as a time of `time.monotonic`.

    Raises:
        NotStarted: The pod could not be begun, or was made earlier and is gone; nothing has run in it.
        RunError: It can't run.
        Stopped: The wait was told to stop.
    """
    there: list[V1Pod] = []

    def observe() -> str | None:
        found = job_pod(apis, spec)
        states = [pods.container_state(found, name) for name in (RUNNER, KEEPER)] if found else []
        refuse_unstarted(*states)
        is_gone = found is None or found.metadata.deletion_timestamp or any(each and each.terminated for each in states)
        if is_gone and spec.is_ahead:
            msg = "the pod that waited for tests is gone"
            raise NotStarted(msg)
        if found is None:
            return no_pod_yet(apis, spec)
        if reason := pods.failure(found):
            raise failed_pod(apis, spec, found, reason)
        there[:] = [found]
        return None if all(state and state.running for state in states) else pods.state(found)

    def look() -> str:
        return closer.look(apis, spec.namespace, there)

    apis.wait_until("the tests' pod", observe, timeout=spec.timeouts.services, interval=GLANCE, look=look, stop=stop)
    (pod,) = there
    return send_to(apis, spec, given, pod, stop)


def send_to(  # noqa: PLR0913, PLR0917 - what is sent, and to whom
    apis: Apis,
    spec: RunSpec,
    given: Given,
    pod: V1Pod,
    stop: threading.Event | None = None,
    files: Mapping[str, str] | None = None,
) -> float:
    """Send the tests to a pod that waits, with the order to run them and files for that.

    Returns:
        When they began, as a time of `time.monotonic`.

    Raises:
        NotStarted: It did not take them; nothing has run in it.
        RunError: The cluster refuses.
        Stopped: It was told to stop.
    """
    runner = next(each for each in pod.spec.containers if each.name == RUNNER)
    own = {each.name for each in runner.env or ()}
    environment = {name: value for name, value in given.environment.items() if name not in own}
    keeper = Container(apis, spec.namespace, pod.metadata.name, KEEPER)
    try:
        # An API that is away for a moment is no reason to begin anew.
        return apis.ask(
            "the tests' order",
            lambda: order.send(
                keeper,
                spec.tests,
                command_of(spec, given.arguments),
                environment,
                stop,
                files=files,
                before=given.before,
            ),
            timeout=poll.PATIENCE + order.SENDING,
            is_passing=lambda error: isinstance(error, NotBegun),
            stop=stop,
        )
    except Broken as error:
        msg = f"the tests could not be sent to their pod: {error}"
        raise NotStarted(msg) from error


def wait_for_end(apis: Apis, spec: RunSpec, ends: order.Ends, stop: threading.Event | None = None) -> TestsPod:
    """Wait until the test process has ended and return its pod, which lives on so that its results can be had.

    Args:
        apis: The cluster's.
        spec: What is run.
        ends: What the pod itself has told of the end of the tests.
        stop: Ends the wait when it is set.

    Raises:
        OutOfMemory: The pod was killed, or was evicted, for memory.
        TimedOut: The tests took longer than they may.
        RunError: The pod can't run, or was evicted or deleted.
        Stopped: The wait was told to stop.
    """
    ended: list[TestsPod] = []
    seen: list[V1Pod] = []
    lost, signalled = nodes.Lost(apis), Signalled()
    asked = 0.0

    def observe() -> str | None:
        nonlocal asked
        asked = time.monotonic()
        found = job_pod(apis, spec)
        if found is None:
            if seen:
                raise gone(apis, spec, seen[-1])
            return no_pod_yet(apis, spec)
        seen[:] = [found]
        runner, keeper = (pods.container_state(found, name) for name in (RUNNER, KEEPER))
        refuse_unstarted(runner, keeper)
        if (runner and runner.terminated) or ends.has_succeeded(found.metadata.name):
            code = runner.terminated.exit_code if runner and runner.terminated else 0
            ended[:] = [TestsPod(found, code)]
            return untold_of_end(apis, spec, ended[-1], ends, signalled)
        reason = pods.failure(found)
        if reason or found.status.phase == "Failed":
            raise failed_pod(apis, spec, found, reason or pods.state(found))
        lost.refuse(found)
        return pods.state(found)

    def is_due() -> bool:
        is_told = not seen or ended or ends.is_told(seen[-1].metadata.name)
        return bool(is_told) or time.monotonic() - asked >= ASK

    def look() -> str:
        return closer.look(apis, spec.namespace, seen)

    try:
        limit = spec.timeouts.job + spec.timeouts.services
        apis.wait_until("tests", observe, timeout=limit, interval=LOOK, look=look, is_due=is_due, stop=stop)
    except poll.TookTooLong as error:
        if seen and (state := pods.container_state(seen[-1], RUNNER)) and state.running:
            raise TimedOut(str(error)) from error
        raise
    return ended[-1]


class Signalled:
    """Tells whether it is known why a test process ended: that of a pod that is evicted does before its pod says so."""

    def __init__(self) -> None:
        """Begin with one that goes on."""
        self._since: float | None = None

    def is_told(self, pod: V1Pod) -> bool:
        """Say whether it is, of a process that a signal has ended; after `TOLD` seconds nothing more will be."""
        if pod.status.phase == "Failed" or pod.metadata.deletion_timestamp or pods.out_of_memory(pod):
            return True
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since >= TOLD


def refuse_unstarted(*states: V1ContainerState | None) -> None:
    """End the wait for a pod of which a node could not start a container.

    Raises:
        NotStarted: It is so.
    """
    for each in states:
        if each and each.terminated and each.terminated.reason == pods.START_ERROR:
            msg = f"the node could not start the tests' pod: {' '.join((each.terminated.message or '').split())}"
            raise NotStarted(msg)


def remove(apis: Apis, spec: RunSpec, stop: threading.Event | None = None) -> None:
    """Delete the Job with its pod, and wait until both are gone.

    Raises:
        RunError: They are not gone in time.
        Stopped: The wait was told to stop.
    """

    def delete() -> None:
        try:
            apis.batch.delete_namespaced_job(name_of(spec), spec.namespace, propagation_policy="Background")
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def left() -> str | None:
        found = job_pod(apis, spec)
        return pods.state(found) if found else None

    apis.ask(f"Job {name_of(spec)}", delete, stop=stop)
    apis.wait_until("the end of a pod that could not start", left, timeout=REMOVING, stop=stop)


def clear(apis: Apis, spec: RunSpec, *, timeout: float = CALL) -> None:
    """Delete what the tests alone have brought into a namespace that stays; nobody waits for the end of it.

    Raises:
        RunError: The cluster refuses.
    """
    core, namespace = apis.core, spec.namespace
    calls: list[Callable[[], object]] = [
        lambda: apis.batch.delete_namespaced_job(name_of(spec), namespace, propagation_policy="Background"),
        lambda: core.delete_namespaced_config_map(f"{REPORTER}{spec.suffix}", namespace),
    ]

    def delete() -> None:
        for call in calls:
            try:
                call()
            except ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

    apis.ask("what the tests have brought", delete, timeout=timeout)


def untold_of_end(apis: Apis, spec: RunSpec, tests: TestsPod, ends: order.Ends, signalled: Signalled) -> str | None:
    """Return what is still to be told of tests that have ended; None: nothing is.

    Raises:
        RunError: Somebody deleted or evicted their pod.
    """
    if tests.exit_code in ENDED_WITH_POD and (untold := refuse_end_of_pod(apis, spec, tests.pod, signalled)):
        return untold
    return still_to_come(spec, tests.pod, ends)


def still_to_come(spec: RunSpec, pod: V1Pod, ends: order.Ends) -> str | None:
    """Return what a pod has yet to do before the results of its tests, which have ended, can be had; None: nothing."""
    # Tests can be over before the node has started the second container, which tells of them.
    keeper = pods.container_state(pod, KEEPER)
    if keeper and keeper.waiting:
        return f"container {KEEPER} has not started"
    return UNHEARD if spec.reporter and not ends.is_whole(pod.metadata.name) else None


def refuse_end_of_pod(apis: Apis, spec: RunSpec, pod: V1Pod, signalled: Signalled) -> str | None:
    """Blame whoever deleted or evicted the pod for the signal that ended its tests, unless it was their deadline.

    Returns:
        That it is not told yet, while that may still come.

    Raises:
        RunError: It is so.
    """
    if not signalled.is_told(pod):
        return "the tests were ended by a signal, and it is not told yet why"
    if pod.metadata.deletion_timestamp and not isinstance(why := gone(apis, spec, pod), TimedOut):
        raise why
    if reason := pods.eviction(pod):
        raise failed_pod(apis, spec, pod, reason)
    return None


def gone(apis: Apis, spec: RunSpec, last: V1Pod) -> RunError:
    """Return why the Job's pod isn't there any more."""
    found = apis.batch.read_namespaced_job_status(name_of(spec), spec.namespace)
    failed = next((each for each in found.status.conditions or () if each.type in {"Failed", "FailureTarget"}), None)
    why = f" ({failed.message or failed.reason})" if failed else ""
    became = "was deleted" if last.metadata.deletion_timestamp else "is gone"
    msg = f"the Job's pod {became}{why}; it was last seen as {pods.state(last)}"
    return TimedOut(msg) if failed and failed.reason == DEADLINE else RunError(msg)


def failed_pod(apis: Apis, spec: RunSpec, pod: V1Pod, reason: str) -> RunError:
    """Return why a pod failed, with what there is to know of it."""
    return failure_of(pod)(f"{reason}\n{closer.look(apis, spec.namespace, [pod])}")


def failure_of(pod: V1Pod) -> type[RunError]:
    """Return whose affair it is that a pod failed."""
    if pod.status.reason == DEADLINE:
        return TimedOut
    for_memory = pod.status.reason == pods.EVICTED and "memory" in (pod.status.message or "")
    return OutOfMemory if for_memory or pods.out_of_memory(pod) else RunError


def job_pod(apis: Apis, spec: RunSpec) -> V1Pod | None:
    """Return the Job's pod, or None while there is none."""
    selector = f"{pods.JOB_NAME}={name_of(spec)}"
    found = apis.pods(spec.namespace, selector)
    return found[0] if found else None


def is_of_another(pod: V1Pod, spec: RunSpec) -> bool:
    """Tell whether a pod is that of another run's tests."""
    return pods.is_of_tests(pod) and pod.metadata.labels[pods.JOB_NAME] != name_of(spec)


@dataclass(frozen=True)
class TestsPod:
    """The pod of tests that have ended."""

    __test__ = False  # pytest takes each class of this name for a test

    pod: V1Pod
    exit_code: int
    """That of the test process."""


@dataclass(frozen=True)
class TestsEnd:
    """How the test process ended."""

    __test__ = False  # as above

    exit_code: int
    problem: Problem | None = None
    """What ended it, if not its tests."""
    notes: tuple[str, ...] = ()


def end_of(tests: TestsPod, spec: RunSpec, others: Iterable[V1Pod], took: float) -> TestsEnd:
    """Return how the tests ended, by their own pod and by what became of the services' meanwhile.

    Args:
        tests: Their own.
        spec: What they were.
        others: The services'.
        took: Seconds that they took: their container has waited before.
    """
    code = tests.exit_code
    if code == TIMED_OUT or (code == KILLED and took >= spec.timeouts.job):
        return TestsEnd(code, Problem("timeout", f"the tests took longer than {spec.timeouts.job} s"))
    memory = [reason for each in (tests.pod, *others) if (reason := pods.out_of_memory(each))]
    if memory and code:
        return TestsEnd(code, Problem("memory", "; ".join(memory)))
    return TestsEnd(code, notes=tuple(memory))


def fetch_results(
    apis: Apis, spec: RunSpec, raw: Path, *, timeout: float = 600, stop: threading.Event | None = None
) -> tuple[str, ...]:
    """Copy the pod's results into `raw`, then let the pod end; return what was left out, a line each.

    Raises:
        RunError: The pod is gone, or not all of it came; what came is in `raw`.
        Stopped: It was told to stop.
    """
    found = apis.ask("results", lambda: job_pod(apis, spec), stop=stop, timeout=min(timeout, CALL))
    if found is None:
        msg = "the Job's pod is gone, and its results with it"
        raise RunError(msg)
    keeper = Container(apis, spec.namespace, found.metadata.name, KEEPER)
    notes = fetch_from(keeper, raw, timeout=timeout, stop=stop)
    return (*notes, *release(keeper, stop))


def fetch_from(keeper: Container, raw: Path, *, timeout: float, stop: threading.Event | None = None) -> tuple[str, ...]:
    """Copy what a pod's tests have written into `raw`, and return what was left out, a line each.

    Raises:
        RunError: Not all of it came; what came is in `raw`.
        Stopped: It was told to stop.
    """
    return fetch(keeper, contract.RESULTS_DIR, raw, exclude=(COLLECTED, EVENTS, HANDED), timeout=timeout, stop=stop)


def release(keeper: Container, stop: threading.Event | None = None) -> tuple[str, ...]:
    """Let a pod end whose results are here, and return what there is to tell of that.

    Raises:
        Stopped: It was told to stop.
    """
    try:
        run(keeper, ("touch", f"{contract.RESULTS_DIR}/{COLLECTED}"), timeout=MARK, stop=stop)
    except Broken as error:
        return (f"the pod with the results could not be told to end: {error}",)
    return ()
