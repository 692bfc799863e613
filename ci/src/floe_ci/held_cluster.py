"""Clusters that stay: what is known of them on this machine, and how their holders are asked for something.

A holder is a process, `python -m floe_ci.holder`: it keeps a cluster in one Dagger session for one repository. It has
a lock, which the kernel frees when it ends, however it ends; the record beside it counts for as long. Nothing here
needs Dagger, so that a run in a cluster that is there begins at once.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from platformdirs import user_state_path

from floe_ci.contract import up_name
from floe_ci.driver.poll import Stopped, wait_until
from floe_ci.errors import RunError, UserError
from floe_ci.hearing import Hearing, finish_for, signals_to
from floe_ci.local import messages
from floe_ci.locks import try_lock
from floe_ci.product import product
from floe_ci.tiers import TierName  # noqa: TC001 - as above

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from floe_ci.listeners import Progress
    from floe_ci.request import RunRequest
    from floe_ci.verdict import Outcome

UP_TIMEOUT, DOWN_TIMEOUT, REFRESHING = 1800.0, 120.0, 3600.0
"""Seconds until a cluster must be open, until its holder must have ended, and until it must be up to date."""
FORMAT: Final = 1
"""Of a cluster's record: another version's may mean something else."""
SHOWN: Final = 2000
"""How many characters of a holder's log are shown."""
_LOOKING: Final = 0.2


@dataclass(frozen=True)
class Deployed:
    """What is in a cluster that stays."""

    key: str
    """Of what it was made from; empty: not known."""
    services: str
    """The services' manifests as they were applied, as YAML."""
    job: str
    """Those of the runner's Job."""
    runner_image: str
    """As the nodes pull it."""
    addons: Mapping[str, str] = field(default_factory=dict)
    """Those of add-ons as they were applied, by their names."""


