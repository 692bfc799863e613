"""The tests of an Indexed Job, each pod of which has a part.

A pod has its order as soon as it waits for one, and what it leaves is fetched when it has ended. One that is lost ends
none of the others.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from floe_ci import contract, reporter, shards
from floe_ci.driver import job, nodes, order, pods, poll
from floe_ci.driver.execute import Broken, Container, run
from floe_ci.driver.watched import JobPods
from floe_ci.ends import Problem
from floe_ci.errors import RunError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from kubernetes.client import V1ContainerState, V1Pod

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.deploy import Given
    from floe_ci.driver.spec import RunSpec
    from floe_ci.ends import ProblemKind
    from floe_ci.shards import Shard

AT_ONCE: Final = 8
"""Orders that are sent, and results that are fetched, at the same time."""
LOOK: Final = 1.0
"""Seconds until the states are looked at again where the cluster tells nothing new."""
FETCHING: Final = 540.0
"""Seconds that the results of one pod may take."""
DATA: Final = ".coverage"
"""What a shard's process measured, in its results."""
OWN_FILES: Final = "/tmp"  # noqa: S108 - in a container that one run owns
PART_FILE: Final = f"{OWN_FILES}/.floe-shard.json"
DURATIONS_FILE: Final = f"{OWN_FILES}/.floe-durations.json"
HANDED_FILE: Final = f"{contract.RESULTS_DIR}/{job.HANDED}"
HAND_OUT: Final = 'head --bytes="$1" >> "$2"'
HANDING: Final = 30.0
"""Seconds that it may take to hand something out to a pod."""
LINGERING: Final = 2.0
"""Seconds for which a pod stays whose results are here: to take it down would slow those that end with it."""
PYTESTS_CODES: Final = range(6)
"""The exit codes of a pytest that came to an end of its own."""


class Queue(Protocol):
    """What is handed out to shards."""

    changed: Callable[[], object]

    def hand_out(self, shard: int) -> str:
        """Return what is to be added to a shard's file; empty: nothing as yet."""

    def end(self, shard: int, *, whole: bool) -> None:
        """Have others run what a shard has not that has ended, and whose pytest came to its end or did not."""

    def lose(self, shard: int) -> None:
        """Have others run what a shard has not that is lost."""


@dataclass
class ShardEnd:
    """How a shard ended."""

    shard: Shard
    exit_code: int | None = None
    """That of its test process; None: it was lost, or could not begin."""
    problem: Problem | None = None
    """What ended it, if not its tests."""
    lost: str = ""
    """What became of it, where it has no exit code."""
    notes: tuple[str, ...] = ()


@dataclass
class _Part:
    """A shard on its way."""

    shard: Shard
    lost_nodes: nodes.Lost
    end: ShardEnd = field(init=False)
    signalled: job.Signalled = field(default_factory=job.Signalled)
    index: int = 0
    """That of its pod: the shard's own, as long as no other pod has to take its place."""
    state: str = "waiting"
    """Then `sending`, `running`, `fetching`; in the end `kept`, or `over`."""
    again: int = 0
    """How often another pod took the place of one that could not start."""
    began: float = 0.0
    kept: float = 0.0
    """When its results were here."""
    work: Future[Any] | None = None
    handing: Future[Any] | None = None
    """What is on its way to it."""
    pod: V1Pod | None = None

    def __post_init__(self) -> None:
        self.end, self.index = ShardEnd(self.shard), self.shard.index


