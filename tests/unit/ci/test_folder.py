"""A run's results folder: whose it is, who may read it, and what of the tests' own files comes into it."""

from __future__ import annotations

import errno
import gzip
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.folder import MARKS, RunFolder, read_run
from floe_ci.locks import is_locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "hunter22-long"  # noqa: S105 - of no service


def take(target: Path, run_id: str = "abc") -> RunFolder:
    """Take a folder."""
    return RunFolder.take(target, run_id=run_id, tier="unit", place="local")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """Yield a folder that is taken, by a run that has a secret."""
    folder = take(tmp_path / "results" / "unit")
    folder.redactor.add([SECRET])
    yield folder
    folder.release()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return where tests write."""
    raw = tmp_path / "raw"
    raw.mkdir()
    return raw


def names(folder: Path) -> set[str]:
    """Return what is in a folder."""
    return {path.name for path in folder.iterdir()} - {".reserve"}


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return path.stat().st_mode & 0o777


def earlier(target: Path) -> None:
    """Have an earlier run's results in a folder."""
    (target / "logs" / "pod").mkdir(parents=True)
    for name in (*MARKS, "junit.xml", "summary.md", "logs/pod/a.log"):
        (target / name).write_text("0\n")


@pytest.mark.parametrize("there", ["nothing", "empty", "earlier"])
def test_taken(tmp_path: Path, there: str) -> None:
    """A folder that is taken shows nothing of an earlier run, and says that one is going on; others can't read it."""
    target = tmp_path / "results" / "unit"
    if there != "nothing":
        target.mkdir(parents=True)
    if there == "earlier":
        earlier(target)
    folder = take(target)
    assert names(target) == {"run.json", "logs"}
    assert not [*(target / "logs").iterdir()]
    run = read_run(target)
    assert run is not None
    assert {name: run[name] for name in ("run_id", "tier", "state", "place")} == {
        "run_id": "abc",
        "tier": "unit",
        "state": "running",
        "place": "local",
    }
    assert mode(target) == 0o700
    folder.release()


