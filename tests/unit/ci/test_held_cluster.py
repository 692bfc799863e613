"""Clusters that stay: how they are found, asked and let go."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import held_cluster
from floe_ci.driver.poll import Stopped
from floe_ci.errors import RunError, UserError
from floe_ci.held_cluster import Deployed, Held
from floe_ci.listeners import Step
from floe_ci.local import messages
from floe_ci.product import product
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_ci.verdict import Outcome

pytestmark = pytest.mark.requirement("REQ-648")

HOLD = """
import sys
from floe_ci import held_cluster
with held_cluster.holding(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Told:
    """Notes what a run is told."""

    def __init__(self) -> None:
        """Know of nothing."""
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        """Take a line."""
        self.lines.append(line)

    def begin(self, step: str) -> None:
        """Take a step that begins."""
        self.lines.append(f"{step} …")

    def end(self, step: Step) -> None:
        """Take a step that has ended."""
        self.lines.append(f"{step.name} {step.error or 'done'}")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    held_cluster.state()
    return tmp_path


@pytest.fixture
def source() -> Iterator[Path]:
    """Yield a repository's folder, with a path that is short enough for a socket's."""
    with tempfile.TemporaryDirectory() as short:
        folder = Path(short, "My Shop")
        folder.mkdir()
        yield folder


def record(source: Path, **other: object) -> Held:
    """Return the record of a cluster."""
    given: dict[str, Any] = {
        "name": held_cluster.name_of(source),
        "source": source,
        "tier": "integration",
        "since": datetime(2026, 1, 1, tzinfo=UTC),
        "idle": 60.0,
        "run_id": "up",
        "product": product(),
        "namespace": "floe-test",
        "kubeconfig": source / "kubeconfig",
        "socket": source.parent / "s",  # its path may have 107 characters, and a run's temporary folder is long
        "deployed": Deployed(key="k", services="", job="", runner_image="floe.local/runner:1"),
    }
    return Held(**{**given, **other})


@contextmanager
def held(name: str) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold a cluster."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_names(source: Path, tmp_path: Path) -> None:
    """Two repositories never have a cluster of the same name, even where their folders are called the same."""
    other = tmp_path / "elsewhere" / "My Shop"
    names = {held_cluster.name_of(source), held_cluster.name_of(other), held_cluster.name_of(tmp_path / ("ü" * 60))}
    assert len(names) == 3
    assert all(len(name) <= 41 and name.strip("-") == name and name.isascii() for name in names)


def test_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for what is known of clusters there is one line that says what to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    reason = r"^the folder .*file/floe-ci can't be made \(Not a directory\): set XDG_STATE_HOME to a folder that can be"
    with pytest.raises(UserError, match=reason):
        held_cluster.state()


def test_state_folder_that_nobody_has_made(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To list and to end what is up needs no folder: without one nothing is, and none is made."""
    for home in (tmp_path / "file", tmp_path / "absent"):
        monkeypatch.setenv("XDG_STATE_HOME", str(home))
        (tmp_path / "file").touch()
        assert held_cluster.everyone() == []
        assert held_cluster.find(source) is None
        assert held_cluster.down(source, Told()) is None  # type: ignore[arg-type]
    assert not (tmp_path / "absent").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_state_folder_of_somebody_else(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there and can't be looked into is told in one line by all that would look."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    held_cluster.state().chmod(0)
    for look in (held_cluster.everyone, lambda: held_cluster.find(source)):
        with pytest.raises(UserError, match=r"^the folder .*floe-ci can't be looked into: set XDG_STATE_HOME"):
            look()


def test_none(source: Path) -> None:
    """Where nobody holds one there is no cluster, and to end it is no error."""
    assert held_cluster.find(source) is None
    assert held_cluster.down(source, Told()) is None  # type: ignore[arg-type]
    assert held_cluster.everyone() == []


def test_found(source: Path) -> None:
    """A cluster is found for as long as its holder lives, and not after it was killed, whatever it left."""
    with held(held_cluster.name_of(source)):
        held_cluster.write(record(source))
        assert held_cluster.find(source) == record(source)
        assert held_cluster.everyone() == [record(source)]
    assert held_cluster.file(held_cluster.name_of(source), "json").exists()
    assert held_cluster.find(source) is None
    assert held_cluster.everyone() == []


def test_starting(source: Path) -> None:
    """A cluster that is still starting is not used, and a second one is not started."""
    with held(held_cluster.name_of(source)):
        assert held_cluster.find(source) is None
        with pytest.raises(UserError, match="is starting or ending"):
            held_cluster.up(RunRequest(source=source), Told())  # type: ignore[arg-type]


def test_other_tier(source: Path) -> None:
    """One repository has one cluster: for another tier's, the first has to end."""
    with held(held_cluster.name_of(source)):
        held_cluster.write(record(source))
        with pytest.raises(UserError, match=r"the integration tier's cluster .* `floe-ci down` ends it"):
            held_cluster.up(RunRequest(source=source, tier="e2e"), Told())  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "{", '{"format": 9}', "[]", "null"])
