"""Logs are followed from their start to their end, whatever breaks off in between."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.driver import container_log, follow
from floe_ci.driver.container_log import LONGEST, Position, lines
from floe_ci.driver.follow import LogFollower
from floe_ci.driver.poll import wait_until
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.unit.ci.conftest import ApiServer

STATES = {
    "running": client.V1ContainerState(running=client.V1ContainerStateRunning()),
    "ended": client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=0)),
    "waiting": client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="PodInitializing")),
}
NOW, BEFORE = ("server", False), ("server", True)
WEB = "logs/web-0/server.log"


def pod(state: str, restarts: int = 0, name: str = "web-0", uid: str = "") -> client.V1Pod:
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
        metadata=client.V1ObjectMeta(name=name, uid=uid or f"uid-of-{name}"),
        status=client.V1PodStatus(phase="Running", container_statuses=[status]),
    )


class Files:
    """Keeps logs in memory."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.lines: dict[str, list[str]] = {}
        self.closed: list[str] = []

    def log(self, name: str) -> File:
        """Open a log."""
        return File(self, name)

    def text(self, name: str = WEB) -> list[str]:
        """Return the lines of a log without their times."""
        return [re.sub(r"^\d{4}-\S+ ", "", line) for line in self.lines.get(name, [])]


class File:
    """One of these logs."""

    def __init__(self, files: Files, name: str) -> None:
        """Open it."""
        self._files, self._name = files, name
        files.lines.setdefault(name, [])

    def line(self, text: str) -> None:
        """Take a line."""
        self._files.lines[self._name].append(text)

    def close(self) -> None:
        """Take no more."""
        self._files.closed.append(self._name)


@pytest.fixture
def files() -> Files:
    """Return what keeps the logs."""
    return Files()


@pytest.fixture
def follower(api: ApiServer, files: Files) -> LogFollower:
    """Return a follower of the test's API server."""
    return LogFollower(api.apis, "ns", files)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is read again be read at once."""
    monkeypatch.setattr(container_log, "AGAIN", 0.01)
    monkeypatch.setattr(container_log, "PAUSE", 0.01)


def stamped(*texts: str, second: int = 0) -> list[bytes]:
    """Return lines with their times, a microsecond apart, as a node gives them."""
    return [f"2026-01-01T00:00:{second:02}.{n:09}Z {text}\n".encode() for n, text in enumerate(texts)]


def since(log: Iterable[bytes], query: dict[str, list[str]]) -> list[bytes]:
    """Return what a node gives of a log: it knows whole seconds only."""
    start = query.get("sinceTime", ["0000"])[0].encode().removesuffix(b"Z")
    return [line for line in log if line[: len(start)] >= start]


def until(what: Callable[[], bool], do: Callable[[], object] = lambda: None) -> None:
    """Wait until something is so."""

    def observe() -> str | None:
        do()
        return None if what() else "not yet"

    wait_until("it", observe, timeout=30, interval=0.01)


def test_whole_log(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """The log of a container that has ended is kept from its start to its end, with the time of each line."""
    api.logs[NOW] = [b"2026-01-01T00:00:00.5Z one\n", b"two\nthree\n", b"no line end"]
    follower.look([pod("ended")])
    follower.finish()
    assert files.lines == {WEB: ["2026-01-01T00:00:00.5Z one", "two", "three", "no line end"]}
    assert files.closed == [WEB]


def test_pods_have_folders(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """Containers of the same name in two pods have a file each, and so has a pod of a name that was there before."""
    api.logs[NOW] = [b"one\n"]
    follower.look([pod("ended"), pod("ended", name="web-1")])
    follower.look([pod("ended", uid="second")])
    follower.finish()
    assert set(files.lines) == {WEB, "logs/web-1/server.log", "logs/web-0.1/server.log"}


def test_waiting_container(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A container that has not begun is not asked for its log."""
    follower.look([pod("waiting")])
    follower.finish()
    assert (api.read, files.lines) == ([], {})


@pytest.mark.parametrize(
    ("pieces", "text"),
    [([b"\xc3", b"\xa4\n"], "ä"), ([b"s3c", b"ret\n"], "s3cret"), ([b"\xff\n"], "\ufffd")],
    ids=["letter", "word", "no UTF-8"],
)
def test_pieces(api: ApiServer, follower: LogFollower, files: Files, pieces: list[bytes], text: str) -> None:
    """A line that the stream cuts anywhere is given whole, and bytes that are no UTF-8 end nothing."""
    api.logs[NOW] = [*pieces, b"next\n"]
    follower.look([pod("ended")])
    follower.finish()
    assert files.text() == [text, "next"]


