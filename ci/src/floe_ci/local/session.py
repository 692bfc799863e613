"""A run's stay on this machine: services and tests are processes of the worker's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from floe_ci import contract, reporter, shards, unmet
from floe_ci.ends import out_of_time
from floe_ci.errors import BrokenError, UserError
from floe_ci.local import environments, kept, variables
from floe_ci.local.combined import combine
from floe_ci.local.files import cache
from floe_ci.local.kept import Kept
from floe_ci.local.offer import Offer
from floe_ci.local.processes import ended_after, spawn
from floe_ci.local.services import Services
from floe_ci.local.workspace import Workspace
from floe_ci.plan import Plan
from floe_ci.selection import refuse_debugger_of_workers, refuse_workers
from floe_ci.tasks import in_thread, together
from floe_ci.toml_files import read_text
from floe_ci.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from floe_ci.folder import LogFile
    from floe_ci.live import LiveTests
    from floe_ci.local.messages import Channel
    from floe_ci.run import Run
    from floe_ci.shards import Shard

IN_USE: Final = "services: those that `floe-ci up --on local` left running"
TOO_FEW: Final = "services: own ones, since those that are up were made for {made} of {wanted} shards"
LEFT: Final = (
    "services: left running; the next `floe-ci test --on local` uses them, `floe-ci down --on local` ends them"
)
HANDED_OVER: Final = b"pytest had the terminal: what it said was said there\n"
GRACE: Final = 30.0
"""Seconds that pytest has to write down what it knows, when its time is over."""
HURRY: Final = 2.0
"""The same where somebody waits: the run was interrupted."""
EVENTS: Final = "events.jsonl"
"""In a shard's folder: what its reporter tells."""
LOG: Final = "runner.log"
"""The same, of what its pytest prints."""
HANDED: Final = "handed.jsonl"
"""The same, of what it is handed, where tests are handed out."""
FOLLOWING: Final = 0.2
"""Seconds between two looks at what processes have written."""
KILLED: Final = 128
"""What a shell adds to a signal's number for the exit code of what it ended."""


