"""The changelog, which is put together from fragments."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FRAGMENTS = sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a repository with what the changelog is made of."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "changes", tmp_path / "changes")
    (tmp_path / "changes" / "+news.fixed.md").write_text("A run that is told apart.\n", encoding="utf-8")
    return tmp_path


def build(folder: Path) -> str:
    """Put the fragments into the changelog, as those of version 9.8.7, and return it."""
    command = [str(Path(sys.executable).with_name("towncrier")), "build", "--yes", "--version=9.8.7"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return (folder / "CHANGELOG.md").read_text(encoding="utf-8")


def test_fragments_become_the_newest_version(copy: Path) -> None:
    """Each fragment stands in the section of the version that is made, which comes before all older ones."""
    before = (copy / "CHANGELOG.md").read_text(encoding="utf-8")
    made = build(copy)
    newest = made[made.index("## 9.8.7") : made.index("## 0.1.0")]
    assert "\n- A run that is told apart.\n" in newest[newest.index("### Fixed") :]
    words = {path: " ".join(path.read_text(encoding="utf-8").split()) for path in FRAGMENTS}
    assert [path.name for path, text in words.items() if text not in " ".join(newest.split())] == []
    assert made.endswith(before[before.index("## 0.1.0") :])


def test_fragments_are_used_up(copy: Path) -> None:
    """What is in the changelog is no news any more; the page that says how to write news stays."""
    build(copy)
    assert [path.name for path in (copy / "changes").iterdir()] == ["README.md"]
