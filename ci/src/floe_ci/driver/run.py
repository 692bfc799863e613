"""One run on a cluster that is there, in the parts that its story is told in."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import urllib3
from kubernetes import client

from floe_ci.addons import Addons
from floe_ci.config import expand_environment
from floe_ci.driver import addons, coverage, deploy, events, job, order, pods, poll, reach, unwell
from floe_ci.driver.apis import explain
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.nodes import wait_for_nodes
from floe_ci.driver.ready import wait_for_dns, wait_for_services
from floe_ci.driver.room import Room, require_room
from floe_ci.driver.sharded import ShardedTests
from floe_ci.driver.usage import Usage
from floe_ci.driver.watched import WatchedPods
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.follow import Logs
    from floe_ci.driver.sharded import Queue, ShardEnd
    from floe_ci.driver.spec import RunSpec
    from floe_ci.driver.usage import Used
    from floe_ci.ends import Problem

LOOK: Final = 0.5
"""Seconds between two looks for containers whose logs are to be followed."""
LAST_LINES: Final = 5.0
"""Seconds in which the logs are read to where they are, when the run is over."""
EVENTS: Final = 10.0
"""Seconds in which the cluster must tell its events."""


class ClusterRun:
    """One run: each part raises what broke it, ends at once when the run is told to stop, and has its own time limit.

    `collect` and `events` may be called after any failure of the others, and after the run was told to stop.
    """

    def __init__(
        self,
        apis: Apis,
        spec: RunSpec,
        logs: Logs,
        stop: threading.Event,
        *,
        feed: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing is made in the cluster yet.

        Args:
            apis: The cluster's.
            spec: What is to be run.
            logs: Takes the logs of all containers, and redacts them.
            stop: Ends the run when it is set.
            feed: Takes each line of the tests' reporter.

        Raises:
            UserError: The services' manifests do not parse.
        """
        self._apis, self._spec, self._stop, self._feed = apis, spec, stop, feed
        self._ends = order.Ends()
        self._sharded: ShardedTests | None = None
        self._services = Manifests.parse(spec.services, "the rendered manifests")
        self._addons = Addons.parse(spec.addons)
        self._watcher = Watcher(
            apis,
            spec,
            LogFollower(apis, spec.namespace, logs, self._feed_of(spec), since=spec.since),
            {
                namespace: LogFollower(apis, namespace, logs, since=spec.since, prefix=f"{namespace}.")
                for namespace in self._addons.namespaces
            },
        )
        self._usage = Usage(apis.core, spec.namespace)
        self._given = deploy.Given()
        self.problem: Problem | None = None
        """What ended the tests, if not they themselves: time or memory; known when they have ended."""
        self.notes: tuple[str, ...] = ()
        """What else is to be told of the tests' end."""
        self.feeds: list[Callable[[str], None]] = []
        """Take each line of the reporter of one shard, where there are several."""
        self.room = ""
        """What is to be told of the room that there is for shards."""

    def __enter__(self) -> Self:
        """Leave the end to a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Read the logs to where they are, for a few seconds; nothing is written to them afterwards."""
        self._usage.end()
        self._watcher.end()

    def prepare(self) -> tuple[str, ...]:
        """Make the namespace, if it isn't there, and the passwords, and return these; no log is read before that.

        Raises:
            RunError: The cluster refuses.
            UserError: The tier's environment names what isn't there.
            Stopped: The run was told to stop.
        """
        core, spec = self._apis.core, self._spec
        self._apis.ask(f"Namespace {spec.namespace}", lambda: deploy.make_namespace(core, spec), stop=self._stop)
        self._given = self._apis.ask(
            "Secrets", lambda: deploy.make_credentials(core, spec, self._services), stop=self._stop
        )
        return self._given.passwords

    def variables(self, seen: Callable[[Mapping[str, str]], Mapping[str, str]]) -> dict[str, str]:
        """Return the variables that the services are found by, passwords and the tier's own among them.

        Args:
            seen: Returns those of the services as they are where they are asked for.
        """
        found = dict(seen(self._given.found))
        return found | expand_environment(self._spec.environment, found | self._spec.variables)

    def nodes(self) -> None:
        """Wait for the nodes: pods that come before them would all go to the one that happens to be Ready first.

        Raises:
            RunError: They don't become ready.
            Stopped: The run was told to stop.
        """
        wait_for_nodes(self._apis, self._spec, self._stop)

    def services(self, *, follow: bool = True, apply: bool = True) -> None:
        """Apply add-ons and services and wait until they are ready; from here on logs are read.

        Args:
            follow: Whether logs are read.
            apply: Whether they are applied, or known to be; the tests' pod is made in either case, to wait for them.

        Raises:
            UserError: A quota leaves no room for the services of so many shards.
            RunError: One of them is refused, or does not become ready.
            OutOfMemory: One of them takes more memory than it may.
            Stopped: The run was told to stop.
        """
        if follow:
            self._begin()
        is_to_find = bool(self._spec.runner) and not self._spec.is_ahead
        if apply:
            if is_to_find:
                self._require_room()
            self._apply()
        if is_to_find:
            # A quota may be among what was applied.
            self._require_room()
            self._find_room()
            # Its image is pulled, and its pod begun, while the services start.
            self.make_job()
        wait_for_services(self._apis, self._spec, self._services, self._stop)
        addons.wait(self._apis, self._spec, self._addons, self._stop)

    def dns(self) -> None:
        """Wait for the cluster's DNS.

        Raises:
            RunError: It does not become ready.
            Stopped: The run was told to stop.
        """
        wait_for_dns(self._apis, self._spec, self._stop)

    def tests(self) -> int:
        """Run the tests and return the exit code of their process.

        Raises:
            RunError: They can't be run to their end.
            OutOfMemory: Their pod was evicted for the memory it took.
            TimedOut: They took longer than they may, and could not end themselves.
            Stopped: The run was told to stop.
        """
        self._begin()
        given = self._given_to_tests()
        again: tuple[str, ...] = ()
        while True:
            try:
                began = job.send(self._apis, self._spec, given, self._stop)
                ended = job.wait_for_end(self._apis, self._spec, self._ends, self._stop)
                break
            except job.NotStarted as error:
                if len(again) == job.AGAIN:
                    raise
                again = (*again, f"tried again: {error}")
                job.remove(self._apis, self._spec, self._stop)
                self._spec = self._spec.model_copy(update={"is_ahead": False})
                self.make_job()
        end = job.end_of(ended, self._spec, self._others(), time.monotonic() - began)
        self.problem, self.notes = end.problem, (*again, *end.notes)
        return end.exit_code

    @property
    def is_away(self) -> bool:
        """Whether the cluster has not answered for so long that nothing more is to be had of it."""
        return self._apis.api_client.is_away

    @property
    def shards(self) -> int:
        """Into how many parts the tests are split, once their Job is made."""
        assert isinstance(self._spec.shards, int)  # noqa: S101 - that is found out before
        return self._spec.shards

    def sharded_tests(self, raw: Path, queue: Queue | None = None) -> list[ShardEnd]:
        """Run the tests of all shards, and return how each ended; what it left is in `raw` then, a folder for each.

        They are handed their tests by a queue where there is one, or have them from the start.

        Raises:
            RunError: No shard could begin, or the cluster does not answer any more.
            Stopped: The run was told to stop.
        """
        self._begin()
        spec, given = self._spec, self._given_to_tests()
        self._sharded = ShardedTests(self._apis, spec, given, raw, self._ends, self._others, self._stop, queue)
        return self._sharded.run()

    def combine(self, report: Path) -> str:
        """Make one report of what the shards measured, where they did; return why it is not enough, where it isn't.

        Raises:
            RunError: It could not be made.
            Stopped: The run was told to stop.
        """
        assert self._sharded  # noqa: S101 - they have run
        told, data = self._sharded.told(), self._sharded.data()
        if told is None or not data:
            return ""
        there = self._sharded.kept()
        if there is None:
            msg = "the shards' coverage could not be combined: no pod of theirs is left"
            raise RunError(msg)
        return coverage.combine(there, told, data, report, self._stop)

    def make_job(self) -> None:
        """Make the Job of the tests with all that belongs to it.

        Raises:
            RunError: The cluster refuses.
            Stopped: The run was told to stop.
        """
        deploy.apply(self._apis, self._spec, job.prepare(self._spec, self._services), self._stop)

    def collect(self, raw: Path, *, timeout: float = 600, stop: threading.Event | None = None) -> tuple[str, ...]:
        """Copy what the tests have written until now into `raw`, a folder, and return what was left out.

        Args:
            raw: A folder that is there; private, since nothing in it is redacted.
            timeout: Seconds for all of it.
            stop: Ends it when it is set; the run's own doesn't.

        Raises:
            RunError: There is nothing, or not all of it came; what came is in `raw`.
            Stopped: It was told to stop.
        """
        if self._sharded:
            return self._sharded.rest(timeout=timeout, stop=stop)
        return job.fetch_results(self._apis, self._spec, raw, timeout=timeout, stop=stop)

    def clear(self, *, timeout: float = EVENTS) -> None:
        """Delete what the tests alone have brought into a namespace that stays.

        Raises:
            RunError: The cluster refuses.
        """
        job.clear(self._apis, self._spec, timeout=timeout)

    def events(self, *, timeout: float = EVENTS) -> str:
        """Return the namespace's events until now, or why they can't be had; never raises what a cluster can cause."""
        try:
            return poll.in_time(
                lambda: events.listing(self._apis.core, self._namespaces, self._spec.since), timeout=timeout
            )
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            return f"the events could not be read: {explain(error)}\n"
        except poll.NotInTime as error:
            return f"the events could not be read: {error}\n"

    def unwell(self, *, timeout: float = EVENTS) -> dict[str, str]:
        """Return what there is to know of each pod that isn't well, and of the nodes, by the file that is to hold it.

        Nothing where all is well; never raises what a cluster can cause.
        """
        try:
            return poll.in_time(self._unwell, timeout=timeout)
        except (client.ApiException, urllib3.exceptions.HTTPError, poll.NotInTime):
            return {}

    def used(self) -> dict[str, list[Used]]:
        """Return what the pods and the nodes took until now; nothing where the cluster doesn't tell."""
        return self._usage.told()

    def _begin(self) -> None:
        """Follow logs, and look what is used, unless that is done already."""
        self._watcher.begin()
        self._usage.begin()

    def _given_to_tests(self) -> deploy.Given:
        """Return what tests are given, whose pod waits before them until the services answer there, too."""
        before = reach.command(self._apis, self._spec, self._services, self._addons, self._stop)
        return replace(self._given, before=before)

    @property
    def _namespaces(self) -> tuple[str, ...]:
        return (self._spec.namespace, *self._addons.namespaces)

    def _unwell(self) -> dict[str, str]:
        core = self._apis.core
        beside = [unwell.reports(core, each, addons.selector(self._spec)) for each in self._addons.namespaces]
        return {
            name: text for part in (*beside, unwell.reports(core, self._spec.namespace)) for name, text in part.items()
        }

    def _apply(self) -> None:
        """Apply add-ons and services; those wait for these alone where they can't be without."""
        addons.apply(self._apis, self._spec, self._addons, self._stop)
        if self._addons.have_a_say_in(self._services):
            addons.wait(self._apis, self._spec, self._addons, self._stop)
        addons.apply_others(self._apis, self._spec, self._services, self._stop)

    def _others(self) -> list[client.V1Pod]:
        """Return the services' pods, as far as the cluster tells."""
        try:
            found = poll.in_time(lambda: self._apis.pods(self._spec.namespace), timeout=EVENTS)
        except (client.ApiException, urllib3.exceptions.HTTPError, ValueError, poll.NotInTime):
            return []
        return [pod for pod in found if not pods.is_of_tests(pod)]

    def _require_room(self) -> None:
        """Refuse services that a quota has no room for: of so many shards nothing else would tell why."""
        spec = self._spec
        if spec.shards != 1:
            require_room(self._apis, spec.namespace, self._services, spec.services_of_one, self._stop)

    def _find_room(self) -> None:
        """Find out how many shards there are to be, and how many at the same time."""
        spec = self._spec
        if spec.shards == 1:
            return
        documents = job.prepare(spec, self._services).documents
        made = next(each for each in documents if each["kind"] == "Job")
        room = Room.of(self._apis, spec.namespace, made, self._services, self._stop)
        shards = room.wanted if spec.shards == "auto" else spec.shards
        at_once = room.at_once(shards)
        # Where tests are handed out, those that come when others have ended would find nothing left.
        is_fixed = spec.schedule == "static" and spec.shards != "auto"
        self.room = room.told(shards, is_fixed=is_fixed)
        shards = shards if is_fixed else at_once
        self._spec = spec.model_copy(update={"shards": shards, "at_once": at_once})

    def _feed_of(self, spec: RunSpec) -> Callable[[str, str], Callable[[str], None] | None]:
        """Return what has the lines of the keeper, which are the reporter's, heard."""
        start = f"{job.name_of(spec)}-"
        return lambda pod, container: (
            partial(self._hear, pod, start) if container == job.KEEPER and pod.startswith(start) else None
        )

    def _hear(self, pod: str, start: str, line: str) -> None:
        if self._ends.take(pod, line):
            return
        if self.feeds:
            # The pods of an Indexed Job have their index in their names.
            index = int(pod.removeprefix(start).partition("-")[0])
            self.feeds[self._sharded.shard_of(index) if self._sharded else index](line)
        elif self._feed:
            self._feed(line)


