"""A repository's files as the engine would take them, and the key by which a cluster that stays knows of changes."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from floe_ci import repository
from floe_ci.plan import Plan
from floe_ci.repository import Snapshot
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-648")

TABLE = '[tool.floe-ci.runner]\nfiles = ["data"]\n'
FILES = {
    "pyproject.toml": TABLE,
    "src/shop.py": "PRICE = 1\n",
    "tests/integration/test_price.py": "def test_price(): ...\n",
    "tests/conftest.py": "",
    "data/rows.csv": "1\n",
    "deploy/app.yaml": "kind: Service\n",
}


@pytest.fixture
def source(tmp_path: Path, git_program: str) -> Path:
    """Return a small Git repository."""
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        write(folder, name, text)
    subprocess.run([git_program, "init", "--quiet", str(folder)], check=True)
    return folder


def write(folder: Path, name: str, text: str) -> None:
    """Write one of its files."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def snapshot(source: Path, **asked: object) -> Snapshot:
    """Return what the repository holds now."""
    return Snapshot.of(Plan.read(RunRequest(source=source, **asked)))  # type: ignore[arg-type]


def unpacked(taken: Snapshot) -> dict[str, tarfile.TarInfo]:
    """Return the files that were packed."""
    with tarfile.open(fileobj=io.BytesIO(taken.packed), mode="r:gz") as archive:
        return {member.name: member for member in archive}


def test_files(source: Path) -> None:
    """Source is what is no output, no cache and not ignored, committed or not."""
    write(source, ".gitignore", "*.log\nout/\n")
    for name in ("run.log", "out/x", "results/junit.xml", ".venv/bin/python", "src/__pycache__/shop.pyc"):
        write(source, name, "")
    assert repository.files(source) == tuple(sorted((*FILES, ".gitignore")))


def test_bundle_is_no_source(source: Path) -> None:
    """A bundle that lies in the repository is none of its files, is not read for the key, and is not packed."""
    write(source, "tests/bundle.tar", "first")
    before = snapshot(source, bundle=source / "tests/bundle.tar")
    write(source, "tests/bundle.tar", "second")
    after = snapshot(source, bundle=source / "tests/bundle.tar")
    assert (after.key, after.packed) == (before.key, before.packed)
    assert "tests/bundle.tar" not in unpacked(after)
    assert repository.files(source, source / "tests/bundle.tar") == tuple(sorted(FILES))
    assert repository.files(source) == tuple(sorted((*FILES, "tests/bundle.tar")))


def test_committed_files_that_are_ignored(source: Path) -> None:
    """The engine goes by the patterns alone: a file that Git keeps in spite of them is none of the source."""
    write(source, "kept.log", "")
    subprocess.run(["git", "-C", str(source), "add", "kept.log"], check=True)
    write(source, ".gitignore", "*.log\n")
    assert "kept.log" not in (repository.files(source) or ())


def test_deleted_files(source: Path) -> None:
    """A file that Git knows, and that is gone, is none."""
    subprocess.run(["git", "-C", str(source), "add", "."], check=True)
    (source / "src/shop.py").unlink()
    assert "src/shop.py" not in (repository.files(source) or ())


def test_excludes_that_the_engine_does_not_know(source: Path) -> None:
    """What Git leaves out by another list than `.gitignore` is source to the engine, and so here."""
    write(source, ".git/info/exclude", "local.py\n")
    write(source, "local.py", "")
    assert "local.py" in (repository.files(source) or ())


def test_no_repository(tmp_path: Path) -> None:
    """Where Git can't list the files it is not known what the source is, and so not whether it has changed."""
    write(tmp_path, "pyproject.toml", TABLE)
    assert repository.files(tmp_path) is None
    assert snapshot(tmp_path) == Snapshot("", b"")


def test_submodule(source: Path, tmp_path: Path) -> None:
    """The files of a submodule are listed elsewhere: what the source is can't be told."""
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    author = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", "-C", str(other), *author, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    subprocess.run(
        [
            "git",
            "-C",
            str(source),
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            str(other),
            "sub",
        ],
        check=True,
    )
    assert repository.files(source) is None


