"""`python -m floe_ci.holder`: the process that keeps a cluster for one repository, and brings it up to date when asked.

It reads a request, brings the cluster up with its services in one Dagger session, opens its API on this machine, and
waits until it is told to stop or nobody has used it for long. Runs are ordered through a socket, and carried out here:
the session that has the cluster is the one whose engine can put images into it, and all that takes long to load is
loaded.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import yaml

from floe_ci import held_cluster, lacking
from floe_ci.build import RUNNER_IMAGE, Build
from floe_ci.cluster import API_PORT
from floe_ci.driver import job
from floe_ci.driver.run import ClusterRun
from floe_ci.engine import explained
from floe_ci.errors import RunError, UserError, first_of
from floe_ci.held_cluster import Deployed, Held
from floe_ci.interrupts import Interrupts
from floe_ci.lines import Lines
from floe_ci.local import messages
from floe_ci.manifests import Manifests
from floe_ci.named_clusters import bring_up
from floe_ci.origin import of_this_machine, secret, source_of
from floe_ci.places.held import HeldStay
from floe_ci.places.kind import SERVICES_NAMESPACE, connect
from floe_ci.plan import Plan
from floe_ci.product import product
from floe_ci.repository import current_key
from floe_ci.run import run
from floe_ci.steps import Timings
from floe_ci.tasks import in_thread, together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from floe_ci.cluster import Cluster
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.listeners import Listener
    from floe_ci.manifests import Document
    from floe_ci.origin import Origin
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.run import Run

LOOKING: Final = 0.3
"""Seconds between two looks at whether to stop."""
KEEPS_RUNNER: Final = "floe-runner-image"


class NoLogs:
    """Takes no log: what services say is read by each run."""

    def log(self, name: str) -> NoLogs:  # noqa: ARG002 - whatever it is
        """Open nothing."""
        return self

    def line(self, text: str) -> None:
        """Take a line."""

    def close(self) -> None:
        """Take no more."""


@dataclass
class Holder:
    """A cluster in this process's session, and what is in it."""

    name: str
    asked: RunRequest
    origin: Origin
    cluster: Cluster
    apis: Apis
    kubeconfig: Path
    socket: Path
    since: datetime
    background: TaskGroup
    """For what nobody waits for; it ends with the cluster."""

    def __post_init__(self) -> None:
        """Begin without knowing what is there."""
        self.held: Held | None = None
        """What is known of the cluster, once it is up."""
        self._lock = anyio.Lock()
        self._spec: RunSpec | None = None
        self._ahead: list[RunSpec] = []

    async def refresh(self, asked: RunRequest, listener: Listener) -> Held:
        """Bring services and runner up to what the repository holds now, make that known and return it.

        Raises:
            UserError: The repository asks for what can't be.
            RunError: Something broke; what was there before may be there in part.
        """
        async with self._lock:
            timings = Timings(listener=listener)
            # What it came up with stays: its nodes are those, whatever this run would have taken.
            request = replace(
                asked,
                tier=self.asked.tier,
                run_id=self.asked.run_id,
                node_image=self.asked.node_image,
                kubernetes_version=self.asked.kubernetes_version,
            )
            password = secret(request.registry_password)
            origin = replace(self.origin, source=source_of(request, fresh=True), password=password)
            before = await in_thread(lambda: current_key(Plan.read(request)))
            with timings.step("configure"):
                build = await Build.read(origin, request, timings, fresh=True)
            await lacking.require_whole(build, self.cluster.tools)
            runner, plan = await together(build.runner(), build.manifests(self.cluster.tools, SERVICES_NAMESPACE))
            images = await build.services(plan) | {RUNNER_IMAGE: runner}
            names = await build.load(self.cluster, images)
            pulled = replace(plan, services=Manifests((*plan.services.documents, runner_on_every_node())))
            # The services' own names end in nothing: those of runs do.
            spec = pulled.spec(names.__getitem__, namespace=SERVICES_NAMESPACE).model_copy(update={"suffix": ""})
            with timings.step("services ready"):
                await in_thread(lambda: self._deploy(spec))
            # A file that was changed meanwhile may be in it or not.
            after = await in_thread(lambda: current_key(Plan.read(request)))
            key = before if before == after else ""
            deployed = Deployed(
                key=key,
                services=spec.services,
                addons=spec.addons,
                job=spec.runner,
                runner_image=names[RUNNER_IMAGE],
            )
            self.held = self._held(deployed)
            held_cluster.write(self.held)
            await in_thread(lambda: self._wait_with(spec))
            return self.held

    def ahead(self) -> str:
        """Return what the names of a pod end in that waits for a run's tests, which is that run's now; or nothing."""
        return self._ahead.pop().suffix if self._ahead else ""

    async def be_ahead(self) -> None:
        """Have a pod wait for the tests of the next run; without one, that makes its own."""
        async with self._lock:
            if self._spec and not self._ahead:
                spec = self._spec
                with suppress(UserError, RunError):
                    await in_thread(lambda: self._make_ahead(spec))
        give_back()

    def _wait_with(self, spec: RunSpec) -> None:
        """Let go of the pods that wait with what was there before, and have one wait with this."""
        old, self._ahead = self._ahead, []
        for each in old:
            job.clear(self.apis, each)
        self._spec = spec
        self._make_ahead(spec)

    def _make_ahead(self, spec: RunSpec) -> None:
        ahead = spec.model_copy(update={"suffix": f"-{uuid.uuid4().hex[:8]}", "is_ahead": True, "shards": 1})
        ClusterRun(self.apis, ahead, NoLogs(), threading.Event()).make_job()
        self._ahead.append(ahead)

    def _deploy(self, spec: RunSpec) -> None:
        alone = spec.model_copy(update={"runner": ""})
        with ClusterRun(self.apis, alone, NoLogs(), threading.Event()) as run:
            run.prepare()
            run.services(follow=False)

    def _held(self, deployed: Deployed) -> Held:
        return Held(
            name=self.name,
            source=self.asked.source,
            tier=self.asked.tier,
            since=self.since,
            idle=self.asked.idle,
            run_id=self.asked.run_id,
            namespace=SERVICES_NAMESPACE,
            kubeconfig=self.kubeconfig,
            socket=self.socket,
            product=product(),
            deployed=deployed,
        )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out an order, and tell whoever gave it of each step."""
        said = Said(writer)
        try:
            order = messages.Order.read(await reader.readline())
            # Before anything is made of it: whether the cluster is up to date depends on where images come from.
            asked = order.request.taking_from_where(self.asked)
            with explained():
                if order.action == "up":
                    await self.refresh(asked, said)
                    said.send(messages.Up())
                else:
                    await self._run(asked, reader, said)
                    said.send(messages.Done())
        except (UserError, RunError) as error:
            said.send(messages.Refused(text=str(error), broken=isinstance(error, RunError)))
        except Exception as error:  # noqa: BLE001 - the cluster stays, whatever one run asked for
            said.send(messages.Refused(text=f"{type(error).__name__}: {error}", broken=True))
        finally:
            said.close()

    async def _run(self, request: RunRequest, reader: asyncio.StreamReader, said: Said) -> None:
        """Carry out a run; whoever asked for it hands its signals on, and is one itself when it is gone."""
        interrupts = Interrupts(said.note, ours=False)

        async def hear() -> None:
            while line := await reader.readline():
                interrupts.interrupt(int(line))
            interrupts.interrupt(signal.SIGHUP)

        async with anyio.create_task_group() as hearing:
            hearing.start_soon(hear)
            await run(request, HolderPlace(self), said, interrupts)
            hearing.cancel_scope.cancel()
        self.background.start_soon(self.be_ahead)


class HolderPlace:
    """The cluster, as a place that the story of a run is told of."""

    name: PlaceName = "dagger"

    def __init__(self, holder: Holder) -> None:
        """Take who holds it."""
        self._holder = holder

    def stay(self, run: Run) -> HeldStay:
        """Return a run's stay."""
        return HeldStay(run, self._holder.held, self._holder.refresh, self._holder.ahead)


