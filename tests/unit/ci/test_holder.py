"""What holds a cluster that stays: how long it does, and who can ask it for something."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import subprocess
import weakref
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import yaml
from floe_ci import held_cluster, holder, lacking
from floe_ci.build import Build
from floe_ci.errors import UserError
from floe_ci.held_cluster import Deployed
from floe_ci.lines import Lines
from floe_ci.local import messages
from floe_ci.origin import Origin
from floe_ci.plan import Plan
from floe_ci.registry import Bundle, Registry
from floe_ci.repository import current_key
from floe_ci.request import RunRequest

from tests.unit.ci.test_bundle_file import CONTENTS
from tests.unit.ci.test_held_cluster import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from floe_ci.held_cluster import Held

pytestmark = [pytest.mark.requirement("REQ-648"), pytest.mark.anyio]

LONG = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    """Have the loop that the holder has."""
    return "asyncio"


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a cluster's name, in a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (held_cluster.state() / "shop.use").touch()
    return "shop"


async def ends(name: str, idle: float, *, within: float = 20) -> bool:
    """Tell whether the wait ends."""
    with anyio.move_on_after(within) as scope:
        await holder.told_to_stop(name, idle)
    return not scope.cancelled_caught


async def test_told(name: str) -> None:
    """It ends when it is told to, however long it might have stayed."""
    held_cluster.file(name, "stop").touch()
    assert await ends(name, LONG)


@pytest.mark.timeout(60)
async def test_told_before_it_is_up(name: str) -> None:
    """What comes up is ended when it is told so; what is up hears it elsewhere, and idleness is no reason before."""
    os.utime(held_cluster.file(name, "use"), (0, 0))
    async with holder.ended_early(name) as is_up:
        await is_up()
        held_cluster.file(name, "stop").touch()
        assert await ends(name, LONG)
    with pytest.raises(UserError, match="it was told to end before"):
        async with holder.ended_early(name):
            await anyio.sleep_forever()


async def test_unused(name: str) -> None:
    """A cluster that nobody has used for long ends by itself."""
    os.utime(held_cluster.file(name, "use"), (0, 0))
    assert await ends(name, LONG)


async def test_used_lately(name: str) -> None:
    """One that was used a moment ago stays."""
    assert not await ends(name, LONG, within=1)


async def test_in_use(name: str, tmp_path: Path) -> None:
    """One that is in use stays, however long the run has been going on."""
    os.utime(held_cluster.file(name, "use"), (0, 0))
    with held_cluster.using(record(tmp_path, name=name)):
        assert not await ends(name, LONG, within=1)


async def test_socket() -> None:
    """The socket is this user's alone, has a path that is short enough, and goes with its holder."""
    async with holder.listening() as (_, path):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(str(path)) < 100
    assert not path.parent.exists()


@pytest.mark.timeout(30)
async def test_order_before_any_is_answered() -> None:
    """An order that comes before its holder answers any waits for that."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async with holder.listening() as (server, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"order\n")
        async with await asyncio.start_unix_server(answer, sock=server):
            assert await reader.readline() == b"order\n"
        writer.close()


def test_namespace() -> None:
    """Other tools that take the kubeconfig are in the services' namespace."""
    given = {"contexts": [{"name": "kind-floe", "context": {"cluster": "kind-floe", "user": "kind-floe"}}]}
    (context,) = yaml.safe_load(holder.in_namespace(yaml.safe_dump(given)))["contexts"]
    assert context["context"] == {"cluster": "kind-floe", "user": "kind-floe", "namespace": "floe-test"}


@asynccontextmanager
async def holding(there: Held, **given: object) -> AsyncIterator[None]:
    """Have a holder listen that knows of a cluster which is gone, and was brought up with `given`."""
    nothing: Any = None
    asked = RunRequest(source=there.source, **given)  # type: ignore[arg-type]
    one = holder.Holder(
        there.name, asked, nothing, nothing, nothing, there.kubeconfig, there.socket, there.since, nothing
    )
    one.held = there
    async with anyio.create_task_group() as one.background, await asyncio.start_unix_server(one.answer, there.socket):
        yield
        one.background.cancel_scope.cancel()


@pytest.fixture
def there(tmp_path: Path, git_program: str) -> Held:
    """Return a cluster that is gone, of a repository that is here."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/pyproject.toml").write_text("[tool.floe-ci.tiers.integration]\nservices = []\n", encoding="utf-8")
    subprocess.run([git_program, "init", "--quiet", str(tmp_path / "shop")], check=True, timeout=30)
    key = current_key(Plan.read(RunRequest(source=tmp_path / "shop")))
    deployed = Deployed(key=key, services="", job="", runner_image="floe.local/runner:1")
    return record(tmp_path / "shop", socket=tmp_path / "holder", deployed=deployed)


async def judged(there: Held, *, says: str = "", goes: bool = False, **given: object) -> int:
    """Order a run, say something more, and go or stay; return the run's exit code."""
    request = RunRequest(source=there.source, results=there.source / "results")
    order = messages.Order(action="test", request=request).line()
    async with holding(there, **given):
        reader, writer = await asyncio.open_unix_connection(there.socket)
        writer.write(f"{order}{says}".encode())
        if goes:
            writer.write_eof()
        heard = [messages.read(line.decode()) async for line in reader]
        writer.close()
    (verdict,) = [message for message in heard if isinstance(message, messages.Judged)]
    return verdict.exit_code


