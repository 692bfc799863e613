"""The unit tier's place in the engine: the runner image as a plain container, without a cluster."""

from __future__ import annotations

import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import anyio
from dagger import CacheSharingMode, dag

from floe_ci import lacking, reporter
from floe_ci.build import Build
from floe_ci.config import expand_environment
from floe_ci.engine import explained
from floe_ci.tasks import in_thread

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import dagger

    from floe_ci.folder import LogFile
    from floe_ci.origin import Origin
    from floe_ci.run import Run

VOLUME: Final = "floe-ci-results"
"""The cache volume that tests write to, so that what they leave can be had while they run, and when they are ended."""
LIVE: Final = "/live"
REPORTER: Final = "/opt/floe-reporter"
EVENTS, LOG, EXIT_CODE = "events.jsonl", "runner.log", "exit-code"
RUN_TESTS: Final = """\
timeout --kill-after=30 "$@" > "$FLOE_LIVE/runner.log" 2>&1
echo $? > "$FLOE_LIVE/exit-code"
"""
"""The exit code goes through a file: the engine takes some codes for its own failures."""
LOOK: Final = """\
mkdir -p /out; cd "$FLOE_LIVE"
tail -c "+$1" events.jsonl > /out/events.jsonl 2> /dev/null
tail -c "+$2" runner.log > /out/runner.log 2> /dev/null
[ ! -e exit-code ] || cp exit-code /out
"""
COLLECT: Final = """\
mkdir -p /out/raw; cd "$FLOE_LIVE/results" 2> /dev/null || exit 0
find . -type f -print0 | tar --create --null --no-recursion --files-from - | tar --extract --directory /out/raw
find . ! -type f ! -type d > /out/left-out
"""
"""The engine's own way out would stop at a socket."""
LOOKING: Final = 1.5
"""Seconds between two looks at how the tests go."""


class ContainerStay:
    """A run's stay in a container of its own."""

    def __init__(self, run: Run, origin: AbstractAsyncContextManager[Origin]) -> None:
        """Prepare; `origin` is opened when the run enters."""
        self._run, self._origin = run, origin
        self._image: dagger.Container | None = None
        self._build: Build | None = None
        self._seen = {EVENTS: 0, LOG: 0}
        self._rest = {EVENTS: b"", LOG: b""}
        self._log: LogFile | None = None

    async def enter(self) -> None:
        """Build the runner image."""
        with explained():
            with self._run.step("configure"):
                origin = await self._run.held.hold(self._origin)
                self._build = await Build.read(origin, self._run.request, self._run)
            self._run.note_undivided(self._build.plan.undivided())
            if self._build.registry.bundle:
                with self._run.step("bundle"):
                    await lacking.require_whole(self._build)
            self._image = await self._build.runner()

    async def services(self) -> None:
        """There are none."""

    async def tests(self) -> int:
        """Run the tests, and look how they go."""
        assert self._image  # noqa: S101 - the story enters first
        assert self._build  # noqa: S101 - as above
        plan = self._build.plan
        self._log = self._run.folder.log(f"{LOG}")
        results = f"{self._place}/results"
        variables = plan.variables(results)
        own = variables | {
            reporter.ENV_EVENTS: f"{self._place}/{EVENTS}",
            "FLOE_LIVE": self._place,
            "PYTHONPATH": REPORTER,
        }
        image = self._live(self._image).with_new_file(
            f"{REPORTER}/{reporter.REPORTER}.py", reporter.source(), permissions=0o644
        )
        environment = expand_environment(plan.tier.environment, variables) | own
        for name, value in environment.items():
            image = image.with_env_variable(name, value)
        command = [
            "sh",
            "-c",
            RUN_TESTS,
            "sh",
            str(plan.config.timeouts.job),
            "pytest",
            *plan.pytest_arguments(results, variables=variables),
        ]
        with self._run.step("tests"), explained():
            await (
                self._live(self._image)
                .with_user("root")
                .with_exec(["install", "--directory", "--owner=1000", "--group=1000", self._place, results])
                .sync()
            )
            async with anyio.create_task_group() as looking:
                looking.start_soon(self._keep_looking)
                await image.with_exec(command).sync()
                looking.cancel_scope.cancel()
            return await self._look() or 0

    async def collect(self) -> tuple[str, ...]:
        """Bring what the tests left out of the volume."""
        if self._log is None or self._image is None:
            return ()
        with self._run.step("collect"), explained(), TemporaryDirectory(prefix="floe-ci-") as private:
            await self._look()
            for name in self._rest:
                self._take(name, b"\n" if self._rest[name] else b"")
            self._log.close()
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
        if self._log is not None and self._image is not None and not hurry:
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

    async def _look(self) -> int | None:
        """Take what is new of the tests' events and log; return pytest's exit code, or None while it runs."""
        assert self._image  # noqa: S101 - there are tests
        since = [str(self._seen[name] + 1) for name in (EVENTS, LOG)]
        out = self._live(self._image).with_user("root").with_exec(["sh", "-c", LOOK, "sh", *since]).directory("/out")
        with TemporaryDirectory(prefix="floe-ci-") as private:
            await out.export(private)
            for name in (EVENTS, LOG):
                self._take(name, (Path(private) / name).read_bytes())
            ended = Path(private) / EXIT_CODE
            return int(ended.read_text(encoding="ascii")) if ended.exists() else None

    def _take(self, name: str, new: bytes) -> None:
        """Hand whole lines on."""
        self._seen[name] += len(new)
        *lines, self._rest[name] = (self._rest[name] + new).split(b"\n")
        assert self._log  # noqa: S101 - there are tests
        take = self._run.live.feed if name == EVENTS else self._log.line
        for line in lines:
            take(line.decode(errors="replace"))