class Said(messages.Teller):
    """Tells whoever gave an order what is done, through their connection, from any thread."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        """Prepare."""
        self._writer, self._loop = writer, asyncio.get_running_loop()

    def send(self, message: messages.Message) -> None:
        """Write a message."""
        self._loop.call_soon_threadsafe(self._write, message.line().encode())

    def close(self) -> None:
        """Say no more, once all has been said."""
        self._loop.call_soon_threadsafe(self._writer.close)

    def _write(self, line: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(line)


async def hold(asked: RunRequest) -> None:
    """Bring a repository's cluster up, and hold it until this process is told to stop, or nobody uses it."""
    name = held_cluster.name_of(asked.source)
    with held_cluster.holding(name), explained():
        async with of_this_machine(asked) as origin, ended_early(name) as is_up:
            told = Lines()
            cluster, _ = await together(
                bring_up(origin, asked, None, told, services=True),
                build_ahead(origin, asked),
            )
            try:
                async with (
                    opened(name, cluster) as (kubeconfig, apis),
                    listening() as (server, path),
                    anyio.create_task_group() as background,
                ):
                    since = datetime.now(UTC)
                    holder = Holder(name, asked, origin, cluster, apis, kubeconfig, path, since, background)
                    with explained():
                        await holder.refresh(asked, told)
                    async with await asyncio.start_unix_server(holder.answer, sock=server):
                        await is_up()
                        await told_to_stop(name, asked.idle)
                    background.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await cluster.kill()