@pytest.mark.parametrize("name", ["src/shop.py", "pyproject.toml", "data/rows.csv", "deploy/app.yaml", "new.py"])
def test_key_of_changed_source(source: Path, name: str) -> None:
    """Whatever is no test makes another runner, or other services."""
    before = snapshot(source)
    write(source, name, FILES.get(name, "") + "# changed\n")
    assert snapshot(source).key != before.key


@pytest.mark.parametrize("name", ["tests/integration/test_price.py", "tests/conftest.py", "tests/unit/test_new.py"])
def test_key_of_changed_tests(source: Path, name: str) -> None:
    """Tests that change need no other runner: they are sent as they are."""
    before = snapshot(source)
    write(source, name, "# changed\n")
    after = snapshot(source)
    assert (after.key, after.packed != before.packed) == (before.key, True)


def test_key_of_manifests_among_tests(source: Path) -> None:
    """A manifest may stand among the tests, or refer to a file there: then what is no Python counts."""
    write(source, "pyproject.toml", TABLE + '[tool.floe-ci.tiers.integration]\nmanifests = ["tests/k8s"]\n')
    before = snapshot(source)
    write(source, "tests/integration/values.env", "A=1\n")
    changed = snapshot(source)
    assert changed.key != before.key
    write(source, "tests/integration/test_price.py", "# changed\n")
    assert snapshot(source).key == changed.key


def test_key_of_a_service_among_tests(source: Path) -> None:
    """A service of the repository's own has an image: whatever is in its folder counts, also among the tests."""
    table = '[tool.floe-ci]\nservice-folders = ["tests/integration/services/"]\n'
    service = "tests/integration/services/search"
    write(source, "pyproject.toml", table + TABLE + '[tool.floe-ci.tiers.integration]\nservices = ["search"]\n')
    write(source, f"{service}/service.toml", 'about = "a search engine"\n')
    write(source, f"{service}/kustomization.yaml", "resources: []\n")
    before = snapshot(source)
    write(source, f"{service}/image/search.py", "# changed\n")
    changed = snapshot(source)
    assert changed.key != before.key
    write(source, "tests/integration/test_price.py", "# changed\n")
    assert snapshot(source).key == changed.key


def test_key_of_the_request(source: Path) -> None:
    """Another tier has other services, and another registry other images."""
    keys = {snapshot(source, **asked).key for asked in ({}, {"tier": "e2e"}, {"registry": "mirror:5000"})}
    assert len(keys) == 3


def test_key_of_a_mode_and_a_link(source: Path) -> None:
    """A file that becomes executable, or a link that leads elsewhere, is a change."""
    (source / "link").symlink_to("data")
    before = snapshot(source)
    (source / "src/shop.py").chmod(0o755)
    executable = snapshot(source)
    (source / "link").unlink()
    (source / "link").symlink_to("deploy")
    assert len({before.key, executable.key, snapshot(source).key}) == 3


def test_packed_tests(source: Path) -> None:
    """Packed is what the runner image has beside its packages: tests, pytest's settings, and the files named for it."""
    write(source, "tests/unit/run.sh", "#!/bin/sh\n")
    (source / "tests/unit/run.sh").chmod(0o700)
    (source / "tests/unit/link").symlink_to("run.sh")
    found = unpacked(snapshot(source))
    assert set(found) == {
        "pyproject.toml",
        "data/rows.csv",
        "tests/conftest.py",
        "tests/integration/test_price.py",
        "tests/unit/run.sh",
        "tests/unit/link",
    }
    assert found["tests/unit/link"].linkname == "run.sh"
    assert found["tests/unit/run.sh"].mode == 0o755
    assert found["pyproject.toml"].mode == 0o644


def test_packed_the_same(source: Path) -> None:
    """The same files are packed into the same bytes, whenever they were written."""
    before = snapshot(source)
    os.utime(source / "tests/conftest.py", (0, 0))
    assert snapshot(source).packed == before.packed


def test_more_than_can_be_sent(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that are too large to be sent are an image's."""
    monkeypatch.setattr(repository, "MOST", 10)
    assert snapshot(source) == Snapshot("", b"")
