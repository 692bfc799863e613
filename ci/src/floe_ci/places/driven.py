"""What a run does in a cluster, told as the steps of its story: the same in Kind and in a cluster that was there."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci import shards
from floe_ci.driver import sharded
from floe_ci.driver.run import ClusterRun
from floe_ci.errors import BrokenError, RunError
from floe_ci.forward import doors, seen_from_outside
from floe_ci.manifests import Manifests
from floe_ci.tasks import in_thread
from floe_ci.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.forward import Door
    from floe_ci.run import Run

LOST: Final = 137
"""The exit code that stands for a shard whose pod was lost: that of a process that was killed."""
COLLECTING: Final = 540.0
EVENTS: Final = 10.0
HURRY: Final = 2.5
"""Seconds that the results may take out of their pod, and the events; and either in a hurry."""


class Driven:
    """A run's part in a cluster. Each method blocks, and ends early when the run is interrupted."""

    def __init__(self, run: Run, apis: Apis, spec: RunSpec, claim: Callable[[], None] = lambda: None) -> None:
        """Prepare; nothing is made yet. `claim` makes what nobody else may have made."""
        self._run, self._spec, self._claim = run, spec, claim
        self._cluster = ClusterRun(apis, spec, run.folder, run.interrupts.stop, feed=run.live.feed)
        self._began = self._tested = False
        self._private: TemporaryDirectory[str] | None = None

    def services(self, *, is_new: bool = False) -> None:
        """Make the namespace and its passwords, wait for the nodes, then bring the services up and wait for them.

        Args:
            is_new: Whether the cluster is: its DNS may be later than its nodes then.

        Raises:
            RunError: The cluster refuses something, or something does not become ready.
        """
        with self._run.step("namespace"):
            self._claim()
            self._run.folder.redactor.add(self._cluster.prepare())
            self._began = True
        with self._run.step("nodes ready"):
            self._cluster.nodes()
        with self._run.step("services ready"):
            self._cluster.services()
            if is_new:
                self._cluster.dns()

    def found(self) -> None:
        """Do the same where the services were applied before.

        Raises:
            RunError: The cluster refuses something, or something is not ready any more.
        """
        with self._run.step("services ready"):
            self._run.folder.redactor.add(self._cluster.prepare())
            self._began = True
            self._cluster.services(apply=False)

    def reached(self) -> tuple[tuple[Door, ...], dict[str, str]]:
        """Return the doors that the services may have outside, and the variables by which they are found there."""
        opened = doors(Manifests.parse(self._spec.services, "the rendered manifests").documents)
        return opened, self._cluster.variables(lambda variables: seen_from_outside(variables, opened))

    def clear(self) -> None:
        """Delete what the tests alone have brought into a namespace that stays.

        Raises:
            RunError: The cluster refuses.
        """
        if self._began or self._spec.is_ahead:
            hurry = self._run.interrupts.signal is not None
            self._cluster.clear(timeout=HURRY if hurry else EVENTS)

    def tests(self) -> int:
        """Run the tests as a Job, and return the exit code of their process.

        Raises:
            RunError: They can't be run to their end.
        """
        if self._spec.shards != 1 and self._cluster.shards > 1:
            return self._sharded_tests()
        if self._cluster.room:
            self._run.note(self._cluster.room)
        with self._run.step("tests"):
            self._tested = True
            code = self._cluster.tests()
            if self._cluster.problem:
                raise BrokenError(self._cluster.problem)
        for note in self._cluster.notes:
            self._run.note(note)
        return code

    def _sharded_tests(self) -> int:
        """Run the tests of all shards, and return the exit code of their processes together."""
        count, live = self._cluster.shards, self._run.live
        self._private = TemporaryDirectory(prefix="floe-ci-")
        raw = Path(self._private.name)
        told = shards.told_of(count, self._spec.durations, self._spec.schedule)
        for line in filter(None, (told, self._cluster.room)):
            self._run.note(line)
        is_dynamic = self._spec.schedule == "dynamic"
        parts = [live.part(is_handed_out=is_dynamic) for _ in range(count)]
        queue = WorkQueue(parts) if is_dynamic else None
        self._cluster.feeds = [partial(queue.hear, index) if queue else part.feed for index, part in enumerate(parts)]
        with self._run.step("tests"):
            self._tested = True
            ends = self._cluster.sharded_tests(raw, queue)
            for part, end in zip(parts, ends, strict=True):
                part.process_code, part.lost = end.exit_code, end.lost
            problem = next((end.problem for end in ends if end.problem), None)
            if problem:
                raise BrokenError(problem)
        for note in dict.fromkeys(note for end in ends for note in end.notes):
            self._run.note(note)
        with self._run.step("combine coverage"):
            self._combine(raw)
        return shards.joint_code([end.exit_code if end.exit_code is not None else LOST for end in ends])

    def _combine(self, raw: Path) -> None:
        """Make one report of what the shards measured; that it can't be is told, and fails no test."""
        try:
            self._run.live.too_little = self._cluster.combine(raw / "coverage.xml")
        except RunError as error:
            self._run.note(str(error))
        for data in raw.glob(f"{shards.FOLDER}/*/{sharded.DATA}"):
            data.unlink()

    def collect(self) -> tuple[str, ...]:
        """Gather what the tests left, and what the cluster says of the namespace; return notes.

        Raises:
            RunError: Not all could be had; what could is there.
        """
        if not self._began:
            return ()
        hurry, notes = self._in_a_hurry, tuple[str, ...]()
        with self._run.step("collect"), self._private or TemporaryDirectory(prefix="floe-ci-") as private:
            raw = Path(private)
            try:
                if self._tested:
                    # One that comes now ends it, as the story waits for seconds only.
                    stop = None if hurry else self._run.interrupts.stop
                    notes = self._cluster.collect(raw, timeout=HURRY if hurry else COLLECTING, stop=stop)
            finally:
                self._tell(HURRY if self._in_a_hurry else EVENTS)
                is_awaited = self._run.interrupts.signal is not None
                left_out = self._run.folder.gather(raw, seconds=HURRY if is_awaited else None)
                self.close()
            return (*notes, *left_out)

    @property
    def is_away(self) -> bool:
        """Whether the cluster has not answered for long."""
        return self._cluster.is_away

    @property
    def _in_a_hurry(self) -> bool:
        """Whether somebody waits for the end, or there is nothing to wait for."""
        return self._run.interrupts.signal is not None or self.is_away

    def _tell(self, seconds: float) -> None:
        """Write down what the cluster says of the namespace, and of the pods that are not well, in so many seconds."""
        began = time.monotonic()
        self._run.used = {kind: [*map(asdict, found)] for kind, found in self._cluster.used().items()}
        self._run.folder.write("events.txt", self._cluster.events(timeout=seconds))
        left = seconds - (time.monotonic() - began)
        for name, text in (self._cluster.unwell(timeout=left) if left > 0 else {}).items():
            self._run.folder.write(name, text)

    def close(self) -> None:
        """Read the logs to where they are, and follow nothing any more."""
        self._cluster.__exit__()


class DrivenStay:
    """What the stays have in common whose services and tests are driven through a cluster's API."""

    _driven: Driven | None = None
    """The run's part in the cluster, once it has entered."""

    async def services(self) -> None:
        """Deploy the services and wait for them."""
        await in_thread(self._there.services)

    async def tests(self) -> int:
        """Run the tests as a Job."""
        return await in_thread(self._there.tests)

    async def collect(self) -> tuple[str, ...]:
        """Copy out of the cluster what is there."""
        return await in_thread(self._driven.collect) if self._driven else ()

    async def let_go(self) -> None:
        """Stop to follow what happens in the cluster."""
        if self._driven:
            await in_thread(self._driven.close)

    @property
    def _there(self) -> Driven:
        assert self._driven  # noqa: S101 - the story enters first
        return self._driven
