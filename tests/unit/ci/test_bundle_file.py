"""What a bundle says that it has, and what of a run it lacks by that."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from floe_ci import lacking
from floe_ci.bundle_file import FILE, Contents, chart_key, digest_of_folder
from floe_ci.config import Chart, read_config
from floe_ci.errors import UserError
from floe_ci.images import Reference
from floe_ci.registry import Bundle
from floe_ci.request import RunRequest

QUEUE = Chart(path="oci://registry.example.com/charts/queue", version="1.2.3")
CONTENTS = Contents(
    floe_ci="1.0",
    toolbox="made-of-this",
    tier="integration",
    platform="linux/amd64",
    images={"docker.io/library/redis:7": "sha256:1"},
    packages=("libpq5",),
    charts={chart_key(QUEUE): "charts/0.tgz"},
    helm=True,
)


def archive(path: Path, *files: tuple[str, str]) -> Path:
    """Write an archive with these files."""
    with tarfile.open(path, "w") as tar:
        for name, text in files:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_contents_are_read(tmp_path: Path) -> None:
    """What was written into a bundle is read from it."""
    bundle = archive(tmp_path / "bundle.tar", (FILE, CONTENTS.model_dump_json()), ("blobs/1", "x" * 5000))
    assert Contents.read(bundle) == CONTENTS


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("index.json", "{}"), (FILE, CONTENTS.model_dump_json())], "or is no bundle"),
        ([(FILE, "{")], "or is no bundle"),
        ([(FILE, CONTENTS.model_dump_json().replace('"schema_version":1', '"schema_version":2'))], "another version"),
        ([(FILE, CONTENTS.model_dump_json().replace('"helm"', '"nats"'))], "another version"),
    ],
)
def test_other_archives_are_refused(tmp_path: Path, files: list[tuple[str, str]], reason: str) -> None:
    """An archive without the list of what is in it, or with one of another form, is no bundle."""
    with pytest.raises(UserError, match=f"^bundle .*bundle.tar: it .*{reason}.*`floe-ci bundle`"):
        Contents.read(archive(tmp_path / "bundle.tar", *files))


def test_other_files_are_refused(tmp_path: Path) -> None:
    """What is no archive, and what is not there, is refused with the reason."""
    text = tmp_path / "text.tar"
    text.write_text("no archive " * 200)
    with pytest.raises(UserError, match=r"text\.tar: it can't be read: it is no archive$"):
        Contents.read(text)
    with pytest.raises(UserError, match=r"none\.tar: it can't be read: No such file"):
        Contents.read(tmp_path / "none.tar")


def test_list_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    """A link, or a file that is far too large, is no list of what is in a bundle, whatever it is called."""
    link = tarfile.TarInfo(FILE)
    link.type, link.linkname = tarfile.SYMTYPE, "nowhere"
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        tar.addfile(link)
    large = tarfile.TarInfo(FILE)
    large.size = 1 << 40
    (tmp_path / "large.tar").write_bytes(large.tobuf() + CONTENTS.model_dump_json().encode())
    for name in ("link.tar", "large.tar"):
        with pytest.raises(UserError, match="or is no bundle"):
            Contents.read(tmp_path / name)


def test_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    """A folder's digest is that of its files, wherever it is; another name or another content is another digest."""

    def digest(folder: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return digest_of_folder(tmp_path / folder)

    first = digest("one", {"main.py": "a", "lib/x.py": "b"})
    assert digest("two", {"lib/x.py": "b", "main.py": "a"}) == first
    assert digest("three", {"lib/y.py": "b", "main.py": "a"}) != first
    assert digest("four", {"lib/x.py": "c", "main.py": "a"}) != first


@pytest.mark.parametrize(
    ("version", "tools", "platform", "reason"),
    [
        ("1.0", "made-of-this", "linux/amd64", None),
        ("1.1", "made-of-this", "linux/amd64", r"made by another version of floe-ci, 1\.0, and this is 1\.1"),
        ("1.0", "made-of-that", "linux/amd64", "made by another version"),
        ("1.0", "made-of-this", "linux/arm64", "is for linux/amd64, and the engine is on linux/arm64"),
    ],
)
def test_bundle_of_others(
    monkeypatch: pytest.MonkeyPatch, version: str, tools: str, platform: str, reason: str | None
) -> None:
    """A bundle is for one version of this program, with one toolbox, and for one platform."""
    monkeypatch.setattr(lacking, "this_version", lambda: version)
    told = lacking.foreign(CONTENTS, tools, platform)
    if reason is None:
        assert told is None
    else:
        assert re.search(reason, str(told))


def test_packages_that_are_lacking() -> None:
    """Debian packages that the bundle was not made with are named, with the key that asks for them."""
    config = read_config(
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\npackages = ["libpq5", "libxml2"]\nbuild-packages = ["gcc"]\n'
    )
    assert lacking.packages(CONTENTS, config) == [
        "Debian package libxml2 of [tool.floe-ci.runner] packages",
        "Debian package gcc of [tool.floe-ci.runner] build-packages",
    ]


def test_charts_that_are_lacking() -> None:
    """Charts of a registry are there by address and version; those of the repository need Helm alone."""
    config = read_config(
        "[tool.floe-ci.tiers.integration]\n"
        'charts = [{ path = "oci://registry.example.com/charts/queue", version = "1.2.3" },'
        ' { path = "oci://registry.example.com/charts/queue", version = "1.2.4", release = "new" },'
        ' { path = "charts/app" }]\n'
    )
    tier = config.tier("integration")
    newer = "chart oci://registry.example.com/charts/queue:1.2.4"
    assert lacking.charts(CONTENTS, tier) == [newer]
    without = CONTENTS.model_copy(update={"helm": False})
    assert lacking.charts(without, tier) == ["Helm, which renders charts", newer]
    assert lacking.charts(without, read_config("").tier("integration")) == []


def test_bundle_beside_a_registry_is_refused(tmp_path: Path) -> None:
    """A bundle that a registry is named beside is refused: each has every image."""
    with pytest.raises(UserError, match=r"and --registry mirror\.example\.com: both have every image"):
        RunRequest(bundle=tmp_path / "bundle.tar", registry="mirror.example.com").require_sound("dagger")


def test_images_that_are_lacking(tmp_path: Path) -> None:
    """Images are there by name, tag and digest; those of a service's folder for as long as the folder is as it was."""
    folder = tmp_path / "image"
    shutil.copytree(Path(__file__).parents[3] / "k8s/base/dagster/image", folder)
    names = ["floe.local/dagster:dev", "redis:7", "redis:8"]
    contents = CONTENTS.model_copy(
        update={
            "images": {"docker.io/library/redis:7": "sha256:1", names[0]: "sha256:2"},
            "built": {names[0]: digest_of_folder(folder)},
        }
    )
    references = [Reference.parse(name) for name in names]
    now = {names[0]: digest_of_folder(folder)}
    assert lacking.lacking_of(contents, references, now) == ["image docker.io/library/redis:8"]
    (folder / "new.txt").write_text("changed")
    now = {names[0]: digest_of_folder(folder)}
    assert lacking.lacking_of(contents, references, now) == [
        "image floe.local/dagster:dev as it would be built now: its folder has changed",
        "image docker.io/library/redis:8",
    ]


def test_charts_of_a_bundle() -> None:
    """A chart of a registry is rendered from its file in the bundle, and one of the repository from there."""
    archive: Any = None  # the engine's, which no name is read from
    bundle = Bundle(Path("bundle.tar"), CONTENTS, archive)
    assert bundle.chart(QUEUE) == "/charts/0.tgz"
    assert not bundle.chart(Chart(path="charts/app"))
    newer = Chart(path=QUEUE.path, version="1.2.4")
    with pytest.raises(UserError, match=r"^bundle bundle\.tar has no chart oci://.*queue:1\.2\.4; make another"):
        bundle.chart(newer)
    with pytest.raises(UserError, match=r"has no image docker\.io/library/redis:8; make another"):
        bundle.image("redis:8")