def test_record_of_another_version(source: Path, text: str) -> None:
    """A record that another version wrote is explained, with what ends that cluster."""
    name = held_cluster.name_of(source)
    with held(name):
        held_cluster.file(name, "json").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=r"another version of floe-ci .* `floe-ci down` ends it"):
            held_cluster.find(source)
        assert held_cluster.everyone() == []


def test_one_holder(source: Path) -> None:
    """Only one process holds a cluster; when it ends, the next one can."""
    name = held_cluster.name_of(source)
    with held(name), pytest.raises(UserError, match="held by another process"), held_cluster.holding(name):
        pytest.fail("it was held twice")
    with held_cluster.holding(name):
        assert held_cluster.file(name, "use").exists()
    assert not held_cluster.file(name, "use").exists()


def test_use(source: Path) -> None:
    """A cluster is in use while any run says so, and unused from the end of the last one on."""
    there = record(source)
    with ExitStack() as first:
        with held_cluster.using(there):
            first.enter_context(held_cluster.using(there))
        assert held_cluster.unused_since(there.name) is None
    assert held_cluster.unused_since(there.name) is not None


@contextmanager
def answering(there: Held, *said: messages.Message) -> Iterator[list[bytes]]:
    """Have a holder answer one order with messages, and hang up."""
    orders: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(there.socket))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                orders.append(stream.readline())
                for message in said:
                    stream.write(message.line().encode())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield orders
        thread.join(10)


def refresh(there: Held, told: Told, stop: threading.Event | None = None) -> Held:
    """Ask for the cluster to be brought up to date."""
    request = RunRequest(source=there.source)
    return held_cluster.refresh(there, request, told, stop or threading.Event())  # type: ignore[arg-type]


def test_refresh(source: Path) -> None:
    """What the holder does is told step by step, and what it has written then is what is there."""
    there, told = record(source), Told()
    held_cluster.write(record(source, run_id="newer"))
    done = Step("build runner", 0, 1.0)
    said = (messages.Note(text="hello"), messages.Begin(step="build runner"), messages.End(step=done), messages.Up())
    with answering(there, *said) as orders:
        assert refresh(there, told).run_id == "newer"
    assert told.lines == ["hello", "build runner …", "build runner done"]
    assert str(source).encode() in orders[0]


@pytest.mark.parametrize(("broken", "kind"), [(False, UserError), (True, RunError)])
def test_refused(source: Path, broken: bool, kind: type[Exception]) -> None:  # noqa: FBT001
    """What the holder can't do is the caller's to mend, or an infrastructure's fault, as it says."""
    there = record(source)
    with answering(there, messages.Refused(text="no", broken=broken)), pytest.raises(kind, match=r"^no$"):
        refresh(there, Told())