class LocalStay:
    """A run's stay on this machine."""

    def __init__(self, run: Run, channel: Channel, terminal: tuple[int, int] | None = None) -> None:
        """Prepare; nothing runs yet. The tests get a terminal, where there is one for them."""
        self._run, self._channel, self._terminal = run, channel, terminal
        self._stack = ExitStack()
        self._offer: Offer | None = None
        self._make_known: Callable[[Kept], None] | None = None
        self._workspace: Workspace | None = None
        self._there: Services | Kept | None = None
        self._python: Path | None = None
        self._following: list[Following | Logs] = []
        self._queue: WorkQueue | None = None
        self._ahead: Ahead | None = None

    async def enter(self) -> None:
        """Read what is asked for, and find the services: those that are kept, or own ones in a folder of the run's."""
        request = self._run.request
        with self._run.step("configure"):
            plan = Plan.read(request)
            refuse_debugger_of_workers(request.selection)
            self._offer = offer = Offer.of(plan)
            # Without tests nothing is installed, so a repository need not say what.
            self._packages = environments.of_tests(request.source, plan.config) if self._run.with_tests else None
            if self._packages:
                unmet.refuse(request.source, plan.config, request.tier, by_paths=not request.selection.tests)
            if self._packages and self._packages.lock:
                refuse_workers(plan.tier, request.selection, read_text(self._packages.lock) or "")
        there = kept.find(request.source) if self._run.with_tests and not request.fresh else None
        there = there if there and set(offer.services) <= set(there.services) else None
        if there and offer.grows and there.shards < (wanted := served(plan)):
            self._run.note(TOO_FEW.format(made=there.shards, wanted=wanted))
            there = None
        for line in (IN_USE,) if there else first_lines(offer):
            self._run.note(line)
        if not self._run.with_tests or (request.keep and not there):
            # Claimed now, because a claim has to outlast the workspace.
            self._make_known = self._stack.enter_context(kept.claim(request.source))
        self._workspace = workspace = self._stack.enter_context(Workspace())
        self._raw = workspace.folder / "results"
        self._raw.mkdir(mode=0o700)
        self._there = there or Services(workspace, workspace.folder / "logs", self._run.timings)

    async def services(self) -> None:
        """Start the services, while the packages of the tests are installed, and pytest is loaded."""
        assert self._offer  # noqa: S101 - the story enters first
        jobs = [self._install()] if self._run.with_tests else []
        if isinstance(self._there, Services):
            plan = self._offer.plan
            limit, count = plan.config.timeouts.services, served(plan)
            jobs.append(self._there.start(self._offer.offered, limit, self._run.folder.redactor.add, count))
        elif self._there:
            self._run.folder.redactor.add(self._there.passwords)
        if self._there:
            self._follow(self._there.logs)
        try:
            await together(*jobs)
        except BaseException:
            if self._ahead:
                with anyio.CancelScope(shield=True):
                    await self._ahead.give_up()
            raise

    async def tests(self) -> int:
        """Run pytest, a process for each shard, and follow what they write."""
        offer, workspace = self._offer, self._workspace
        assert offer and workspace  # noqa: S101, PT018 - the story enters first
        plan = offer.plan
        count = plan.shards
        all_shards = shards.all_of(usable_processors() if count == "auto" else count)
        if len(all_shards) == 1:
            with self._run.step("tests"):
                return await self._shard(all_shards[0], self._run.live)
        known = plan.durations(self._run.folder.path)
        (workspace.folder / shards.DURATIONS).write_text(json.dumps(known), encoding="utf-8")
        self._run.note(shards.told_of(len(all_shards), known, plan.schedule))
        is_dynamic = plan.schedule == "dynamic"
        with self._run.step("tests"):
            parts = [self._run.live.part(is_handed_out=is_dynamic) for _ in all_shards]
            self._queue = WorkQueue(parts, self._hand_out) if is_dynamic else None
            codes: list[int] = await together(*map(self._shard, all_shards, parts))
        with self._run.step("combine coverage"):
            await self._combine(all_shards)
        return shards.joint_code(codes)

    async def _shard(self, shard: Shard, live: LiveTests) -> int:
        """Run one shard's pytest, and return its exit code."""
        assert self._offer  # noqa: S101 - the story enters first
        limit, (folder, _) = self._offer.plan.config.timeouts.job, self._folders(shard)
        child = self._ahead.let_go() if self._ahead else await self._started(shard)
        self._run.beside(partial(in_thread, load_end))
        self._follow(folder / LOG, shard.log)
        heard = Following(folder / EVENTS, partial(self._queue.hear, shard.index) if self._queue else live.feed)
        self._following.append(heard)
        self._run.beside(heard.keep_on)
        async with ended_after(child):
            # Somebody who looks around has no haste.
            live.process_code = await self._ended(child, None if self._terminal else limit)
        if self._queue:
            heard.look()
            self._queue.end(shard.index, whole=live.exit_code is not None)
        return live.process_code

    async def _started(self, shard: Shard, gate: int | None = None) -> asyncio.subprocess.Process:
        """Start one shard's pytest, which waits at a gate if it is given one."""
        offer, workspace, there = self._offer, self._workspace, self._there
        assert offer and workspace and there and self._python  # noqa: S101, PT018 - the story enters first
        plan = offer.plan
        folder, raw = self._folders(shard)
        (folder / EVENTS).touch()
        given = {
            **found(there),
            reporter.ENV_EVENTS: str(folder / EVENTS),
        }
        environment = variables.environment(offer.of_shard(shard), self._python, folder, raw, given)
        path = os.pathsep.join(filter(None, (str(reporter.FOLDER), environment.get("PYTHONPATH"))))
        # What pytest remembers is of one process: several would each forget what the others did.
        remembered = str(cache("pytest", contract.up_name(str(plan.request.source)))) if shard.is_all else ""
        arguments = offer.plan_for_pytest().pytest_arguments(str(raw), variables=environment, cache=remembered)
        if not shard.is_all:
            part, known = folder / "shard.json", workspace.folder / shards.DURATIONS
            text = shard.part(
                together=plan.tier.keep_together,
                durations=str(known),
                folder=str(raw),
                handed=str(folder / HANDED) if self._queue else "",
            )
            part.write_text(text, encoding="utf-8")
            environment[reporter.ENV_SHARD] = str(part)
            arguments = ("-p", reporter.SHARD, *arguments)
        environment["PYTHONPATH"] = path
        if gate is not None:
            environment[contract.ENV_GATE] = str(gate)
        command = (str(self._python / "bin" / "python"), "-m", "pytest", *arguments)
        with (folder / LOG).open("wb") as output:
            reading, writing = self._terminal or (asyncio.subprocess.DEVNULL, output.fileno())
            if self._terminal:
                output.write(HANDED_OVER)
                output.flush()
            also = () if gate is None else (gate,)
            return await spawn(command, environment, plan.request.source, writing, given=reading, also=also)

    def _hand_out(self) -> None:
        """Hand out to each shard what there is for it."""
        assert self._queue  # noqa: S101 - somebody asked
        for part in shards.all_of(len(self._run.live.parts)):
            if text := self._queue.hand_out(part.index):
                folder, _ = self._folders(part)
                with (folder / HANDED).open("a", encoding="utf-8") as file:
                    file.write(text)

    def _folders(self, shard: Shard) -> tuple[Path, Path]:
        """Return where a shard's files are, and where its tests leave theirs."""
        assert self._workspace  # noqa: S101 - the story enters first
        folder, raw = self._workspace.folder / shard.folder, self._raw / shard.folder
        for each in (folder, raw):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder, raw

    async def _combine(self, all_shards: Sequence[Shard]) -> None:
        """Make one report of what the shards measured; that it can't be is told, and fails no test."""
        offer, python, there = self._offer, self._python, self._there
        assert offer and python and there and self._workspace  # noqa: S101, PT018 - the story enters first
        folders = [self._folders(shard) for shard in all_shards]
        environment = variables.environment(offer, python, self._workspace.folder, self._raw, found(there))
        data = [folder / "tmp" / ".coverage" for folder, _ in folders]
        interpreter = python / "bin" / "python"
        try:
            too_little = await combine(
                interpreter,
                environment,
                offer.plan.request.source,
                [raw for _, raw in folders],
                data,
                self._workspace.folder,
            )
        except OSError as error:
            self._run.note(str(error))
            return
        report = self._workspace.folder / "coverage.xml"
        if report.is_file():
            report.replace(self._raw / report.name)
        self._run.live.too_little = too_little

    async def collect(self) -> tuple[str, ...]:
        """Read what the processes have written to its end, and gather what the tests left."""
        if self._workspace is None:
            return ()
        with self._run.step("collect"):
            for following in self._following:
                following.close()
            events = self._there.events if isinstance(self._there, Services) else ""
            self._run.folder.write("events.txt", f"no cluster: the tests ran on this machine\n{events}")
            return await in_thread(lambda: self._run.folder.gather(self._raw))

    def kept(self) -> tuple[str, ...]:
        """Return what becomes of services that are left running."""
        return (LEFT,) if self._make_known and isinstance(self._there, Services) and self._there.names else ()

    async def leave(self, *, keep: bool, hurry: bool) -> None:  # noqa: ARG002 - to kill is quick enough
        """End every process and remove the folder; or live on with the services, until this is cancelled."""
        if keep and self._make_known and self._offer and isinstance(self._there, Services) and self._there.names:
            self._make_known(record(self._offer, self._there))
            self._channel.stay()
            return
        if self._workspace:
            with self._run.step("stop"):
                self._workspace.end()
        self._stack.close()

    def close(self) -> None:
        """End what lived on."""
        self._stack.close()

    async def _install(self) -> None:
        assert self._packages  # noqa: S101 - there are tests
        with self._run.step("install packages"):
            self._python = await environments.ready(self._packages)
        await self._start_ahead()

    async def _start_ahead(self) -> None:
        """Start pytest while services start, where one process runs the tests: it takes as long to load."""
        assert self._offer and self._there  # noqa: S101, PT018 - the story enters first
        starting = isinstance(self._there, Services) and bool(self._there.variables)
        if not starting or self._terminal or self._offer.plan.shards != 1:
            return
        (shard,) = shards.all_of(1)
        gate, opening = os.pipe()
        try:
            self._ahead = Ahead(await self._started(shard, gate), opening)
        except UserError:
            os.close(opening)  # it is told when the tests are to begin
        finally:
            os.close(gate)

    async def _ended(self, child: asyncio.subprocess.Process, limit: int | None) -> int:
        try:
            async with asyncio.timeout(limit):
                code = await child.wait()
            return code if code >= 0 else KILLED - code
        except TimeoutError:
            await interrupted(child, GRACE)
            raise BrokenError(out_of_time(limit)) from None
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await interrupted(child, HURRY)
            raise

    def _follow(self, path: Path, name: str = "") -> None:
        """Have what is written to a log, or to each log of a folder, go into the results as it is written."""
        following: Following | Logs = Logs(path, self._run)
        if path.suffix:
            following = Following(path, self._run.folder.log(name or path.name).line)
        self._following.append(following)
        self._run.beside(following.keep_on)