def test_folder_of_a_killed_run(tmp_path: Path) -> None:
    """What a run left that was killed in its course is known for a run's, and gives way to the next."""
    code = (
        "import os, sys; from pathlib import Path; from floe_ci.folder import RunFolder; "
        "f = RunFolder.take(Path(sys.argv[1]), run_id='old', tier='unit', place='local'); "
        "f.log('runner.log').line('half'); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "unit"
    subprocess.run([sys.executable, "-c", code, target], check=False, timeout=60)
    assert (target / "logs" / "runner.log").read_text() == "half\n"
    assert not is_locked(target)
    folder = take(target, "new")
    assert names(target) == {"run.json", "logs"}
    assert not [*(target / "logs").iterdir()]
    folder.release()


@pytest.mark.parametrize("name", ["thesis.tex", "run.json", "exit-code", ".hidden"])
def test_something_else_is_refused(tmp_path: Path, name: str) -> None:
    """A folder with anything else in it is refused, and stays as it is."""
    (tmp_path / name).write_text('{"name": "mine"}')
    with pytest.raises(UserError, match="it holds something else than the results of a run; name another folder"):
        take(tmp_path)
    assert (tmp_path / name).read_text() == '{"name": "mine"}'
    assert names(tmp_path) == {name}


def test_file_is_refused(tmp_path: Path) -> None:
    """A file is no place for results, nor is a folder below one."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="it is no folder"):
        take(tmp_path / "file")
    with pytest.raises(UserError, match="it can't be written: Not a directory"):
        take(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """That a folder can't be written is found out before a test has run."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="it can't be written: Permission denied"):
            take(tmp_path / "results")
    finally:
        tmp_path.chmod(0o700)


def test_name_that_is_too_long(tmp_path: Path) -> None:
    """A name that the file system refuses is told as such."""
    with pytest.raises(UserError, match="it can't be written: File name too long"):
        take(tmp_path / ("x" * 300))


def test_link_to_a_folder(tmp_path: Path) -> None:
    """A link to a folder is followed and stays; one to nothing is refused."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "real")
    folder = take(link)
    assert folder.path == tmp_path / "real"
    assert link.is_symlink()
    folder.release()
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match="it is a link to nothing"):
        take(dangling)


def test_second_run_is_refused(folder: RunFolder) -> None:
    """While a run goes on, another is told which one has the folder; its files stay."""
    folder.log("runner.log").line("first")
    assert is_locked(folder.path)
    with pytest.raises(UserError, match=rf"run abc \(process {os.getpid()}, since .*\) is using it"):
        take(folder.path, "second")
    assert (folder.path / "logs" / "runner.log").read_text() == "first\n"
    folder.release()
    assert not is_locked(folder.path)
    take(folder.path, "second").release()


def test_written_whole_or_not_at_all(folder: RunFolder) -> None:
    """A file that can't be written to its end leaves what was there before, and nothing beside it."""
    folder.write("junit.xml", f"old {SECRET}")
    assert (folder.path / "junit.xml").read_text() == "old ***"

    def parts() -> Iterator[str]:
        yield "new"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        folder.write_parts("junit.xml", parts())
    assert (folder.path / "junit.xml").read_text() == "old ***"
    assert names(folder.path) == {"run.json", "logs", "junit.xml"}
    assert mode(folder.path / "junit.xml") == 0o600


def test_log_grows_by_lines(folder: RunFolder) -> None:
    """Each line of a log is there at once, redacted, whatever it ends in; a log is continued where it was."""
    log = folder.log("pod/app.log")
    for line in ("one\n", f"two {SECRET}\r\n", "three \udcff \N{SNOWMAN}"):
        log.line(line)
    assert (folder.path / "logs/pod/app.log").read_text() == "one\ntwo ***\nthree ? \N{SNOWMAN}\n"
    log.close()
    folder.log("logs/pod/app.log").line("four")
    assert (folder.path / "logs/pod/app.log").read_text().endswith("\nfour\n")


def test_log_on_a_full_disk(folder: RunFolder) -> None:
    """A log that can't be written says so at the end, and disturbs nobody before."""
    log = folder.log("full.log")
    log.path = Path("/dev/full")
    log.line("lost")
    log.line("lost too")
    log.close()
    assert log.problem == "No space left on device"


def test_released(folder: RunFolder, raw: Path) -> None:
    """Once a run has ended everybody may read its results, whatever modes its tests gave to their files."""
    (raw / "sub").mkdir()
    (raw / "sub" / "a").write_text("x")
    (raw / "sub" / "a").chmod(0o600)
    (raw / "sub").chmod(0o700)
    folder.gather(raw)
    folder.log("a.log").line("x")
    folder.release()
    assert {mode(path) for path in folder.path.rglob("*") if path.is_file()} == {0o644}
    assert {mode(path) for path in (folder.path, *folder.path.rglob("*")) if path.is_dir()} == {0o755}
    assert ".reserve" not in {path.name for path in folder.path.iterdir()}


def test_gathered(folder: RunFolder, raw: Path) -> None:
    """What tests wrote is copied without passwords, in names as well; `junit.xml` takes the live one's place."""
    folder.write("junit.xml", "live")
    (raw / "junit.xml").write_text(f"<testsuites>{SECRET}</testsuites>")
    (raw / f"dump-{SECRET}").mkdir()
    (raw / f"dump-{SECRET}" / "table.sql").write_bytes(b"\xff " + SECRET.encode())
    (raw / "logs").mkdir()
    (raw / "logs" / "mine.log").write_text("x")
    notes = folder.gather(raw)
    assert (folder.path / "junit.xml").read_text() == "<testsuites>***</testsuites>"
    assert (folder.path / "dump-redacted" / "table.sql").read_bytes() == b"\xff ***"
    assert (folder.path / "logs" / "mine.log").read_text() == "x"
    assert notes == ("dump-***: it is called dump-redacted here",)
    assert folder.has_gathered("junit.xml")
    assert not folder.has_gathered("coverage.xml")


def test_links_are_left_out(folder: RunFolder, raw: Path) -> None:
    """No link is followed, whether to a file, a folder or nothing."""
    for name, target in {
        "etc": "/etc",
        "host": "/etc/hostname",
        "nothing": "/nope",
        "self": "self",
        "up": "..",
    }.items():
        (raw / name).symlink_to(target)
    (raw / "kept").write_text("x")
    assert folder.gather(raw) == tuple(
        f"{name}: left out: it is a link" for name in ("etc", "host", "nothing", "self", "up")
    )
    assert names(folder.path) == {"run.json", "logs", "kept"}


def test_what_is_no_file_is_left_out(folder: RunFolder, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket and a pipe are named and left out; nobody waits for them."""
    monkeypatch.chdir(raw)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        os.mkfifo("pipe")
        notes = folder.gather(raw)
    assert notes == ("pipe: left out: it is a pipe", "socket: left out: it is a socket")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_unreadable_is_left_out(folder: RunFolder, raw: Path) -> None:
    """A file and a folder that can't be read are named and left out."""
    (raw / "secret").write_text("x")
    (raw / "secret").chmod(0)
    (raw / "closed").mkdir(mode=0)
    assert folder.gather(raw) == (
        "closed: left out: Permission denied",
        "secret: left out: Permission denied",
    )
    (raw / "closed").chmod(0o700)


def test_what_disappears(folder: RunFolder, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that goes, or becomes a link, between being seen and being copied is left out."""
    (raw / "gone").write_text("x")
    (raw / "swapped").write_text("x")
    used = []

    def change(_: object) -> object:
        if not used:
            (raw / "gone").unlink()
            (raw / "swapped").unlink()
            (raw / "swapped").symlink_to("/etc/hostname")
        used.append(1)
        return type("Usage", (), {"free": 1 << 40})

    (raw / "first").write_text("")
    monkeypatch.setattr("floe_ci.folder.shutil.disk_usage", change)
    notes = folder.gather(raw)
    assert notes[0] == "gone: left out: No such file or directory"
    assert notes[1].startswith("swapped: left out: Too many levels of symbolic links")
    assert names(folder.path) == {"run.json", "logs", "first"}


def test_names_of_ours(folder: RunFolder, raw: Path) -> None:
    """What tests call by a name of ours is kept under another, which is told; ours are not touched."""
    for name in ("exit-code", "summary.md", "run.json", "timings.json", "events.txt", "logs"):
        (raw / name).write_text("theirs")
    (raw / "junit.xml").mkdir()
    (raw / "junit.xml" / "part.xml").write_text("theirs")
    notes = folder.gather(raw)
    assert len(notes) == 7
    assert "logs: it is called logs.of-the-tests here" in notes
    assert (folder.path / "exit-code.of-the-tests").read_text() == "theirs"
    assert (folder.path / "junit.xml.of-the-tests" / "part.xml").read_text() == "theirs"
    assert (folder.path / "logs").is_dir()
    assert not (folder.path / "exit-code").exists()
    assert read_run(folder.path) is not None


def test_log_of_ours_is_not_replaced(folder: RunFolder, raw: Path) -> None:
    """A test's log of the same name as a service's stands beside it."""
    folder.log("postgres.log").line("ours")
    (raw / "logs").mkdir()
    (raw / "logs" / "postgres.log").write_text("theirs")
    assert folder.gather(raw) == ("logs/postgres.log: it is called logs/postgres.log-2 here",)
    assert (folder.path / "logs" / "postgres.log").read_text() == "ours\n"


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a\nb", "a%0Ab"), ("a\x1b[31m", "a%1B[31m"), (os.fsdecode(b"a\xffb"), "a%FFb"), ("a\\b", "a%5Cb")],
)
def test_odd_names(folder: RunFolder, raw: Path, name: str, safe: str) -> None:
    """A name that would break lines, terminals or other systems is written with percent signs."""
    (raw / name).write_text("x")
    assert folder.gather(raw) == (f"{safe}: it is called {safe} here",)
    assert (folder.path / safe).read_text() == "x"


def test_names_that_become_one(folder: RunFolder, raw: Path) -> None:
    """Two names that are one when they are safe stay two files."""
    (raw / "a\nb").write_text("1")
    (raw / "a%0Ab").write_text("2")
    folder.gather(raw)
    assert sorted((folder.path / name).read_text() for name in ("a%0Ab", "a%0Ab-2")) == ["1", "2"]


def test_deep_folders(folder: RunFolder, raw: Path) -> None:
    """Folders in folders without end are followed to a depth, and no further."""
    deep = raw
    for _ in range(100):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (raw / "top").write_text("x")
    (note,) = folder.gather(raw)
    assert note.endswith("left out: it is more than 64 folders deep")
    assert (folder.path / "top").exists()


def test_huge_files(folder: RunFolder, raw: Path) -> None:
    """A file that is larger than may be is left out, and so is one that would fill the disk."""
    with (raw / "huge").open("wb") as file:
        file.truncate(5 << 30)
    (raw / "small").write_text("x")
    assert folder.gather(raw) == ("huge: left out: it is larger than 4 GiB",)
    assert names(folder.path) == {"run.json", "logs", "small"}


def test_no_room(folder: RunFolder, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is nearly full, files of tests don't take what the verdict needs."""
    (raw / "large").write_bytes(bytes(1 << 20))
    (raw / "small").write_text("x")
    monkeypatch.setattr("floe_ci.folder.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    assert folder.gather(raw) == ("large: left out: No space left on device",)
    assert (folder.path / "small").exists()


def test_file_that_grows(folder: RunFolder, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written to while it is copied is copied as far as it was, which is told."""
    path = raw / "growing"
    path.write_bytes(b"x" * 100)
    copy = folder.redactor.copy

    def slowly(source: object, target: object, size: int) -> None:
        with path.open("ab") as file:
            file.write(b"y" * 100)
        copy(source, target, size)  # type: ignore[arg-type]

    monkeypatch.setattr(folder.redactor, "copy", slowly)
    assert folder.gather(raw) == ("growing: it was still growing; its start is here",)
    assert (folder.path / "growing").read_bytes() == b"x" * 100


def test_compressed_files(folder: RunFolder, raw: Path) -> None:
    """A compressed file is kept as it is, and that nobody searched it is told."""
    data = gzip.compress(SECRET.encode())
    (raw / "dump.gz").write_bytes(data)
    assert folder.gather(raw) == ("dump.gz: it is compressed, and was not searched for passwords",)
    assert (folder.path / "dump.gz").read_bytes() == data


def test_many_notes(folder: RunFolder, raw: Path) -> None:
    """Of very many things that were left out the first are named."""
    for number in range(100):
        (raw / f"{number:03}").symlink_to("/nope")
    notes = folder.gather(raw)
    assert len(notes) == 21
    assert notes[-1] == "and 80 more of this kind"


def test_no_time(folder: RunFolder, raw: Path) -> None:
    """Where there is no time, what was not copied is named; what pytest left comes first."""
    (raw / "a").write_text("x")
    assert folder.gather(raw, seconds=-1) == ("a: left out: there was no time left",)


@pytest.mark.parametrize("make", [lambda _: None, lambda raw: raw.write_text("x")])
def test_nothing_to_gather(folder: RunFolder, tmp_path: Path, make: Callable[[Path], object]) -> None:
    """Where tests wrote nothing, or left a file in the folder's place, there is nothing to copy, and no error."""
    make(tmp_path / "none")
    folder.gather(tmp_path / "none")
    assert names(folder.path) == {"run.json", "logs"}


def test_gathered_below(folder: RunFolder, raw: Path) -> None:
    """Another source of files goes into a folder of its own, where no name is ours."""
    (raw / "exit-code").write_text("x")
    assert folder.gather(raw, "shards/1") == ()
    assert (folder.path / "shards" / "1" / "exit-code").read_text() == "x"


def test_run_that_ended(folder: RunFolder) -> None:
    """`run.json` says that a run has ended, and what it came to."""
    folder.end(verdict="passed", exit_code=0)
    run = json.loads((folder.path / "run.json").read_text())
    assert (run["state"], run["verdict"], run["run_id"]) == ("ended", "passed", "abc")
