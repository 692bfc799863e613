"""A small repository whose requirements are traced."""

from pathlib import Path

import pytest

TABLE = """
[tool.floe-testing.traceability]
specs = ["docs/*.md", "docs/*.toml"]
patterns = ['REQ-\\d{3}']
"""


class Repository:
    """A folder with documents, tests and results."""

    def __init__(self, root: Path) -> None:
        """Begin with two requirements, REQ-001 and REQ-002, and no test."""
        self.root = root
        self.write("pyproject.toml", TABLE)
        self.write("docs/login.md", "# Login\n\n### REQ-001: Log in\n\n### REQ-002: Log out\n")
        (root / "tests").mkdir()

    def write(self, path: str, text: str) -> Path:
        """Write a file, and return where it is."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def test(self, path: str, *lines: str) -> None:
        """Write a module of tests, with pytest imported."""
        self.write(path, "\n".join(["import pytest", *lines, ""]))

    def junit(self, path: str, *cases: str) -> Path:
        """Write a JUnit file as pytest does, and return its folder."""
        suite = f'<testsuite name="pytest">{"".join(cases)}</testsuite>'
        return self.write(path, f'<?xml version="1.0" encoding="utf-8"?><testsuites>{suite}</testsuites>').parent


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the command caches out of the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a small repository."""
    return Repository(tmp_path / "repository")