def test_holder_that_dies(source: Path) -> None:
    """A holder that hangs up in the middle has ended: the end of its log says why."""
    there = record(source)
    held_cluster.file(there.name, "log").write_text("Killed\n", encoding="utf-8")
    with answering(there, messages.Begin(step="x")), pytest.raises(RunError, match=r"has ended; its log.*\nKilled"):
        refresh(there, Told())


def test_no_answer(source: Path) -> None:
    """A socket that nobody listens at is a fault with a message."""
    with pytest.raises(RunError, match="does not answer"):
        refresh(record(source), Told())


def test_interrupted(source: Path) -> None:
    """A run that is interrupted does not wait for the holder."""
    there, stop = record(source), threading.Event()
    stop.set()
    with answering(there), pytest.raises(Stopped):
        refresh(there, Told(), stop)


class Listener(Told):
    """Notes what a run is told of its tests, too."""

    def collected(self, count: int) -> None:
        """Take how many there are."""
        self.lines.append(f"{count} tests")

    def started(self, test: str) -> None:
        """Take a test that begins."""

    def ended(self, test: str, outcome: str, *_: object) -> None:
        """Take a test that has ended."""
        self.lines.append(f"{test} {outcome}")

    def verdict(self, outcome: Outcome) -> None:
        """Take the verdict."""
        self.lines.append(f"verdict {outcome.verdict}")


def asked(there: Held, told: Listener) -> Outcome:
    """Have the holder carry out a run."""
    return held_cluster.run(there, RunRequest(source=there.source, results=there.source / "results"), told)


def test_run_in_the_holder(source: Path) -> None:
    """The holder carries out the run, and whoever asked is told of each step and test as if it were here."""
    there, told = record(source), Listener()
    ended = messages.TestEnds(test="t", outcome="failed", seconds=1, message="no", done=1, total=1)
    judged = messages.Judged(verdict="failed", exit_code=1, summary="1 failed")
    said = (messages.Begin(step="tests"), messages.Collected(count=1), ended, judged, messages.Done())
    with answering(there, *said) as orders:
        outcome = asked(there, told)
    assert (outcome.verdict, outcome.exit_code, outcome.folder) == ("failed", 1, source / "results")
    assert told.lines == ["tests …", "1 tests", "t failed", "verdict failed"]
    assert json.loads(orders[0])["action"] == "test"


def test_run_whose_holder_dies(source: Path) -> None:
    """A run whose holder dies is errored, and its results say what the holder said last."""
    there = record(source)
    held_cluster.file(there.name, "log").write_text("Killed\n", encoding="utf-8")
    with answering(there, messages.Begin(step="tests")):
        outcome = asked(there, Listener())
    assert (outcome.verdict, outcome.exit_code) == ("errored", 3)
    assert "Killed" in (source / "results/summary.md").read_text(encoding="utf-8")


def test_run_whose_holder_does_not_answer(source: Path) -> None:
    """A run that nobody takes is errored, with results; none of an earlier run's are left to be taken for its own."""
    (source / "results").mkdir()
    assert asked(record(source), Listener()).verdict == "errored"
    assert "does not answer" in (source / "results/summary.md").read_text(encoding="utf-8")


def test_run_that_is_refused(source: Path) -> None:
    """What the holder refuses is bad input."""
    there = record(source)
    with answering(there, messages.Refused(text="--results: taken")), pytest.raises(UserError, match="taken"):
        asked(there, Listener())


def test_holder_of_another_version(source: Path) -> None:
    """A cluster that another version of this program holds is not used: what that would run is not what is here."""
    there = record(source, product="other")
    with held(there.name):
        held_cluster.write(there)
        with pytest.raises(UserError, match=r"another version of floe-ci holds cluster .*: `floe-ci down` ends it"):
            held_cluster.usable(source)
        assert held_cluster.find(source) == there