class Watcher:
    """Follows the namespace's logs in the background."""

    def __init__(self, apis: Apis, spec: RunSpec, follower: LogFollower, beside: Mapping[str, LogFollower]) -> None:
        """Prepare; nothing runs yet.

        Args:
            apis: The cluster's.
            spec: The run.
            follower: Follows the pods of its namespace.
            beside: Follow those of add-ons, by their namespaces.
        """
        self._apis, self._spec, self._follower, self._beside = apis, spec, follower, beside
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start, unless it runs already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Look a last time, and let the logs be read to where they are, for a few seconds."""
        if self._thread:
            self._over.set()
            self._thread.join(LAST_LINES)
            over = time.monotonic() + LAST_LINES
            for follower in (self._follower, *self._beside.values()):
                follower.finish(max(over - time.monotonic(), 0.0))

    def _watch(self) -> None:
        selector = addons.selector(self._spec)
        followed = [(self._follower, WatchedPods(self._apis, self._spec.namespace, goes_on=True))]
        followed += [
            (follower, WatchedPods(self._apis, namespace, selector, goes_on=True))
            for namespace, follower in self._beside.items()
        ]
        with ExitStack() as stack:
            for _, pods_there in followed:
                stack.enter_context(pods_there)
            is_last = False
            while not is_last:
                is_last = self._over.wait(LOOK)
                for follower, pods_there in followed:
                    if is_last:
                        pods_there.ask()
                    follower.look([pod for pod in pods_there.all() if not job.is_of_another(pod, self._spec)])
