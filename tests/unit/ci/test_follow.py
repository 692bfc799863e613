"""Logs are followed from their start into files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.poll import wait_until
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

STATES = {
    "running": client.V1ContainerState(running=client.V1ContainerStateRunning()),
    "ended": client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=0)),
    "waiting": client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="PodInitializing")),
}
NOW, BEFORE = ("server", False), ("server", True)


def pod(state: str, restarts: int = 0, name: str = "web-0") -> client.V1Pod:
    """Return a pod of one container."""
    status = client.V1ContainerStatus(
        name="server",
        image="web",
        image_id="",
        ready=True,
        restart_count=restarts,
        state=STATES[state],
        last_state=client.V1ContainerState(),
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, uid=f"uid-of-{name}"),
        status=client.V1PodStatus(phase="Running", container_statuses=[status]),
    )


@pytest.fixture
def follower(api: ApiServer, tmp_path: Path) -> LogFollower:
    """Return a follower of the test's API server that knows one secret."""
    return LogFollower(api.apis.core, "ns", tmp_path, ["s3cret"])


def test_whole_log(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """The log of a container that has ended is in its file, from its start to its end."""
    api.logs[NOW] = [b"one\n", b"two\nthree\n", b"no line end"]
    follower.look([pod("ended")])
    follower.finish()
    assert (tmp_path / "web-0" / "server.log").read_text() == "one\ntwo\nthree\nno line end"


def test_pods_have_folders(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """Containers of the same name in two pods have a file each."""
    api.logs[NOW] = [b"one\n"]
    follower.look([pod("ended"), pod("ended", name="web-1")])
    follower.finish()
    assert sorted(path.parent.name for path in tmp_path.rglob("server.log")) == ["web-0", "web-1"]


def test_waiting_container(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A container that has not begun is not asked for its log."""
    follower.look([pod("waiting")])
    assert not api.read
    assert not list(tmp_path.iterdir())


def test_secret(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A secret doesn't reach the file, also where the stream cuts it in two."""
    api.logs[NOW] = [b"password: s3c", b"ret\nready\n"]
    follower.look([pod("ended")])
    follower.finish()
    text = (tmp_path / "web-0" / "server.log").read_text()
    assert "s3cret" not in text
    assert text.endswith("ready\n")


def test_letter_of_two_bytes(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A letter that the stream cuts in two is whole in the file."""
    api.logs[NOW] = [b"\xc3", b"\xa4\n"]
    follower.look([pod("ended")])
    follower.finish()
    assert (tmp_path / "web-0" / "server.log").read_text(encoding="utf-8") == "ä\n"


def test_no_utf_8(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are replaced, and what follows them is kept."""
    api.logs[NOW] = [b"\xff\nnext\n"]
    follower.look([pod("ended")])
    follower.finish()
    assert (tmp_path / "web-0" / "server.log").read_text(encoding="utf-8") == "\ufffd\nnext\n"


def test_followed_once(api: ApiServer, follower: LogFollower) -> None:
    """A container that was seen before is not followed a second time, whatever became of it."""
    api.logs[NOW] = [b"one\n"]
    follower.look([pod("running")])
    follower.look([pod("running")])
    follower.look([pod("ended")])
    follower.finish()
    assert api.read == [NOW]


def test_restart(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A container's successor has a file of its own, and the first one's stays."""
    api.logs[NOW] = iter([b"first\n"])
    follower.look([pod("ended")])
    follower.finish()
    api.logs[NOW] = [b"second\n"]
    follower.look([pod("ended", restarts=1)])
    follower.finish()
    assert (tmp_path / "web-0" / "server.log").read_text() == "first\n"
    assert (tmp_path / "web-0" / "server.1.log").read_text() == "second\n"


def test_end_between_two_looks(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A container that came and went between two looks is asked for as the previous one."""
    api.logs[BEFORE], api.logs[NOW] = [b"crashed\n"], [b"second\n"]
    follower.look([pod("ended", restarts=1)])
    follower.finish()
    wait_until("the log", seen(tmp_path / "web-0" / "server.log", "crashed\n"), timeout=10, interval=0.01)
    assert (tmp_path / "web-0" / "server.1.log").read_text() == "second\n"


def test_followed_container_is_not_read_again(api: ApiServer, follower: LogFollower) -> None:
    """The end of a container that was followed is not asked for a second time after its restart."""
    api.logs[NOW] = api.logs[BEFORE] = [b"one\n"]
    follower.look([pod("running")])
    follower.look([pod("ended", restarts=1)])
    follower.finish()
    assert BEFORE not in api.read


def test_log_that_is_gone(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A log that the API refuses leaves a file that says so, and no error."""
    follower.look([pod("ended")])
    follower.finish()
    assert api.read == [NOW]
    text = (tmp_path / "web-0" / "server.log").read_text()
    assert text.startswith("[the log ends here: ")
    assert "400" in text


def test_line_is_there_at_once(api: ApiServer, follower: LogFollower, tmp_path: Path) -> None:
    """A line is in the file while its container still runs, and what was asked to end doesn't wait for it."""
    over = threading.Event()

    def log() -> Iterator[bytes]:
        yield b"first\n"
        over.wait(30)
        yield b"last\n"

    api.logs[NOW] = log()
    follower.look([pod("running")])
    path = tmp_path / "web-0" / "server.log"
    wait_until("the first line", seen(path, "first\n"), timeout=10, interval=0.01)
    follower.finish(timeout=60)
    assert not over.is_set()
    over.set()
    wait_until("the last line", seen(path, "first\nlast\n"), timeout=10, interval=0.01)


def seen(path: Path, text: str) -> Callable[[], str | None]:
    """Return what looks whether a file holds a text."""

    def observe() -> str | None:
        found = path.read_text() if path.exists() else "no file"
        return None if found == text else found

    return observe
