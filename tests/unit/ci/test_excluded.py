"""What of a repository is no source, where something else than runs has a folder `results`."""

from __future__ import annotations

from pathlib import Path

import pytest
from floe_ci.excluded import NOT_SOURCE, has_own_results, inside, literal, patterns, patterns_for


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ((), ["results"]),
        (("unit/run.json", ".e2e.draft/x"), ["results"]),
        (("run.json", "logs/a.log"), ["results"]),
        (("__init__.py", "model.py"), []),
        (("__init__.py", "unit/run.json", "mine/exit-code"), ["results/mine", "results/unit"]),
    ],
)
def test_folder_of_results(tmp_path: Path, files: tuple[str, ...], left: list[str]) -> None:
    """The folder is no source as a whole, unless it holds something of the repository's own: then what runs left."""
    for name in files:
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).touch()
    assert patterns_for(tmp_path) == [*NOT_SOURCE, *left]
    assert has_own_results(tmp_path) == (bool(files) and left != ["results"])


def test_names_alone(tmp_path: Path) -> None:
    """Where files can't be looked at, a tier's folder is a run's by its name."""
    assert patterns(["integration", "model.py"]) == [*NOT_SOURCE, "results/integration"]
    assert patterns(["integration"]) == [*NOT_SOURCE, "results"]
    assert patterns_for(tmp_path / "gone") == [*NOT_SOURCE, "results"]


def test_files_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the repository are found however they are named, whether they are there or not; a link with its end."""
    source = tmp_path / "shop"
    (source / "dist").mkdir(parents=True)
    (tmp_path / "way").symlink_to(source)
    (source / "link.tar").symlink_to(tmp_path / "elsewhere.tar")
    (tmp_path / "out.tar").symlink_to(source / "dist/bundle.tar")
    assert inside(source, [source / "dist/bundle.tar", None]) == ["dist/bundle.tar"]
    assert inside(source, [tmp_path / "way/new.tar", tmp_path / "other.tar"]) == ["new.tar"]
    assert inside(source, [source / "link.tar", tmp_path / "out.tar"]) == ["dist/bundle.tar", "link.tar"]
    monkeypatch.chdir(source / "dist")
    assert inside(Path(".."), [Path("bundle.tar")]) == ["dist/bundle.tar"]


def test_literal_names() -> None:
    """A name is left out alone, and not what it would be as a pattern."""
    assert literal("dist/bundle.tar") == "dist/bundle.tar"
    assert literal(r"!a[1]*\?") == r"\!a\[1\]\*\\\?"
