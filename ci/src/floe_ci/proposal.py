"""What a repository most likely needs, by what it has: a first table `[tool.floe-ci]` for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from floe_ci import wanted
from floe_ci.catalog import Catalog
from floe_ci.config import read_config
from floe_ci.declared import Declared, workspace_root
from floe_ci.errors import UserError
from floe_ci.tiers import TIERS
from floe_ci.toml_files import OWN_FILE, TABLE, configuration_file, parse_toml, read_text, table_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tomlkit.items import Table

TEST_GROUPS: Final = ("test", "tests", "testing")
IGNORING: Final = ".gitignore"
RESULTS: Final = "/results/"
"""Where runs leave what they found, which is nobody's source."""
MEMBERS: Final = ("packages/*", "libs/*", "services/*", "apps/*", "src", "*")
"""Where a repository of several packages has them, each with tests of its own."""


@dataclass(frozen=True)
class Proposal:
    """A table for a repository, and why each thing is in it."""

    services: tuple[str, ...]
    paths: tuple[str, ...]
    """Where the tests are; none: where they are looked for."""
    groups: tuple[str, ...]
    install: tuple[str, ...]
    extras: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables that the code reads to find the services."""
    ignored: str = ""
    """The line that `.gitignore` lacks; empty: none."""

    @classmethod
    def of(cls, repository: Path, pyproject: dict[str, Any]) -> Proposal:
        """Look at what a repository depends on, where its tests are, and whether it has a lock file."""
        groups = tuple(name for name in TEST_GROUPS if name in table_in(pyproject, "dependency-groups"))
        extras = tuple(name for name in TEST_GROUPS if name in table_in(pyproject, "project", "optional-dependencies"))
        locked = (workspace_root(repository.resolve()) / "uv.lock").is_file()
        declared = Declared.of(repository)
        services = Catalog.of_package().suggested(declared.packages)
        return cls(
            services=services,
            paths=_paths(repository),
            groups=groups if locked else (),
            install=() if locked else declared.install or ("pytest",),
            extras=extras if locked else (),
            environment=wanted.environment(repository, services),
            ignored="" if _is_ignored(repository) else RESULTS,
        )

    def table(self) -> Table:
        """Return it as TOML, with a comment for each thing to check."""
        table = tomlkit.table()
        runner = tomlkit.table()
        if self.groups:
            runner.add("groups", list(self.groups))
            runner["groups"].comment("dependency groups of uv.lock that the tests need")
        if self.extras:
            runner.add("extras", list(self.extras))
            runner["extras"].comment("extras of the project that the tests need, from uv.lock")
        if self.install:
            runner.add("install", list(self.install))
            runner["install"].comment("there is no uv.lock; with one, packages are pinned")
        table.add("runner", runner)
        tier = tomlkit.table()
        if self.paths:
            tier.add("paths", list(self.paths))
        if self.services:
            tier.add("services", list(self.services))
            tier["services"].comment(f"what the tests connect to, of {', '.join(Catalog.of_package().services)}")
        if self.environment:
            environment = tomlkit.table()
            environment.update(self.environment)
            environment.comment("what the code reads to find them, from the run's variables")
            tier.add("environment", environment)
        tiers = tomlkit.table(is_super_table=True)
        if tier:
            tiers.add("integration" if self.services else "unit", tier)
        table.add("tiers", tiers)
        return table

    def __str__(self) -> str:
        """Return what is written, as it stands in the file."""
        document = tomlkit.document()
        document.add("tool", tomlkit.table(is_super_table=True).add(TABLE, self.table()))
        return tomlkit.dumps(document).strip()


def write(repository: Path) -> tuple[Proposal, Path]:
    """Add a table to the `pyproject.toml` of a repository; everything else in the file stays as it is.

    Where there is none, but something else that says what to install or test, it is written into a `floe-ci.toml`.

    Returns:
        What is proposed, and the file that it is in.

    Raises:
        UserError: There is nothing of a repository, the file is no TOML, it has a table already, which stays, or it
            can't be written.
    """
    file = configuration_file(repository)
    text = read_text(file)
    if text is None:
        if not (Declared.of(repository).install or _test_folders(repository)):
            msg = f"{file}: there is no such file; go to a repository that has one, or name it: --source FOLDER"
            raise UserError(msg)
        file, text = repository / OWN_FILE, ""
    read_config(text, str(file))
    pyproject = parse_toml(text, str(file))
    if TABLE in pyproject.get("tool", {}):
        msg = f"{file}: it has a table [tool.{TABLE}] already, which stays as it is"
        raise UserError(msg)
    proposal = Proposal.of(repository, pyproject)
    document = tomlkit.parse(text)
    document.setdefault("tool", tomlkit.table(is_super_table=True))[TABLE] = proposal.table()
    changed = f"{tomlkit.dumps(document).rstrip()}\n"
    read_config(changed, str(file))
    _replace(file.resolve(), changed.lstrip())
    if proposal.ignored:
        ignoring = repository / IGNORING
        before = read_text(ignoring) or ""
        ended = "\n" if before and not before.endswith("\n") else ""
        _replace(ignoring.resolve(), f"{before}{ended}{proposal.ignored}\n")
    return proposal, file


def _replace(file: Path, text: str) -> None:
    """Write a file as a whole or not at all: what a full disk takes is not the repository's own."""
    draft = file.with_name(f".{file.name}.floe-ci")
    try:
        if file.exists():
            shutil.copyfile(file, draft)
            shutil.copymode(file, draft)
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        msg = f"{file}: can't be written ({error.strerror or error}), and is as it was"
        raise UserError(msg) from None


def _is_ignored(repository: Path) -> bool:
    """Tell whether Git leaves the results out already, or isn't there to take them in."""
    if not any((folder / ".git").exists() for folder in (repository.resolve(), *repository.resolve().parents)):
        return True
    try:
        lines = (read_text(repository / IGNORING) or "").splitlines()
    except UserError:  # nothing can be added to it, and nothing else is wrong
        return True
    return any(line.strip().strip("/*") == "results" for line in lines)


def _paths(repository: Path) -> tuple[str, ...]:
    """Return where the tests are, where that isn't `tests/<tier>`."""
    if any((repository / "tests" / tier).is_dir() for tier in TIERS):
        return ()
    return _test_folders(repository)


def _test_folders(repository: Path) -> tuple[str, ...]:
    """Return the folder of tests at the top, or else those of the packages below it."""
    top = [name for name in ("tests", "test") if (repository / name).is_dir()][:1]
    if not top and any((repository / "testing").glob("test_*.py")):  # it is as often a package that helps tests
        top = ["testing"]
    below = {
        str(folder.relative_to(repository))
        for member in MEMBERS
        for name in ("tests", "test")
        for folder in repository.glob(f"{member}/{name}")
        if folder.is_dir() and not any(part.startswith(".") for part in folder.relative_to(repository).parts)
    }
    return tuple(top or sorted(below))
