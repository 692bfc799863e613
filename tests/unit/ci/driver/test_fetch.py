"""Files come out of a pod whole, or it is told what didn't."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import execute, fetch
from floe_ci.driver.apis import Apis
from floe_ci.driver.execute import Broken, Container, Execution, connection, run
from floe_ci.driver.poll import Stopped
from floe_ci.errors import RunError
from kubernetes import client

from tests.unit.ci.conftest import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

EXEC = "/api/v1/namespaces/ns/pods/web-0/exec"
pytestmark = pytest.mark.usefixtures("clock")


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Return the head of an archive's member."""
    head = tarfile.TarInfo(name)
    head.type, head.linkname = kind, target
    return head


def archive(*files: tuple[str, bytes], more: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """Return a tar archive of some files, and of what is none."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as into:
        for name, content in files:
            head = member(name)
            head.size = len(content)
            into.addfile(head, io.BytesIO(content))
        for head in more:
            into.addfile(head)
    return packed.getvalue()


def ended(code: int) -> tuple[int, bytes]:
    """Return the message that a command ended with a code."""
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return 3, json.dumps({"status": "Failure", "details": {"causes": causes}}).encode()


WHOLE = archive(("./junit.xml", b"<testsuites/>"), ("./deep/er/plain.txt", bytes(range(256)) * 100))


@pytest.fixture
def keeper(api: ApiServer) -> Container:
    """Return the container that has the files."""
    return Container(api.apis, "ns", "web-0", "keeper")


def told(api: ApiServer, *tries: list[tuple[int, bytes]]) -> None:
    """Have the API answer one command after the other."""
    left = iter(tries)
    api.run = lambda _: next(left)


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


def test_whole(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """Files come as they are, bytes that are no text included, whatever the size of the pieces."""
    told(api, [*((1, WHOLE[at : at + 777]) for at in range(0, len(WHOLE), 777)), SUCCESS])
    assert fetch.fetch(keeper, "/results", tmp_path, exclude=(".secret",)) == ()
    assert files(tmp_path) == {"junit.xml": b"<testsuites/>", "deep/er/plain.txt": bytes(range(256)) * 100}
    assert api.commands == [["tar", "--create", "--directory", "/results", "--exclude=./.secret", "."]]


def test_nothing(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """An empty folder is no problem."""
    told(api, [(1, archive()), SUCCESS])
    assert fetch.fetch(keeper, "/results", tmp_path) == ()
    assert files(tmp_path) == {}


def test_what_is_left_out(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """Links, devices and names that leave the folder are left out, each is told, and what follows them is kept."""
    (tmp_path / "taken").mkdir()
    odd = (
        member("./link", tarfile.SYMTYPE, "/etc/passwd"),
        member("./hard", tarfile.LNKTYPE, "./a"),
        member("./pipe", tarfile.FIFOTYPE),
        member("./device", tarfile.CHRTYPE),
        member("../climbs"),
        member("/absolute"),
        member("./taken"),
        member("./" + "x" * 300),
        member("./folder", tarfile.DIRTYPE),
    )
    told(api, [(1, archive(("./a", b"a"), more=(*odd, member("./last")))), SUCCESS])
    notes = fetch.fetch(keeper, "/results", tmp_path)
    assert files(tmp_path) == {"a": b"a", "last": b""}
    assert [note.partition(": ")[::2] for note in notes[:6]] == [
        ("left out ./link", "a link"),
        ("left out ./hard", "a link"),
        ("left out ./pipe", "not a file"),
        ("left out ./device", "not a file"),
        ("left out ../climbs", "its name leaves the folder"),
        ("left out /absolute", "its name leaves the folder"),
    ]
    assert [note.partition(": ")[2].partition(":")[0] for note in notes[6:]] == ["it can't be written here"] * 2


def test_many_left_out(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """Of many files that are left out, some are named and the others counted."""
    told(api, [(1, archive(more=tuple(member(f"l{n}", tarfile.SYMTYPE, "x") for n in range(25)))), SUCCESS])
    notes = fetch.fetch(keeper, "/results", tmp_path)
    assert (len(notes), notes[-1]) == (21, "left out 5 more files")


@pytest.mark.parametrize("length", [0, 300, 512, 700, 1024, len(WHOLE) - 2000])
def test_cut(api: ApiServer, keeper: Container, tmp_path: Path, length: int) -> None:
    """An archive that is cut anywhere is fetched again, also where the command seems to have ended well."""
    told(api, [(1, WHOLE[:length]), SUCCESS], [(1, WHOLE), SUCCESS])
    fetch.fetch(keeper, "/results", tmp_path)
    assert set(files(tmp_path)) == {"junit.xml", "deep/er/plain.txt"}


def test_cut_in_a_file_of_zeros(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """Zeros of a file are not taken for the end of the archive."""
    zeros = archive(("./zeros", bytes(10240)), ("./last", b"x"))
    told(api, [(1, zeros[: 512 + 10240]), SUCCESS], [(1, zeros), SUCCESS])
    fetch.fetch(keeper, "/results", tmp_path)
    assert files(tmp_path) == {"zeros": bytes(10240), "last": b"x"}


def test_connection_that_ends_early(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A whole archive without a word of how the command ended is fetched again."""
    told(api, [(1, WHOLE)], [(1, WHOLE), SUCCESS])
    fetch.fetch(keeper, "/results", tmp_path)
    assert len(api.commands) == 2


def test_never_whole(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """What never comes whole is a problem of the run; the files that came are kept, and no part of one is."""
    cut = WHOLE[: 512 + 512 + 512 + 999]
    told(api, *([[(1, cut), SUCCESS]] * 3))
    with pytest.raises(RunError, match=r"^the results of pod web-0 did not come whole: .*, after 2535 bytes$"):
        fetch.fetch(keeper, "/results", tmp_path)
    assert files(tmp_path) == {"junit.xml": b"<testsuites/>"}


def test_file_that_comes_worse_the_second_time(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A file that came whole once stays, when a later try breaks off within it."""
    told(api, [(1, WHOLE)], [(1, WHOLE[:700])], [(1, b"")])
    with pytest.raises(RunError):
        fetch.fetch(keeper, "/results", tmp_path)
    assert set(files(tmp_path)) == {"junit.xml", "deep/er/plain.txt"}


def test_refused(api: ApiServer, keeper: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that runs no command is asked for a minute, and then told with its own words."""
    monkeypatch.setattr("floe_ci.driver.poll.PATIENCE", 1.0)
    api.objects[EXEC] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match=r"whole: the cluster refused to run a command: no: 403, after 0 bytes$"):
        fetch.fetch(keeper, "/results", tmp_path)
    assert len(api.commands) > 3


def test_pod_that_is_gone(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A pod that isn't there is not waited for."""
    api.objects[EXEC] = HTTPStatus.NOT_FOUND
    with pytest.raises(RunError, match=r"the cluster refused to run a command: no: 404"):
        fetch.fetch(keeper, "/results", tmp_path)
    assert len(api.commands) == 3


def test_api_that_is_away(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """An API that is away for longer than a few tries take is waited for."""
    tries = iter(range(20))
    api.objects[EXEC] = lambda: HTTPStatus.SERVICE_UNAVAILABLE if next(tries, None) is not None else None
    told(api, [(1, WHOLE), SUCCESS])
    fetch.fetch(keeper, "/results", tmp_path)
    assert (len(api.commands), len(files(tmp_path))) == (21, 2)


def test_no_tar(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A container in which the command can't be run is told with the cluster's words."""
    failure = (3, b'{"status": "Failure", "message": "exec: tar: not found", "reason": "InternalError"}')
    told(api, *([[(1, WHOLE), failure]] * 3))
    with pytest.raises(RunError, match="the cluster could not run the command: exec: tar: not found"):
        fetch.fetch(keeper, "/results", tmp_path)


@pytest.mark.parametrize("code", [1, 2])
def test_file_that_tar_can_not_read(api: ApiServer, keeper: Container, tmp_path: Path, code: int) -> None:
    """What tar could not read is told, and the rest is taken."""
    said = b"tar: ./secret: Cannot open: Permission denied\ntar: Exiting with failure status due to previous errors\n"
    told(api, [(2, said[:20]), (1, WHOLE), (2, said[20:]), ended(code)])
    assert fetch.fetch(keeper, "/results", tmp_path) == ("tar: ./secret: Cannot open: Permission denied",)
    assert len(files(tmp_path)) == 2


def test_tar_that_is_killed(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A tar that ended in any other way is tried again."""
    told(api, [(1, WHOLE), ended(137)], [(1, WHOLE), SUCCESS])
    fetch.fetch(keeper, "/results", tmp_path)
    assert len(api.commands) == 2


def test_silence(api: ApiServer, keeper: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which nothing comes any more is given up, and the next one is taken."""
    monkeypatch.setattr(execute, "SILENCE", 0.3)
    over = threading.Event()

    def silent() -> Iterator[tuple[int, bytes]]:
        yield 1, WHOLE[:700]
        over.wait(60)

    tries = iter([silent(), iter([(1, WHOLE), SUCCESS])])
    api.run = lambda _: next(tries)
    fetch.fetch(keeper, "/results", tmp_path)
    over.set()
    assert set(files(tmp_path)) == {"junit.xml", "deep/er/plain.txt"}


@pytest.mark.timeout(30)
def test_deadline(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """All tries together take no longer than they may."""
    over = threading.Event()

    def silent(_: list[str]) -> Iterator[tuple[int, bytes]]:
        yield 1, WHOLE[:700]
        over.wait(60)

    api.run = silent
    with pytest.raises(RunError, match="did not come whole: it took too long, after 700 bytes"):
        fetch.fetch(keeper, "/results", tmp_path, timeout=0.3)
    over.set()


def test_stop(api: ApiServer, keeper: Container, tmp_path: Path) -> None:
    """A run that is told to stop waits for no more of the files."""
    stop = threading.Event()

    def endless(_: list[str]) -> Iterator[tuple[int, bytes]]:
        while True:
            yield 1, bytes(512)
            stop.set()

    api.run = endless
    with pytest.raises(Stopped):
        fetch.fetch(keeper, "/results", tmp_path, stop=stop)


def test_full_disk(api: ApiServer, keeper: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no more is told at once, and not tried again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("floe_ci.driver.fetch.shutil.copyfileobj", full)
    told(api, [(1, WHOLE), SUCCESS])
    with pytest.raises(RunError, match=rf"^the results can't be written to {tmp_path}: No space left on device$"):
        fetch.fetch(keeper, "/results", tmp_path)


def test_run(api: ApiServer, keeper: Container) -> None:
    """A command is run with its arguments as they are."""
    run(keeper, ("touch", "a b"), timeout=10)
    assert api.commands == [["touch", "a b"]]


def test_run_that_fails(api: ApiServer, keeper: Container) -> None:
    """A command that fails is told with what it said."""
    told(api, [(2, b"no such file\n"), ended(1)])
    with pytest.raises(Broken, match=r"^it ended with exit code 1: no such file$"):
        run(keeper, ("touch", "x"), timeout=10)


def test_no_connection() -> None:
    """A cluster that is not there is told as such."""
    nowhere = Apis(client.Configuration(host="http://127.0.0.1:9"))
    with pytest.raises(Broken, match=r"^no connection for a command: "):
        Execution(Container(nowhere, "ns", "web-0", "keeper")).open(["true"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [("https://127.0.0.1:6443", None), ("https://prod.example.com", "proxy.invalid"), ("https://in.example.com", None)],
)
def test_proxy(monkeypatch: pytest.MonkeyPatch, host: str, expected: str | None) -> None:
    """A command goes the way of every other request: by the proxy, but not to this machine, nor to an exception."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word@proxy.invalid:3128")  # pragma: allowlist secret
    for name in ("NO_PROXY", "no_proxy"):  # a run on this machine has both
        monkeypatch.setenv(name, "in.example.com")
    _, options = connection(Container(Apis(client.Configuration(host=host)), "ns", "p", "c"), ["true"])
    assert options.get("http_proxy_host") == expected
    assert ("http_no_proxy" in options) is (expected is None)


def test_credentials() -> None:
    """A command is run with the credentials, and against the certificate, of the kubeconfig."""
    settings = client.Configuration(host="https://prod.example.com", api_key={"authorization": "Bearer t"})
    settings.ssl_ca_cert, settings.cert_file, settings.key_file = "ca", "cert", "key"
    url, options = connection(Container(Apis(settings), "ns", "p", "c"), ["a", "b"])
    assert url == (
        "wss://prod.example.com/api/v1/namespaces/ns/pods/p/exec?container=c&stdout=true&stderr=true&command=a&command=b"
    )
    assert options["header"]["authorization"] == "Bearer t"
    tls = options["sslopt"]
    assert (tls["ca_certs"], tls["certfile"], tls["keyfile"], tls["check_hostname"]) == ("ca", "cert", "key", True)
