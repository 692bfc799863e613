"""Services that are kept are found as long as their worker lives, and end when they are asked to."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.local import kept
from floe_ci.local.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = Kept(
    source=Path("/shop"),
    worker=1,
    services=("postgres",),
    variables={},
    environment={"URL": "x y"},
    passwords=("x",),
    pids=Path("p"),
    logs=Path("l"),
)
WORKER = """
import signal, sys
from pathlib import Path
from floe_ci.local import kept
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with kept.claim(Path(sys.argv[1])) as make_known:
    known = {"worker": 1, "services": ["postgres"], "variables": {}, "passwords": ["x"], "pids": "p", "logs": "l"}
    known |= {"source": sys.argv[1], "environment": {"URL": "x y"}}
    make_known(kept.Kept.model_validate(known))
    print("claimed", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than a moment for what others are about to write: nobody is here."""
    monkeypatch.setattr(kept, "PATIENCE", 0.1)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that keeps services for the test's folder."""
    with subprocess.Popen([sys.executable, "-c", WORKER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.kill()


def record(folder: Path) -> Path:
    """Return the file that says how services are reached."""
    (found,) = (folder / "cache").rglob("*.json")
    return found


def test_found_while_claimed(tmp_path: Path) -> None:
    """What is made known is found, for that repository only, until the claim ends."""
    with kept.claim(tmp_path) as make_known:
        assert kept.find(tmp_path) is None
        make_known(SERVICES)
        assert kept.find(tmp_path) == SERVICES
        assert kept.find(tmp_path / "other") is None
        assert kept.claimed(tmp_path)
    assert kept.find(tmp_path) is None
    assert not kept.claimed(tmp_path)


@pytest.mark.usefixtures("_impatient")
def test_second_claim_is_refused(tmp_path: Path) -> None:
    """A repository has one set of services; the message says how to end them."""
    with kept.claim(tmp_path), pytest.raises(UserError, match="floe-ci down --on local"), kept.claim(tmp_path):
        pass


def test_claim_beside_those_who_look(tmp_path: Path) -> None:
    """Whoever only looks whether services are up never keeps another from bringing them up."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            kept.claimed(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            with kept.claim(tmp_path):
                assert kept.claimed(tmp_path)
    finally:
        stop.set()
        for looker in lookers:
            looker.join(timeout=10)


def test_killed_worker_leaves_no_record(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    """What a killed worker has written counts for nothing, and is removed with its passwords by whoever looks next."""
    assert kept.find(tmp_path) == SERVICES.model_copy(update={"source": tmp_path})
    worker.kill()
    worker.wait(timeout=10)
    assert record(tmp_path).exists()
    assert kept.find(tmp_path) is None
    assert [*(tmp_path / "cache").rglob("*.json")] == []


def test_record_is_private(tmp_path: Path) -> None:
    """The record holds passwords, so only its owner can read it."""
    with kept.claim(tmp_path) as make_known:
        make_known(SERVICES)
        assert record(tmp_path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["{garbage", "", "[]", "\xff\xfe", '{"format": 4}'])
def test_record_of_another_version_is_explained(tmp_path: Path, text: str) -> None:
    """A record that can't be read is told with the way out."""
    with kept.claim(tmp_path) as make_known:
        make_known(SERVICES)
        record(tmp_path).write_text(text, encoding="latin-1")
        with pytest.raises(UserError, match=r"another version of floe-ci .* `floe-ci down --on local` ends them"):
            kept.find(tmp_path)


def test_services_with_a_record_of_another_version_are_ended(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    """Services whose record can't be read can be ended all the same."""
    record(tmp_path).write_text("{garbage", encoding="utf-8")
    assert kept.end(tmp_path)
    assert worker.wait(timeout=10) == 0


def test_services_are_ended(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    """The worker is asked to end, and has when this returns; where nothing is kept, nothing is."""
    assert kept.end(tmp_path)
    assert not kept.claimed(tmp_path)
    assert worker.wait(timeout=10) == 0
    assert not kept.end(tmp_path)


@pytest.mark.usefixtures("_impatient")
def test_another_process_with_the_workers_number_is_left_alone(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    """A number in a file is no proof: a process that began at another time is not signalled."""
    (lock,) = (tmp_path / "cache").rglob("*.lock")
    for said in (f"{worker.pid} 1.0", "999999999 1.0", "nonsense", ""):
        lock.write_text(said)
        with pytest.raises(UserError, match=r"which one is not known: end the one that has .*\.lock open"):
            kept.end(tmp_path)
        assert worker.poll() is None, said


@pytest.mark.usefixtures("_impatient")
def test_worker_of_an_older_version_is_found(tmp_path: Path) -> None:
    """A worker that did not write down which it is, is the one that holds the lock's file open."""
    with kept.claim(tmp_path):
        (lock,) = (tmp_path / "cache").rglob("*.lock")
    holding = "import fcntl, signal, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); "
    waiting = "print('locked', flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", holding + waiting, lock, "floe_ci.local"], stdout=subprocess.PIPE, text=True
    ) as older:
        assert older.stdout is not None
        assert older.stdout.readline() == "locked\n"
        lock.write_text("")
        assert kept.end(tmp_path)
        assert older.wait(timeout=10) == -15


def test_folder_that_depends_on_the_call_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is named by a relative path would be another one in each folder: it is the one of the home."""
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert not kept.claimed(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert list((tmp_path / "home" / ".cache" / "floe-ci" / "up").glob("*.lock"))


def test_folder_for_records_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the cache there is one line that says what to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(
        UserError, match=r"^the cache .*file/floe-ci/up can't be used \(Not a directory\): set XDG_CACHE"
    ):
        kept.claimed(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/proc/nope")
    with pytest.raises(UserError, match=r"^the cache /proc/nope/\.cache/floe-ci/up can't be used"):
        kept.claimed(tmp_path)


def test_lock_is_the_kernels(tmp_path: Path) -> None:
    """A lock's file that is left, whatever is in it, claims nothing; one that is held does, whatever is in it."""
    with kept.claim(tmp_path):
        (lock,) = (tmp_path / "cache").rglob("*.lock")
    lock.write_text(f"{os.getpid()} 0\n")
    assert not kept.claimed(tmp_path)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert kept.claimed(tmp_path)


def test_everyone(tmp_path: Path) -> None:
    """What is kept for any repository is listed for as long as its worker lives."""
    source = tmp_path / "one"
    with kept.claim(source) as make_known:
        assert kept.everyone() == []
        make_known(SERVICES.model_copy(update={"source": source}))
        ((_, there),) = kept.everyone()
        assert there.source == source
    assert kept.everyone() == []