async def test_run(there: Held) -> None:
    """A run that is ordered is carried out, and ends with results; here without its cluster."""
    assert await judged(there) == 3
    assert "kubeconfig" in (there.source / "results/summary.md").read_text(encoding="utf-8")


async def test_interrupted_run(there: Held) -> None:
    """A signal that whoever ordered a run hands on ends it in order, with results."""
    assert await judged(there, says="15\n") == 143
    assert (there.source / "results/summary.md").exists()


async def test_run_that_nobody_waits_for(there: Held) -> None:
    """The end of whoever ordered a run ends it in order, with results."""
    assert await judged(there, goes=True) == 129
    assert (there.source / "results/summary.md").exists()


@pytest.mark.parametrize("given", [{"registry": "mirror.example.com"}, {"bundle": "bundle.tar"}])
async def test_run_takes_images_from_where_the_cluster_did(there: Held, given: dict[str, str]) -> None:
    """A run that says nothing of it has the registry or bundle of `up`: nothing has to be brought up to date."""
    asked: dict[str, Any] = {name: there.source / text if name == "bundle" else text for name, text in given.items()}
    key = current_key(Plan.read(RunRequest(source=there.source, **asked)))
    assert key != there.deployed.key
    there = replace(there, deployed=replace(there.deployed, key=key))
    assert await judged(there, **asked) == 3
    assert "kubeconfig" in (there.source / "results/summary.md").read_text(encoding="utf-8")


class Noted:
    """Takes what a build is read with, and refuses it."""

    def __init__(self) -> None:
        """Know of nothing."""
        self.origin: Any = None
        self.request: Any = None

    async def read(self, origin: object, request: object, _steps: object, *, fresh: bool) -> Build:
        """Take it."""
        self.origin, self.request = origin, request
        assert fresh
        msg = "no further"
        raise UserError(msg)


async def test_refresh_asks_as_the_run_does(there: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """What brings a cluster up to date asks the run's registry with the run's password, and has the cluster's nodes."""
    noted = Noted()
    monkeypatch.setattr(Build, "read", noted.read)
    nothing: Any = None
    origin = Origin(nothing, nothing, nothing, nothing)
    up = RunRequest(source=there.source, kubernetes_version="1.31.6")
    one = holder.Holder(there.name, up, origin, nothing, nothing, there.kubeconfig, there.socket, there.since, nothing)
    credentials = {"registry_user": "ci", "registry_password": "env://NAME"}  # pragma: allowlist secret
    asked = RunRequest(source=there.source, registry="mirror.example.com", **credentials)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no further"):
        await one.refresh(asked, Lines())
    assert (noted.request.registry_user, noted.request.kubernetes_version) == ("ci", "1.31.6")
    assert noted.origin.password is not None
    with pytest.raises(UserError, match="no further"):
        await one.refresh(RunRequest(source=there.source), Lines())
    assert noted.origin.password is None


async def test_refresh_refuses_a_bundle_that_lacks_something(there: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that the repository has outgrown is refused before anything of it comes into a cluster that is up."""
    contents = CONTENTS.model_copy(update={"built": {"floe.local/greeter:dev": "as-it-was"}})
    nothing: Any = None
    lock = SimpleNamespace(file=lambda _name: SimpleNamespace(contents=text))
    registry = Registry(nothing, bundle=Bundle(there.source / "bundle.tar", contents, nothing))

    async def text() -> str:
        return "another lock"

    async def read(_origin: object, _request: object, steps: Any, *, fresh: bool) -> Build:  # noqa: ANN401, ARG001 - as it is called
        return Build(Origin(nothing, nothing, lock, nothing), nothing, registry, steps)  # type: ignore[arg-type]

    async def platform() -> str:
        return contents.platform

    monkeypatch.setattr(Build, "read", read)
    monkeypatch.setattr(lacking.dag, "default_platform", platform)
    one = holder.Holder(
        there.name,
        RunRequest(source=there.source),
        Origin(nothing, nothing, nothing, nothing),
        SimpleNamespace(tools=None),  # type: ignore[arg-type]
        nothing,
        there.kubeconfig,
        there.socket,
        there.since,
        nothing,
    )
    with pytest.raises(UserError, match=r"^bundle .*bundle\.tar was made by another version"):
        await one.refresh(RunRequest(source=there.source), Lines())


class Knot:
    """Holds itself, as what a run leaves does."""

    def __init__(self) -> None:
        """Tie it."""
        self.itself = self


def test_memory_of_a_run_is_given_back() -> None:
    """What a run has left that only holds itself is gone, without waiting for a collector that rarely comes."""
    gc.disable()
    try:
        gone = weakref.ref(Knot())
        assert gone() is not None
        holder.give_back()
        assert gone() is None
    finally:
        gc.enable()