class Ahead:
    """A pytest that was started before services are ready: the reporter has it wait, before any of the tests' code."""

    def __init__(self, child: asyncio.subprocess.Process, opening: int) -> None:
        """Take the process, and the end of a pipe that it waits at the other end of."""
        self._child, self._opening = child, opening

    def let_go(self) -> asyncio.subprocess.Process:
        """Let it begin with the tests, and return it."""
        with suppress(BrokenPipeError):  # it has ended: its log and its exit code tell why
            os.write(self._opening, b"\n")
        os.close(self._opening)
        return self._child

    async def give_up(self) -> None:
        """End it: there are no services for its tests."""
        os.close(self._opening)
        async with ended_after(self._child):
            pass


class Following:
    """Reads a file as it grows, and hands its lines on."""

    def __init__(self, path: Path, line: Callable[[str], None]) -> None:
        """Prepare; nothing is read yet."""
        self._path, self._line = path, line
        self._place, self._rest, self._over = 0, b"", False

    async def keep_on(self) -> None:
        """Look again and again, until it is closed."""
        while not self._over:
            self.look()
            await anyio.sleep(FOLLOWING)

    def look(self) -> None:
        """Hand on the whole lines that are new."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._place)
            while chunk := file.read(1 << 20):
                self._place += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._line(line.decode(errors="replace"))

    def close(self) -> None:
        """Read to the end."""
        if not self._over:
            self._over = True
            self.look()
            if self._rest:
                self._line(self._rest.decode(errors="replace"))


class Logs:
    """Follows each log of a folder."""

    def __init__(self, folder: Path, run: Run) -> None:
        """Prepare; there may be none yet."""
        self._folder, self._run = folder, run
        self._known: dict[Path, tuple[Following, LogFile]] = {}
        self._over = False

    async def keep_on(self) -> None:
        """Look again and again, until it is closed."""
        while not self._over:
            self.look()
            await anyio.sleep(FOLLOWING)

    def look(self) -> None:
        """Hand on what is new, of logs that are new too."""
        for path in sorted(self._folder.glob("*.log")):
            if path not in self._known:
                log = self._run.folder.log(path.name)
                self._known[path] = Following(path, log.line), log
        for following, _ in self._known.values():
            following.look()

    def close(self) -> None:
        """Read all of them to the end."""
        if not self._over:
            self._over = True
            self.look()
            for following, log in self._known.values():
                following.close()
                log.close()


async def interrupted(child: asyncio.subprocess.Process, grace: float) -> None:
    """Interrupt pytest, and give it time to write down what it knows."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
    with anyio.move_on_after(grace):
        await child.wait()


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_lines(offer: Offer) -> tuple[str, ...]:
    """Return what the reader should know of where the tests run."""
    here = [f"{each.here.name}: {each.here.origin()}" for each in offer.offered]
    missing = [
        f"{service}: not here, and the tests that need it are skipped: {why}" for service, why in offer.absent.items()
    ]
    debian = offer.plan.config.runner.packages
    unmanaged = [f"Debian packages of the runner image are not installed here: {', '.join(debian)}"] if debian else []
    return (*here, *missing, *unmanaged)


def load_end() -> None:
    """Load what a run needs after its tests: while they run there is time for it."""
    from floe_ci import report, results  # noqa: F401, PLC0415 - it is wanted later

    report.load()


def served(plan: Plan) -> int:
    """Return for how many shards a run's services are made on this machine."""
    return plan.shards_of_services(usable_processors())


def found(services: Services | Kept) -> dict[str, str]:
    """Return the variables by which services are found, and their processes."""
    return {**services.variables, contract.ENV_SERVICES_DIR: str(services.pids)}


def record(offer: Offer, services: Services) -> Kept:
    """Return what a later run has to know of services."""
    return Kept(
        source=offer.plan.request.source,
        worker=os.getpid(),
        services=offer.services,
        shards=served(offer.plan),
        variables=services.variables,
        environment=variables.beside(offer, found(services)),
        passwords=services.passwords,
        pids=services.pids,
        logs=services.logs,
    )