class ShardedTests:
    """The tests of one run, split."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a run has
        self,
        apis: Apis,
        spec: RunSpec,
        given: Given,
        raw: Path,
        told: order.Ends,
        others: Callable[[], list[V1Pod]],
        stop: threading.Event | None = None,
        queue: Queue | None = None,
    ) -> None:
        """Prepare.

        Args:
            apis: The cluster's.
            spec: What is run; its Job is made.
            given: What its tests are given.
            raw: Gets a folder for each shard, of what it left.
            told: What the pods themselves have told of the ends of their tests.
            others: Returns the services' pods.
            stop: Ends it when it is set.
            queue: What they are handed, where they don't have their tests from the start.
        """
        assert isinstance(spec.shards, int)  # noqa: S101 - the cluster has been asked before
        self._apis, self._spec, self._given, self._raw = apis, spec, given, raw
        self._told, self._others, self._stop, self._queue = told, others, stop, queue
        self._parts = [_Part(shard, nodes.Lost(apis)) for shard in shards.all_of(spec.shards)]
        self._moved = time.monotonic()
        self._made = spec.shards
        self._leaving = ThreadPoolExecutor(AT_ONCE)
        self._released: list[Future[tuple[str, ...]]] = []

    def shard_of(self, index: int) -> int:
        """Return which shard, from 0, has the pod of an index."""
        return next((part.shard.index for part in self._parts if part.index == index), index)

    def run(self) -> list[ShardEnd]:
        """Run all of them to their ends.

        Raises:
            RunError: No shard could begin, or the cluster does not answer any more.
            Stopped: It was told to stop.
        """
        spec = self._spec
        selector = f"{pods.JOB_NAME}={job.name_of(spec)}"
        # What is handed out must not wait for results that are fetched.
        pool, hands = ThreadPoolExecutor(AT_ONCE), ThreadPoolExecutor(AT_ONCE)
        try:
            with JobPods(self._apis, spec.namespace, selector, self._stop) as seen:
                self._told.changed = seen.wake
                if self._queue:
                    self._queue.changed = seen.wake
                while any(part.state not in {"over", "kept"} for part in self._parts):
                    for part in self._parts:
                        part.pod = seen.get(part.index) or part.pod
                        self._go_on(part, seen, pool)
                        self._hand_out(part, seen, hands)
                    self._let_go()
                    seen.look(LOOK)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            hands.shutdown(wait=False, cancel_futures=True)
        ends = [part.end for part in self._parts]
        if not any(part.began for part in self._parts):
            msg = f"no shard could begin: {ends[0].lost}"
            raise RunError(msg)
        return ends

    def rest(self, *, timeout: float, stop: threading.Event | None = None) -> tuple[str, ...]:
        """Fetch what pods have that did not come to their end, let all of them end, and return what to tell of it."""
        notes: list[str] = []
        left = [part for part in self._parts if part.pod and part.began and part.state in {"running", "fetching"}]
        pool = ThreadPoolExecutor(AT_ONCE)
        works = [pool.submit(self._fetch, part.shard, part.pod, timeout, stop) for part in left if part.pod]
        pool.shutdown(wait=True)
        for part, work in zip(left, works, strict=True):
            error = work.exception()
            notes += [f"{part.shard}: {str(error) or 'stopped'}"] if error else work.result()
        for part in self._parts:
            if part.state == "kept":
                self._release(part, stop)
        self._leaving.shutdown(wait=True)
        for release in self._released:
            # One that was told to stop has nothing to tell.
            notes += () if release.exception() else release.result()
        return tuple(notes)

    def data(self) -> dict[str, Path]:
        """Return what the shards measured, by names of their own."""
        files = {str(part.shard.index + 1): self._folder(part.shard) / DATA for part in self._parts}
        return {name: path for name, path in files.items() if path.is_file()}

    def told(self) -> Path | None:
        """Return what a shard said of how coverage is measured; None: it isn't."""
        files = (self._folder(part.shard) / reporter.COVERAGE for part in self._parts)
        return next((path for path in files if path.is_file()), None)

    def kept(self) -> Container | None:
        """Return a container that is there still, with the tests and their packages."""
        return next((self._keeper(part.pod) for part in self._parts if part.state == "kept" and part.pod), None)

    def _go_on(self, part: _Part, seen: JobPods, pool: ThreadPoolExecutor) -> None:
        """Have a part take its next step, where it can."""
        try:
            match part.state:
                case "waiting":
                    self._begin(part, seen, pool)
                case "sending" if part.work and part.work.done():
                    part.began = part.work.result()
                    part.state = "running"
                case "sending" if part.pod:
                    # What it waits for may never come.
                    self._refuse_failed(part.pod)
                case "running":
                    self._end(part, seen, pool)
                case "fetching" if part.work and part.work.done():
                    part.end.notes += part.work.result()
                    self._keep(part)
        except job.NotStarted as error:
            if part.again == job.AGAIN or self._spec.at_once not in {0, self._spec.shards}:
                self._lose(part, str(error))
            else:
                self._begin_again(part, str(error))
        except RunError as error:
            if part.end.exit_code is None:
                self._lose(part, str(error), error.kind)
            else:
                part.end.notes += (f"{part.shard}: {error}",)
                part.state = "over"

    def _hand_out(self, part: _Part, seen: JobPods, hands: ThreadPoolExecutor) -> None:
        """Hand a part what there is for it, one thing at a time; a pod that can't be handed anything is lost."""
        if self._queue is None or part.state != "running" or (part.handing and not part.handing.done()):
            return
        try:
            if part.handing:
                part.handing.result()
        except RunError as error:
            self._lose(part, str(error), error.kind)
            return
        text = self._queue.hand_out(part.shard.index)
        part.handing = self._submit(hands, seen, self._hand, part.pod, text.encode()) if text else None

    def _hand(self, pod: V1Pod, text: bytes) -> None:
        keeper = self._keeper(pod)
        command = ("/bin/sh", "-euc", HAND_OUT, "sh", str(len(text)), HANDED_FILE)
        try:
            self._apis.ask(
                "the tests of a shard",
                lambda: run(keeper, command, text, timeout=HANDING, stop=self._stop),
                timeout=poll.PATIENCE + HANDING,
                # It may have got them all the same: it takes nothing twice.
                is_passing=lambda error: isinstance(error, Broken),
                stop=self._stop,
            )
        except Broken as error:
            msg = f"no more tests could be handed to its pod {pod.metadata.name}: {error}"
            raise RunError(msg) from error

    def _begin(self, part: _Part, seen: JobPods, pool: ThreadPoolExecutor) -> None:
        pod = part.pod
        if pod is None:
            self._refuse_waiting(part, "the Job has no pod for it yet")
            return
        if seen.is_gone(pod):
            self._lose(part, f"its pod {pod.metadata.name} was deleted before it had tests")
            return
        states = self._refuse_failed(pod)
        # The keeper comes after the runner.
        if not (all(state and state.running for state in states) or seen.has_started(pod, job.KEEPER)):
            self._refuse_waiting(part, pods.state(pod))
            return
        given = self._given.to_shard(self._spec, part.shard)
        part.state, part.work = "sending", self._submit(pool, seen, self._send, part.shard, pod, given)
        self._moved = time.monotonic()

    @staticmethod
    def _refuse_failed(pod: V1Pod) -> list[V1ContainerState | None]:
        """Return the states of a pod's containers.

        Raises:
            RunError: They will not begin.
        """
        states = [pods.container_state(pod, name) for name in (job.RUNNER, job.KEEPER)]
        job.refuse_unstarted(*states)
        if reason := pods.failure(pod):
            raise job.failure_of(pod)(reason)
        return states

    def _begin_again(self, part: _Part, why: str) -> None:
        """Have the Job make one more pod, for a shard whose pod a node could not start: nothing has run in that."""
        spec, count = self._spec, self._made + 1
        more = {"spec": {"completions": count, "parallelism": count}}
        name = job.name_of(spec)
        self._apis.ask(
            f"Job {name}", lambda: self._apis.batch.patch_namespaced_job(name, spec.namespace, more), stop=self._stop
        )
        part.index, part.pod, part.state, part.again = self._made, None, "waiting", part.again + 1
        part.end.notes += (f"{part.shard}: tried again: {why}",)
        self._made, self._moved = count, time.monotonic()

    def _refuse_waiting(self, part: _Part, state: str) -> None:
        """Give up a pod that waits while no other of the run moves on: nothing makes room for it."""
        limit = self._spec.timeouts.services
        if any(each.state not in {"waiting", "over", "kept"} for each in self._parts):
            self._moved = time.monotonic()
        elif time.monotonic() - self._moved > limit:
            self._lose(part, f"its pod did not begin in {limit} s: {state}")

    def _end(self, part: _Part, seen: JobPods, pool: ThreadPoolExecutor) -> None:
        pod, spec = part.pod, self._spec
        assert pod  # noqa: S101 - it has its order
        runner = pods.container_state(pod, job.RUNNER)
        ended = runner.terminated if runner else None
        took = time.monotonic() - part.began
        if seen.is_gone(pod):
            self._lose(part, f"its pod {pod.metadata.name} was deleted while its tests ran")
        elif ended or self._told.has_succeeded(pod.metadata.name):
            code = ended.exit_code if ended else 0
            by_signal = code in job.ENDED_WITH_POD
            if (by_signal and not part.signalled.is_told(pod)) or job.still_to_come(spec, pod, self._told):
                return
            if by_signal and (reason := pods.eviction(pod)):
                raise job.failure_of(pod)(reason)
            found = job.TestsPod(pod, code)
            end = job.end_of(found, spec, self._others() if found.exit_code else (), took)
            part.end.exit_code, part.end.problem = end.exit_code, end.problem
            part.end.notes += end.notes
            part.state, part.work = "fetching", self._submit(pool, seen, self._fetch, part.shard, pod, FETCHING)
        elif (reason := pods.failure(pod)) or pod.status.phase == "Failed":
            raise job.failure_of(pod)(reason or pods.state(pod))
        elif took > spec.timeouts.job + spec.timeouts.services:
            text = f"{part.shard} took longer than {spec.timeouts.job} s, and could not be ended"
            self._lose(part, text, "timeout")
        else:
            part.lost_nodes.refuse(pod)

    def _keep(self, part: _Part) -> None:
        """Note that a part's results are here."""
        if self._queue:
            self._queue.end(part.shard.index, whole=part.end.exit_code in PYTESTS_CODES)
        part.state, part.kept = "kept", time.monotonic()
        self._moved = part.kept

    def _let_go(self) -> None:
        """Let pods end whose results are here; one of them stays, for what all of them measured is combined there."""
        is_waited_for = any(part.state == "waiting" for part in self._parts)
        kept = [part for part in self._parts if part.state == "kept"]
        for part in kept if is_waited_for else kept[1:]:
            if is_waited_for or time.monotonic() - part.kept >= LINGERING:
                self._release(part, self._stop)

    def _release(self, part: _Part, stop: threading.Event | None) -> None:
        """Let a pod end whose results are here; nobody waits for that but who waits for the rest."""
        assert part.pod  # noqa: S101 - it had its tests
        self._released.append(self._leaving.submit(job.release, self._keeper(part.pod), stop))
        part.state = "over"

    def _lose(self, part: _Part, why: str, kind: ProblemKind = RunError.kind) -> None:
        if self._queue:
            self._queue.lose(part.shard.index)
        part.end.lost, part.state = why, "over"
        # That the pod was lost is this shard's affair, and its verdict tells it; what else it was, the whole run's.
        if kind != RunError.kind:
            part.end.problem = Problem(kind, f"{part.shard}: {why}")

    def _send(self, shard: Shard, pod: V1Pod, given: Given) -> float:
        part = shard.part(
            together=self._spec.keep_together,
            durations=DURATIONS_FILE,
            folder=contract.RESULTS_DIR,
            handed=HANDED_FILE if self._queue else "",
        )
        files = {PART_FILE: part, DURATIONS_FILE: json.dumps(self._spec.durations)}
        own = {reporter.ENV_SHARD: PART_FILE, "COVERAGE_FILE": f"{contract.RESULTS_DIR}/{DATA}"}
        told = given.with_more(own, ("-p", reporter.SHARD))
        return job.send_to(self._apis, self._spec, told, pod, self._stop, files)

    def _fetch(self, shard: Shard, pod: V1Pod, timeout: float, stop: threading.Event | None = None) -> tuple[str, ...]:
        folder = self._folder(shard)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return job.fetch_from(self._keeper(pod), folder, timeout=timeout, stop=stop or self._stop)

    def _submit(self, pool: ThreadPoolExecutor, seen: JobPods, work: Callable[..., Any], *args: object) -> Future[Any]:
        future = pool.submit(work, *args)
        future.add_done_callback(lambda _: seen.wake())
        return future

    def _folder(self, shard: Shard) -> Path:
        return self._raw / shard.folder

    def _keeper(self, pod: V1Pod) -> Container:
        return Container(self._apis, self._spec.namespace, pod.metadata.name, job.KEEPER)
