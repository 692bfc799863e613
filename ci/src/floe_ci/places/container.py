"""The unit tier's place in the engine: the runner image as a plain container, one for each shard, and no cluster."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import anyio
from dagger import CacheSharingMode, ReturnType, dag

from floe_ci import contract, lacking, reporter, shards
from floe_ci.build import Build
from floe_ci.config import expand_environment
from floe_ci.ends import out_of_time
from floe_ci.engine import explained
from floe_ci.errors import BrokenError
from floe_ci.plan import SHARDING
from floe_ci.tasks import in_thread, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    import dagger

    from floe_ci.folder import LogFile
    from floe_ci.live import LiveTests
    from floe_ci.origin import Origin
    from floe_ci.plan import Plan
    from floe_ci.run import Run
    from floe_ci.shards import Shard

VOLUME: Final = "floe-ci-results"
"""The cache volume that tests write to, so that what they leave can be had while they run, and when they are ended."""
LIVE: Final = "/live"
REPORTER: Final = "/opt/floe-reporter"
EVENTS, LOG, EXIT_CODE = "events.jsonl", "runner.log", "exit-code"
RUN_TESTS: Final = """\
timeout --kill-after=30 "$@" > "$FLOE_LIVE/runner.log" 2>&1
echo $? > "$FLOE_LIVE/.exit-code"
mv "$FLOE_LIVE/.exit-code" "$FLOE_LIVE/exit-code"
"""
"""The exit code goes through a file, whole or not there: the engine takes some codes for its own failures."""
LOOK: Final = """\
while [ $# -gt 0 ]; do
  mkdir -p "/out/$1"; cd "$FLOE_LIVE/$1"
  tail -c "+$2" events.jsonl > "/out/$1/events.jsonl" 2> /dev/null
  tail -c "+$3" runner.log > "/out/$1/runner.log" 2> /dev/null
  [ ! -e exit-code ] || cp exit-code "/out/$1"
  shift 3
done
"""
"""Its arguments: the folder of each shard, and from where on its events and its log are wanted."""
COMBINE: Final = """\
told=$(find "$FLOE_LIVE/results" -name coverage.json | head -n 1)
set -- "$FLOE_LIVE"/shards/*/.coverage
if [ -z "$told" ] || [ ! -e "$1" ]; then exit; fi
COVERAGE_FILE=/tmp/combined exec python "$PYTHONPATH/floe_ci_coverage.py" "$told" "$FLOE_LIVE/results/coverage.xml" "$@"
"""
COLLECT: Final = """\
mkdir -p /out/raw; cd "$FLOE_LIVE/results" 2> /dev/null || exit 0
find . -type f -print0 | tar --create --null --no-recursion --files-from - | tar --extract --directory /out/raw
find . ! -type f ! -type d > /out/left-out
"""
"""The engine's own way out would stop at a socket."""
OUT_OF_TIME: Final = 124
"""What `timeout` exits with where it had to end the tests."""
LOOKING: Final = 1.5
"""Seconds between two looks at how the tests go."""


@dataclass
class Told:
    """What the tests of a shard tell, as far as it was looked at."""

    shard: Shard
    live: LiveTests
    log: LogFile
    seen: dict[str, int] = field(default_factory=lambda: {EVENTS: 0, LOG: 0})
    rest: dict[str, bytes] = field(default_factory=lambda: {EVENTS: b"", LOG: b""})
    """What is no whole line yet."""
    exit_code: int | None = None
    """pytest's; None: it runs, or never ended."""

    @property
    def since(self) -> tuple[str, ...]:
        """What `LOOK` is asked for."""
        return (self.shard.folder or ".", *(str(self.seen[name] + 1) for name in (EVENTS, LOG)))

    def look(self, out: Path) -> None:
        """Take what `LOOK` has found."""
        for name in (EVENTS, LOG):
            self.take(name, (out / name).read_bytes())
        ended = out / EXIT_CODE
        if ended.exists() and (text := ended.read_text(encoding="ascii").strip()):
            self.exit_code = self.live.process_code = int(text)

    def take(self, name: str, new: bytes) -> None:
        """Hand whole lines on."""
        self.seen[name] += len(new)
        *lines, self.rest[name] = (self.rest[name] + new).split(b"\n")
        take = self.live.feed if name == EVENTS else self.log.line
        for line in lines:
            take(line.decode(errors="replace"))

    def close(self) -> None:
        """Hand on what is left, whole or not."""
        for name in self.rest:
            self.take(name, b"\n" if self.rest[name] else b"")
        self.log.close()


class ContainerStay:
    """A run's stay in a container of its own."""

    def __init__(self, run: Run, origin: AbstractAsyncContextManager[Origin]) -> None:
        """Prepare; `origin` is opened when the run enters."""
        self._run, self._origin = run, origin
        self._image: dagger.Container | None = None
        self._build: Build | None = None
        self._told: list[Told] = []

    async def enter(self) -> None:
        """Build the runner image."""
        with explained():
            with self._run.step("configure"):
                origin = await self._run.held.hold(self._origin)
                self._build = await Build.read(origin, self._run.request, self._run)
                if told := self._build.plan.static_note():
                    self._run.note(told)
            await lacking.require_whole(self._build)
            self._image = await self._build.runner()

    async def services(self) -> None:
        """There are none."""

    async def tests(self) -> int:
        """Run the tests, in a container for each shard, and look how they go."""
        assert self._image  # noqa: S101 - the story enters first
        assert self._build  # noqa: S101 - as above
        plan, image, folder = self._build.plan, self._image, self._run.folder
        count = plan.shards if plan.shards != "auto" else int(await image.with_exec(["nproc"]).stdout())
        all_shards = shards.all_of(count)
        known: dict[str, float] = {}
        if len(all_shards) > 1:
            known = await self._build.durations(folder.path)
            self._run.note(shards.told_of(len(all_shards), known))
            image = with_sharding(image, known)
        lives = [self._run.live] if count == 1 else [self._run.live.part() for _ in all_shards]
        self._told = [Told(each, live, folder.log(each.log)) for each, live in zip(all_shards, lives, strict=True)]
        with self._run.step("tests"), explained():
            places = [path for each in all_shards for path in (self._of(each), self._results(each))]
            await (
                self._live(self._image)
                .with_user("root")
                .with_exec(["install", "--directory", "--owner=1000", "--group=1000", *parents(places)])
                .sync()
            )
            async with anyio.create_task_group() as looking:
                looking.start_soon(self._keep_looking)
                await together(*(self._shard(plan, image, each).sync() for each in all_shards))
                looking.cancel_scope.cancel()
            await self._look()
            if any(each.exit_code == OUT_OF_TIME for each in self._told):
                raise BrokenError(out_of_time(plan.config.timeouts.job))
        if len(all_shards) > 1:
            with self._run.step("combine coverage"), explained():
                await self._combine(image)
        return shards.joint_code([each.exit_code or 0 for each in self._told])

    def _shard(self, plan: Plan, image: dagger.Container, shard: Shard) -> dagger.Container:
        """Return a container that runs the tests of a shard."""
        results = self._results(shard)
        variables = plan.variables(results) | {contract.ENV_RUN_ID: f"{self._run.request.run_id}{shard.suffix}"}
        arguments = plan.pytest_arguments(results, variables=variables)
        own = {
            reporter.ENV_EVENTS: f"{self._of(shard)}/{EVENTS}",
            "FLOE_LIVE": self._of(shard),
            "PYTHONPATH": REPORTER,
        }
        image = self._live(image).with_new_file(
            f"{REPORTER}/{reporter.REPORTER}.py", reporter.source(), permissions=0o644
        )
        if not shard.is_all:
            part = f"{REPORTER}/shard.json"
            durations = f"{REPORTER}/{shards.DURATIONS}"
            text = shard.part(together=plan.tier.keep_together, durations=durations, folder=results)
            image = image.with_new_file(part, text, permissions=0o644)
            own |= {reporter.ENV_SHARD: part, "COVERAGE_FILE": f"{self._of(shard)}/.coverage"}
            arguments = ("-p", reporter.SHARD, *arguments)
        for name, value in (expand_environment(plan.tier.environment, variables) | variables | own).items():
            image = image.with_env_variable(name, value)
        return image.with_exec(["sh", "-c", RUN_TESTS, "sh", str(plan.config.timeouts.job), "pytest", *arguments])

    async def _combine(self, image: dagger.Container) -> None:
        """Make one report of what the shards measured; that it can't be is told, and fails no test."""
        combining = self._live(image).with_env_variable("PYTHONPATH", REPORTER)
        done = combining.with_exec(["sh", "-euc", COMBINE], expect=ReturnType.ANY)
        if await done.exit_code():
            *_, last = (await done.stderr()).strip().splitlines() or ["it said nothing"]
            self._run.note(f"the shards' coverage could not be combined: {last}")
        elif said := (await done.stdout()).strip().splitlines():
            self._run.live.too_little = shards.too_little(said[-1])

    async def collect(self) -> tuple[str, ...]:
        """Bring what the tests left out of the volume."""
        if not self._told or self._image is None:
            return ()
        with self._run.step("collect"), explained(), TemporaryDirectory(prefix="floe-ci-") as private:
            await self._look()
            for each in self._told:
                each.close()
            out = self._live(self._image).with_user("root").with_exec(["sh", "-c", COLLECT]).directory("/out")
            await out.export(private)
            listed = Path(private) / "left-out"
            left_out = listed.read_text(errors="replace").splitlines() if listed.exists() else []
            notes = await in_thread(lambda: self._run.folder.gather(Path(private) / "raw"))
            return (*notes, *(f"{name.removeprefix('./')}: no file, and left out" for name in left_out))

    def kept(self) -> tuple[str, ...]:
        """Nothing is: the container is gone with its tests."""
        return ()

    async def leave(self, *, keep: bool, hurry: bool) -> None:  # noqa: ARG002 - there is nothing to keep
        """Empty the run's part of the volume."""
        if self._told and self._image is not None and not hurry:
            await self._live(self._image).with_user("root").with_exec(["rm", "-rf", self._place]).sync()

    @property
    def _place(self) -> str:
        return f"{LIVE}/{self._run.request.run_id}"

    def _live(self, image: dagger.Container) -> dagger.Container:
        """Return a container that has the volume, and is none that the engine remembers the result of."""
        return (
            image.with_mounted_cache(LIVE, dag.cache_volume(VOLUME), sharing=CacheSharingMode.SHARED)
            .with_env_variable("FLOE_LIVE", self._place)
            .with_env_variable("FLOE_CI_CALL", uuid.uuid4().hex)
        )

    async def _keep_looking(self) -> None:
        while True:
            await anyio.sleep(LOOKING)
            await self._look()

    async def _look(self) -> None:
        """Take what is new of the tests' events and logs, and pytest's exit code where it has ended."""
        assert self._image  # noqa: S101 - there are tests
        since = [word for each in self._told for word in each.since]
        out = self._live(self._image).with_user("root").with_exec(["sh", "-c", LOOK, "sh", *since]).directory("/out")
        with TemporaryDirectory(prefix="floe-ci-") as private:
            await out.export(private)
            for each in self._told:
                each.look(Path(private) / each.shard.folder)

    def _of(self, shard: Shard) -> str:
        """Return the folder of a shard in the volume."""
        return "/".join(filter(None, (self._place, shard.folder)))

    def _results(self, shard: Shard) -> str:
        """Return where its tests leave theirs."""
        return "/".join(filter(None, (f"{self._place}/results", shard.folder)))


def with_sharding(image: dagger.Container, durations: Mapping[str, float]) -> dagger.Container:
    """Return the runner image with what shards have beside the reporter."""
    for name in SHARDING:
        image = image.with_new_file(f"{REPORTER}/{name}.py", reporter.source(name), permissions=0o644)
    return image.with_new_file(f"{REPORTER}/{shards.DURATIONS}", json.dumps(dict(durations)), permissions=0o644)


def parents(places: Iterable[str]) -> list[str]:
    """Return the folders with those that they are in, below the volume, for one owner of all."""
    found = {str(each) for place in places for each in (PurePosixPath(place), *PurePosixPath(place).parents)}
    return sorted(each for each in found if each.startswith(f"{LIVE}/"))