@asynccontextmanager
async def ended_early(name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """End what is done in here when this process is told to stop; yield what is called when that is heard elsewhere.

    Raises:
        UserError: It was told so.
    """
    waiting, is_over, is_told = anyio.CancelScope(), anyio.Event(), False

    async def end() -> None:
        nonlocal is_told
        with waiting:
            await told_to_stop(name, inf)
            is_told = True
            doing.cancel_scope.cancel()
        is_over.set()

    async def is_up() -> None:
        waiting.cancel()
        # Two that hear signals at a time would leave none.
        await is_over.wait()

    async with anyio.create_task_group() as doing:
        doing.start_soon(end)
        try:
            yield is_up
        finally:
            waiting.cancel()
    if is_told:
        msg = "it was told to end before"
        raise UserError(msg)


def give_back() -> None:
    """Give the memory that a run took back to the machine: a cluster stays for hours, and has many runs."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # of the GNU C library alone


def runner_on_every_node() -> Document:
    """Return what has every node pull the runner image before a run needs it, and keep it."""
    labels = {"app.kubernetes.io/name": KEEPS_RUNNER}
    container = {
        "name": "runner",
        "image": RUNNER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "16Mi"}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": KEEPS_RUNNER, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


async def build_ahead(origin: Origin, asked: RunRequest) -> None:
    """Build the runner while the cluster starts; what is wrong with it is told when it is needed."""
    try:
        await (await Build.read(origin, asked, Timings())).runner()
    except (UserError, RunError):
        return


@asynccontextmanager
async def opened(name: str, cluster: Cluster) -> AsyncIterator[tuple[Path, Apis]]:
    """Open a cluster's API on this machine; yield a kubeconfig's path, and clients."""
    async with cluster.opened_api(API_PORT) as port:
        text = await cluster.kubeconfig()
        path = held_cluster.file(name, "kubeconfig")
        path.touch(mode=0o600)
        path.write_text(in_namespace(text.replace(f"//cluster:{API_PORT}", f"//localhost:{port}")), encoding="utf-8")
        yield path, connect(text, f"https://127.0.0.1:{port}")


def in_namespace(kubeconfig: str) -> str:
    """Return a kubeconfig whose context is in the services' namespace."""
    document = yaml.safe_load(kubeconfig)
    for each in document["contexts"]:
        each["context"]["namespace"] = SERVICES_NAMESPACE
    return str(yaml.safe_dump(document))


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[socket.socket, Path]]:
    """Make a socket that this user alone can reach; its path is short, whatever the user's home is called."""
    folder = Path(tempfile.mkdtemp(prefix="floe-ci-"))
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "holder"))
            # The cluster is known a moment before orders are answered: until then they wait.
            server.listen()
            yield server, folder / "holder"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def told_to_stop(name: str, idle: float) -> None:
    """Wait until a signal or a file says so, or the cluster has not been used for `idle` seconds."""
    stop, file = anyio.Event(), held_cluster.file(name, "stop")
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as waiting:

            async def hear() -> None:
                async for _ in signals:
                    stop.set()

            waiting.start_soon(hear)
            while not stop.is_set() and not file.exists():
                used = held_cluster.unused_since(name)
                if used is not None and time.time() - used > idle:
                    break
                await anyio.sleep(LOOKING)
            waiting.cancel_scope.cancel()


def main() -> None:
    """Read the request and hold the cluster."""
    asked = messages.Order.read(sys.stdin.buffer.read()).request
    try:
        anyio.run(hold, asked)
    except BaseException as error:
        first = first_of(error)
        if not isinstance(first, UserError | RunError):
            raise
        sys.exit(str(first))


if __name__ == "__main__":
    main()
