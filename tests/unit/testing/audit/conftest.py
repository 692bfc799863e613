"""Small repositories whose tests are audited."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.config import AuditConfig
from floe_testing.audit.project import Project, read_plugins
from floe_testing.audit.reading import read_project
from floe_testing.audit.run import audit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_testing.audit.model import Audit, Example, Finding


class Repository:
    """A folder with tests in it."""

    def __init__(self, root: Path) -> None:
        """Begin empty."""
        self.root = root
        self.root.mkdir()

    def write(self, path: str, text: str) -> Path:
        """Write a file, without the indentation that the text has where it is written, and return where it is."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def project(self, config: Mapping[str, object] | None = None, plugins: Mapping[str, str] | None = None) -> Project:
        """Return what the repository says of itself."""
        settings = AuditConfig.model_validate(dict(config or {}))
        return Project(settings, read_plugins({"orders.plugins": dict(plugins or {})}, settings), root=self.root)

    def audit(
        self,
        config: Mapping[str, object] | None = None,
        plugins: Mapping[str, str] | None = None,
        **options: frozenset[str] | Path,
    ) -> Audit:
        """Return the audit of everything in the repository."""
        return audit([self.root], self.root, self.project(config, plugins), **options)  # type: ignore[arg-type]  # by name

    def example(self, example: Example) -> Audit:
        """Return the audit of an example, written into this repository."""
        for path, code in {example.path: example.code, **example.others}.items():
            self.write(path, code)
        return self.audit(example.config, example.plugins)

    def audit_as_command(self) -> list[Finding]:
        """Return what is found by the settings in the repository's `pyproject.toml`."""
        return list(audit([self.root / "tests"], self.root, read_project(self.root)).findings)

    def found(self, code: str, path: str = "tests/unit/test_orders.py", **config: object) -> list[tuple[str, int]]:
        """Return the rules and lines of what is found in one module."""
        self.write(path, code)
        return [(finding.rule, finding.line) for finding in self.audit(config).findings]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return an empty repository."""
    return Repository(tmp_path / "repository")