@dataclass(frozen=True)
class Held:
    """A cluster that stays, and the way to it."""

    name: str
    source: Path
    """The repository that it is for."""
    tier: TierName
    since: datetime
    idle: float
    """Seconds without a run after which it ends."""
    run_id: str
    """Its services' own."""
    namespace: str
    kubeconfig: Path
    socket: Path
    """Where its holder listens."""
    product: str
    """Of this program, as the holder has loaded it."""
    deployed: Deployed

    def to_json(self) -> str:
        """Return the text of its record."""
        return json.dumps({"format": FORMAT, **asdict(self)}, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what a record says. No library checks it, since that would take longer than all else here.

        Raises:
            ValueError: It is none, or another version's.
        """
        given: dict[str, Any] = json.loads(text)
        try:
            if given.pop("format") != FORMAT:
                msg = "a record of another version"
                raise ValueError(msg)
            given |= {name: Path(given[name]) for name in ("source", "kubeconfig", "socket")}
            given |= {"since": datetime.fromisoformat(given["since"]), "deployed": Deployed(**given["deployed"])}
            return cls(**given)
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"a record of something else: {error}"
            raise ValueError(msg) from error


def up(request: RunRequest, told: Progress, stop: threading.Event | None = None) -> tuple[Held, bool]:
    """Bring up a repository's cluster with the tier's services, unless it is up.

    Returns:
        The cluster, and whether it was not there before.

    Raises:
        UserError: It is up for another tier, or did not come up; or no process can hold one on this system.
        Stopped: The wait was told to stop.
    """
    if sys.platform == "win32":
        msg = "a cluster that stays needs what Windows lacks: use WSL; runs without `up` and --keep need nothing of it"
        raise UserError(msg)
    if there := find(request.source):
        if there.tier != request.tier:
            msg = f"the {there.tier} tier's cluster {there.name} is up for this repository: `floe-ci down` ends it"
            raise UserError(msg)
        return there, False
    name = name_of(request.source)
    if _is_held(name):
        msg = f"cluster {name} is starting or ending; what it does is in {file(name, 'log')}"
        raise UserError(msg)
    state()
    told.note(f"starting cluster {name}, which stays; what it does is in {file(name, 'log')}")
    file(name, "stop").unlink(missing_ok=True)
    with file(name, "log").open("w", encoding="utf-8") as log:
        holder = subprocess.Popen(
            [sys.executable, "-P", "-m", "floe_ci.holder"],
            # Each look at the cluster is a thread. With a heap for each, little of what they free is given back.
            env={"MALLOC_ARENA_MAX": "2"} | os.environ,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with holder.stdin as stdin:  # type: ignore[union-attr]  # it is a pipe
            stdin.write(messages.Order(action="up", request=request.absolute()).line().encode())
        held = _wait_until_open(name, holder, told, stop)
    except BaseException:  # also where the wait is interrupted: half a cluster is none
        holder.terminate()
        raise
    holder.returncode = 0  # it lives on, and nobody will ask how it ends
    return held, True


def down(source: Path, told: Progress, *, wait: bool = True) -> str | None:
    """End a repository's cluster; return its name, or None where there is none.

    Args:
        source: The repository.
        told: Is told of it.
        wait: Whether to wait until it is gone.

    Raises:
        UserError: Its holder does not end.
    """
    name = name_of(source)
    if not _is_held(name):
        return None
    told.note(f"ending cluster {name}")
    file(name, "stop").touch()
    if wait:
        _wait_until_gone(name)
    return name


def refresh(held: Held, request: RunRequest, told: messages.Hearer, stop: threading.Event) -> Held:
    """Have a cluster's holder bring services and runner up to date; return what is there then.

    Args:
        held: The cluster.
        request: The run that is to find them so.
        told: Is told of each step.
        stop: Ends the wait when it is set.

    Raises:
        UserError: The repository asks for what can't be.
        RunError: Something broke, or the holder has died.
        Stopped: The wait was told to stop.
    """
    until = time.monotonic() + REFRESHING
    with _connected(held) as connection:
        order = messages.Order(action="up", request=request.absolute())
        connection.sendall(order.line().encode())
        for line in _lines(connection, until, stop):
            message = messages.read(line)
            if messages.hand_on(message, told):
                continue
            match message:
                case messages.Refused(text=text, broken=broken):
                    raise (RunError if broken else UserError)(text)
                case messages.Up():
                    return _record(held.name)
    raise RunError(_said(held.name, f"what holds cluster {held.name} has ended"))


def run(held: Held, request: RunRequest, told: Progress) -> Outcome:
    """Have a cluster's holder carry out a run, which has all that takes time to load.

    Args:
        held: The cluster.
        request: What to run.
        told: Is told of it as it happens.

    Raises:
        UserError: The place for the results can't be taken.
    """
    hearing = Hearing(told, request)
    order = messages.Order(action="test", request=request.absolute())
    try:
        with _connected(held) as connection, connection.makefile("rw", encoding="utf-8") as stream:
            connection.settimeout(None)
            stream.write(order.line())
            stream.flush()
            with signals_to(stream):
                last = hearing.listen(stream)
    except (RunError, OSError) as error:
        problem = str(error)
    else:
        if isinstance(last, messages.Refused):
            raise UserError(last.text)
        problem = "" if last else _said(held.name, f"what holds cluster {held.name} has ended")
    return hearing.outcome or finish_for(request, "dagger", told, problem)


def find(source: Path) -> Held | None:
    """Return the cluster that is up for a repository, or None.

    Raises:
        UserError: There is one, and another version of this program brought it up.
    """
    name = name_of(source)
    return _record(name) if _is_held(name) and file(name, "json").exists() else None


def usable(source: Path) -> Held | None:
    """Return the cluster that is up for a repository, and whose holder is this program, or None.

    Raises:
        UserError: There is one, and another version of this program holds it.
    """
    held = find(source)
    if held and held.product != product():
        msg = f"another version of floe-ci holds cluster {held.name}: `floe-ci down` ends it, then bring it up again"
        raise UserError(msg)
    return held


def everyone() -> list[Held]:
    """Return all clusters of this user's that are up, as far as their records can be read."""
    found = []
    for path in sorted(_folder().glob("*.json")):
        with suppress(UserError):
            if _is_held(path.stem):
                found.append(_record(path.stem))
    return found


@contextmanager
def using(held: Held) -> Iterator[None]:
    """Keep a cluster from ending for want of use."""
    with (state() / f"{held.name}.use").open("a") as use:
        fcntl.flock(use, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with suppress(OSError):
                os.utime(use.name)


def unused_since(name: str) -> float | None:
    """Return when a cluster was used last, as a time of `time.time`; None while it is in use."""
    with file(name, "use").open("a") as use:
        return os.fstat(use.fileno()).st_mtime if try_lock(use.fileno(), fcntl.LOCK_EX) else None


@contextmanager
def holding(name: str) -> Iterator[None]:
    """Hold a cluster's name for as long as this lasts.

    Raises:
        UserError: Another process holds it.
    """
    with (state() / f"{name}.lock").open("a+") as lock:
        if not try_lock(lock.fileno(), fcntl.LOCK_EX):
            msg = f"cluster {name} is held by another process"
            raise UserError(msg)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")  # for who reads it: nothing is done by this number
        lock.flush()
        file(name, "json").unlink(missing_ok=True)
        file(name, "use").touch()
        try:
            yield
        finally:
            for kind in ("json", "kubeconfig", "stop", "use"):
                file(name, kind).unlink(missing_ok=True)


def write(held: Held) -> None:
    """Make a cluster known; whoever waits for it goes on."""
    new = file(held.name, "new")
    new.write_text(held.to_json(), encoding="utf-8")
    new.replace(file(held.name, "json"))


def name_of(source: Path) -> str:
    """Return what the cluster of a repository is called."""
    path = source.resolve()
    digest = up_name(str(path))[:8]
    plain = re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-")[:30].strip("-")
    return f"{plain}-{digest}" if plain else digest


def file(name: str, kind: str) -> Path:
    """Return the path of one of a cluster's files."""
    return _folder() / f"{name}.{kind}"


def state() -> Path:
    """Return the folder of what is known of clusters and sessions, made where it is not there.

    Raises:
        UserError: It can't be made, or looked into.
    """
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"the folder {folder} can't be made ({error.strerror}): set XDG_STATE_HOME to a folder that can be written"
        )
        raise UserError(msg) from None
    return folder


def _folder() -> Path:
    """Return the same as `state`, and leave it unmade: where nothing is, nothing is up."""
    folder = user_state_path("floe-ci")
    if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112 - a path raises an error
        msg = f"the folder {folder} can't be looked into: set XDG_STATE_HOME to another, or give it to yourself"
        raise UserError(msg)
    return folder


def _record(name: str) -> Held:
    path = file(name, "json")
    try:
        return Held.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"cluster {name} has just ended"
        raise RunError(msg) from None
    except (OSError, ValueError):
        msg = (
            f"cluster {name} is up, and what another version of floe-ci wrote of it in {path} can't be read: "
            "`floe-ci down` ends it, then bring it up again"
        )
        raise UserError(msg) from None


def _is_held(name: str) -> bool:
    lock = file(name, "lock")
    if not lock.exists():
        return False
    with lock.open("a") as opened:
        return not try_lock(opened.fileno(), fcntl.LOCK_SH)


def _wait_until_open(name: str, holder: subprocess.Popen[bytes], told: Progress, stop: threading.Event | None) -> Held:
    shown = 0

    def observe() -> str | None:
        nonlocal shown
        has_ended = holder.poll() is not None
        said = _log(name).splitlines()
        new, shown = said[shown:], len(said)
        if has_ended:
            # What it ended with is what is new.
            why = "\n".join(new or said[-1:]) or "it said nothing"
            msg = f"cluster {name} did not come up: {why[-SHOWN:]}"
            raise UserError(msg)
        for line in new:
            told.note(line)
        if file(name, "json").exists():
            return None
        return said[-1] if said else "nothing yet"

    try:
        wait_until(f"cluster {name}", observe, timeout=UP_TIMEOUT, stop=stop)
    except RunError as error:
        raise UserError(_said(name, str(error))) from error
    return _record(name)


def _wait_until_gone(name: str) -> None:
    def observe() -> str | None:
        number = file(name, "lock").read_text(encoding="utf-8").strip()
        return f"process {number} holds it" if _is_held(name) else None

    try:
        wait_until(f"the end of cluster {name}", observe, timeout=DOWN_TIMEOUT, interval=_LOOKING)
    except RunError as error:
        msg = f"{error}; kill that process"
        raise UserError(msg) from error


@contextmanager
def _connected(held: Held) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LOOKING)
        try:
            connection.connect(str(held.socket))
        except OSError as error:
            raise RunError(_said(held.name, f"what holds cluster {held.name} does not answer: {error}")) from error
        yield connection


def _lines(connection: socket.socket, until: float, stop: threading.Event) -> Iterator[str]:
    rest = b""
    while time.monotonic() < until:
        if stop.is_set():
            raise Stopped
        try:
            piece = connection.recv(64 * 1024)
        except TimeoutError:
            continue
        except OSError:
            return
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)
    msg = f"the cluster was not up to date after {REFRESHING:g} s"
    raise RunError(msg)


def _said(name: str, what: str) -> str:
    return f"{what}; its log, {file(name, 'log')}, ends with:\n{_log(name)[-SHOWN:]}"


def _log(name: str) -> str:
    try:
        return file(name, "log").read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