def test_restart(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A container's successor has a file of its own, and the first one's stays."""
    api.logs[NOW] = [b"first\n"]
    follower.look([pod("ended")])
    until(lambda: files.closed == [WEB])
    api.logs[NOW] = [b"second\n"]
    follower.look([pod("ended", restarts=1)])
    follower.finish()
    assert files.text() == ["first"]
    assert files.text("logs/web-0/server.1.log") == ["second"]


def test_end_between_two_looks(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A container that came and went between two looks is asked for as the previous one."""
    api.logs[BEFORE], api.logs[NOW] = [b"crashed\n"], [b"second\n"]
    follower.look([pod("ended", restarts=1)])
    follower.finish()
    assert files.text() == ["crashed"]
    assert files.text("logs/web-0/server.1.log") == ["second"]


def test_log_that_is_gone(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A log that the API refuses leaves a file that says so, and no error."""
    api.logs.clear()
    follower.look([pod("ended")])
    follower.finish()
    assert files.text() == ["[the log ends here: the cluster refused it: no: 400 (400)]"]


def test_line_is_there_at_once(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A line is there while its container still runs; the end doesn't wait for it, and nothing is written after it."""
    over = threading.Event()

    def log(_: object) -> Iterator[bytes]:
        yield b"first\n"
        over.wait(60)
        yield b"last\n"

    api.logs[NOW] = log
    follower.look([pod("running")])
    until(lambda: files.text() == ["first"])
    follower.finish(timeout=30)
    assert not over.is_set()
    over.set()
    assert (files.text(), files.closed) == (["first"], [WEB])


def test_stream_that_still_pours(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """Lines that keep coming when all is over are still taken, of a stream that is held open too; not for ever."""
    asked, over = threading.Event(), threading.Event()

    def log(_: object) -> Iterator[bytes]:
        yield b"first\n"
        asked.wait(30)
        for n in range(50):
            yield f"{n}\n".encode()
            over.wait(0.02)
        while not over.wait(0.05):
            yield b"more\n"

    api.logs[NOW] = log
    follower.look([pod("running")])
    until(lambda: files.text() == ["first"])
    asked.set()
    follower.finish(timeout=3600)
    assert not over.is_set()
    over.set()
    assert files.text()[1:51] == [str(n) for n in range(50)]


def test_stream_that_ends_early(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A stream that ends while its container runs is taken up where it was: no line twice, none left out."""
    log = [*stamped("a", "b", "b", "c"), *stamped("d", "d", "e", second=1), *stamped("f", second=2)]
    ends = iter([2, 3, 5, 6, 8])

    def tell(query: dict[str, list[str]]) -> list[bytes]:
        return since(log[: next(ends, None)], query)

    api.logs[NOW] = tell
    until(lambda: len(files.text()) == 8, lambda: follower.look([pod("running")]))
    follower.look([pod("ended")])
    follower.finish()
    assert files.text() == ["a", "b", "b", "c", "d", "d", "e", "f"]


def test_rotated_log(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """Where the node has put the lines before away, those after them are not taken for lines that are known."""
    parts = iter([stamped("a", "b"), [*stamped("a", "b", "c")[2:]]])
    api.logs[NOW] = lambda _: next(parts, [])
    until(lambda: len(files.text()) == 3, lambda: follower.look([pod("running")]))
    follower.finish()
    assert files.text() == ["a", "b", "c"]


def test_connection_that_is_lost(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """Half a line before a connection is lost is given once, whole, when the stream is taken up again."""
    log = stamped("first", "second", "third")

    def tell(query: dict[str, list[str]]) -> Iterator[bytes]:
        if "sinceTime" not in query:
            yield log[0] + log[1][:35]
            raise ConnectionResetError
        yield from since(log, query)

    api.logs[NOW] = tell
    until(lambda: len(files.text()) == 3, lambda: follower.look([pod("running")]))
    follower.finish()
    assert files.text() == ["first", "second", "third"]


def test_api_that_fails_for_a_moment(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """One failed answer leaves nothing out, also of a container that has ended."""
    parts: Iterator[Any] = iter([[b"one\n"]])

    def tell(_: object) -> list[bytes]:
        if len(api.read) < 3:
            raise ConnectionResetError
        found: list[bytes] = next(parts)
        return found

    api.logs[NOW] = tell
    follower.look([pod("ended")])
    follower.finish()
    assert files.text() == ["one"]


def test_pod_that_is_deleted(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """What a pod said before it was deleted is kept, to its last word, and it isn't asked for any more."""
    api.logs[NOW] = [b"one\n", b"last words"]
    follower.look([pod("running")])
    until(lambda: files.text() == ["one", "last words"], lambda: follower.look([]))
    assert (api.read, files.closed) == ([NOW], [WEB])


def test_end_is_read_after_the_end(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """The last lines of a container, which its stream did not have, are read when it has ended."""
    log = stamped("first", "last")
    api.logs[NOW] = lambda query: since(log[:1] if query["follow"] == ["true"] else log, query)
    until(lambda: files.text() == ["first"], lambda: follower.look([pod("running")]))
    follower.look([pod("ended")])
    follower.finish()
    assert files.text() == ["first", "last"]


def test_feed(api: ApiServer, files: Files) -> None:
    """The lines of a container that somebody else takes are given without their times, and to no file."""
    fed: list[str] = []
    follower = LogFollower(api.apis, "ns", files, lambda pod, _: fed.append if pod == "web-0" else None)
    api.logs[NOW] = stamped('{"event": 1}', '{"event": 2}')
    follower.look([pod("ended"), pod("ended", name="web-1")])
    follower.finish()
    assert fed == ['{"event": 1}', '{"event": 2}']
    assert list(files.lines) == ["logs/web-1/server.log"]


def test_more_containers_than_streams(
    api: ApiServer, follower: LogFollower, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more containers than streams, each line is read all the same, while they run."""
    monkeypatch.setattr(follow, "AT_ONCE", 2)
    monkeypatch.setattr(follow, "BRIEF_AT_ONCE", 2)
    over, held = threading.Event(), []

    def tell(query: dict[str, list[str]]) -> Iterator[bytes]:
        yield from since(stamped("one"), query)
        if query["follow"] == ["true"]:
            held.append(1)
            over.wait(60)

    api.logs[NOW] = tell
    found = [pod("running", name=f"web-{n}") for n in range(8)]
    until(lambda: sum(map(len, files.lines.values())) == 8, lambda: follower.look(found))
    follower.finish()
    over.set()
    assert len(held) == 2
    assert all(text == files.lines[WEB] for text in files.lines.values())


def test_streams_are_for_what_somebody_goes_by(api: ApiServer, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more containers than streams, those whose lines somebody takes are held open, whatever else is there."""
    monkeypatch.setattr(follow, "AT_ONCE", 2)
    fed: dict[str, list[str]] = {"web-6": [], "web-7": []}
    follower = LogFollower(api.apis, "ns", files, lambda pod, _: fed[pod].append if pod in fed else None)
    more, over = threading.Event(), threading.Event()

    def tell(query: dict[str, list[str]]) -> Iterator[bytes]:
        first, second = stamped("one", "two")
        yield from since([first], query)
        if query["follow"] == ["true"]:
            more.wait(60)
            yield second
            over.wait(60)

    api.logs[NOW] = tell
    found = [pod("running", name=f"web-{n}") for n in range(8)]
    until(lambda: len(files.lines) == 6 and all(files.lines.values()), lambda: follower.look(found))
    more.set()
    until(lambda: fed == {"web-6": ["one", "two"], "web-7": ["one", "two"]}, lambda: follower.look(found))
    assert all(text == files.lines["logs/web-0/server.log"] for text in files.lines.values())
    assert files.text("logs/web-0/server.log") == ["one"]
    over.set()
    follower.finish()


def test_api_that_is_gone(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """Where the API does not come back, the end takes no longer than it may."""
    api.objects.clear()
    api.logs[NOW] = lambda _: (_ for _ in ()).throw(ConnectionResetError)
    follower.look([pod("ended")])
    follower.finish(timeout=0.3)
    assert (files.text(), files.closed) == ([], [WEB])


def test_long_line() -> None:
    """Of a line that is too long, what comes before is given and the rest is counted, cut between two words."""
    pieces = [b"password ", *[b"x" * 1000] * (LONGEST // 1000 + 5), b"\nnext\n"]
    first, second = lines(pieces)
    left_out = 1000 * (LONGEST // 1000 + 5) + 1  # the space too
    assert first == (b"password [%d bytes of this line are left out]" % left_out, True)
    assert second == (b"next", True)


def test_many_lines_of_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of one second is bounded, and no line of it is given twice all the same."""
    monkeypatch.setattr(container_log, "REMEMBERED", 10)
    position = Position()
    stamps = [f"2026-01-01T00:00:00.{n:09}Z" for n in range(25)]
    for stamp in stamps:
        position.pass_by(stamp, "2026-01-01T00:00:00Z", stamp.encode())
    resumed = position.resumed()
    assert all(resumed.is_known(stamp, "2026-01-01T00:00:00Z", stamp.encode()) for stamp in stamps)
    assert not resumed.is_known(f"{stamps[0][:-2]}9Z", "2026-01-01T00:00:01Z", b"new")


def test_log_that_is_not_there_yet(api: ApiServer, follower: LogFollower, files: Files) -> None:
    """A log that is refused while its container runs is asked for again."""
    follower.look([pod("running")])
    until(lambda: api.read == [NOW])
    api.logs[NOW] = [b"one\n"]
    until(lambda: files.text() == ["one"], lambda: follower.look([pod("ended")]))
    follower.finish()
    assert files.text() == ["one"]
