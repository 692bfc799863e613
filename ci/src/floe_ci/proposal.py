"""What a repository most likely needs, by what it has: a first table `[tool.floe-ci]` for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from floe_ci import suites, wanted
from floe_ci.catalog import Catalog
from floe_ci.config import read_config
from floe_ci.declared import Declared, conda_problem, test_names, workspace_root
from floe_ci.errors import UserError
from floe_ci.excluded import RESULTS, has_own_results
from floe_ci.tiers import TIERS
from floe_ci.toml_files import (
    LARGEST_DOCUMENT,
    OWN_FILE,
    TABLE,
    only_configuration_file,
    parse_toml,
    read_text,
    table_in,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tomlkit.items import Table

    from floe_ci.tiers import TierName

IGNORING: Final = ".gitignore"
DJANGO_PLUGIN: Final = "pytest-django"
"""What pytest needs for tests of Django's: else no settings are read, and there is no database."""


@dataclass(frozen=True)
class Proposal:
    """A table for a repository, and why each thing is in it."""

    services: tuple[str, ...]
    paths: tuple[str, ...]
    """Where the tests are; none: where they are looked for."""
    tier: TierName
    """The tier that they are of."""
    pytest_args: tuple[str, ...]
    groups: tuple[str, ...]
    install: tuple[str, ...]
    extras: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables that the code reads to find the services."""
    ignored: tuple[str, ...] = ()
    """The lines that `.gitignore` lacks, for what runs leave."""

    @classmethod
    def of(cls, repository: Path, pyproject: dict[str, Any]) -> Proposal:
        """Look at what a repository depends on, where its tests are, and whether it has a lock file."""
        groups = _groups(pyproject)
        extras = tuple(test_names(table_in(pyproject, "project", "optional-dependencies")))
        locked = (workspace_root(repository.resolve()) / "uv.lock").is_file()
        declared = Declared.of(repository)
        services = Catalog.of_package().suggested(declared.packages)
        tier = suites.tier_of(repository, has_services=bool(services))
        paths = suites.paths(repository, tier)
        mode = suites.import_mode(repository, paths)
        arguments = (mode,) if mode else ()
        install = () if locked else declared.install or ("pytest",)
        variables = wanted.environment(repository, services)
        has_django = DJANGO_PLUGIN in declared.packages
        if (has_django or install) and (settings := _django_settings(repository, pyproject)):
            variables[wanted.SETTINGS] = settings
            install = (*install, *(() if has_django else (DJANGO_PLUGIN,)))
        # `startapp` makes a `tests.py`, which pytest takes for none.
        if wanted.django_settings(repository) and (apps := suites.of_django(repository)):
            paths, arguments = apps, (*arguments, "-o", f"python_files={suites.OF_DJANGO}")
        return cls(
            services=services,
            paths=paths,
            tier=tier,
            pytest_args=arguments,
            groups=groups if locked else (),
            install=install,
            extras=extras if locked else (),
            environment=variables,
            ignored=_not_ignored(repository),
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
        if runner:
            table.add("runner", runner)
        tier = tomlkit.table()
        if self.paths:
            tier.add("paths", list(self.paths))
        if self.pytest_args:
            tier.add("pytest-args", list(self.pytest_args))
            same = "modules of the same name are in several of its folders"
            is_told = suites.IMPORTLIB in self.pytest_args
            tier["pytest-args"].comment(same if is_told else "the files that Django's own runner takes")
        if self.services:
            tier.add("services", list(self.services))
            tier["services"].comment(f"what the tests connect to, of {', '.join(Catalog.of_package().services)}")
        if self.environment:
            environment = tomlkit.table()
            environment.update(self.environment)
            environment.comment("what the code reads: of services, from the run's variables")
            tier.add("environment", environment)
        tiers = tomlkit.table(is_super_table=True)
        if tier:
            tiers.add(self.tier, tier)
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
    file = only_configuration_file(repository)
    text = read_text(file, LARGEST_DOCUMENT)
    if problem := conda_problem(repository):
        raise UserError(problem)
    if text is None:
        if not (Declared.of(repository).install or suites.are_there(repository)):
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
        lines = [*([before.removesuffix("\n")] if before else []), *proposal.ignored, ""]
        _replace(ignoring.resolve(), "\n".join(lines))
    return proposal, file


def _django_settings(repository: Path, pyproject: dict[str, Any]) -> str:
    """Return the settings that pytest has to be told for Django's tests; empty: it is told, or there are none."""
    settings = wanted.django_settings(repository)
    if not settings or suites.is_told(repository, wanted.SETTINGS) or suites.is_told(repository, "--ds"):
        return ""
    # pytest-env may have a table of its own.
    if wanted.SETTINGS in table_in(pyproject, "tool", "pytest_env"):
        return ""
    return "" if any(map(wanted.sets_django, suites.imported(repository))) else settings


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


def _not_ignored(repository: Path) -> tuple[str, ...]:
    """Return the lines by which Git leaves the results out; none: it does already, or isn't there to take them in."""
    if not any((folder / ".git").exists() for folder in (repository.resolve(), *repository.resolve().parents)):
        return ()
    try:
        lines = (read_text(repository / IGNORING) or "").splitlines()
    except UserError:  # nothing can be added to it, and nothing else is wrong
        return ()
    has = {line.strip().strip("/*") for line in lines}
    wanted = [f"{RESULTS}/{tier}" for tier in TIERS] if has_own_results(repository) else [RESULTS]
    return tuple(f"/{each}/" for each in wanted if has.isdisjoint({RESULTS, each}))


def _groups(pyproject: dict[str, Any]) -> tuple[str, ...]:
    """Return the groups that the tests need; none: uv installs them unasked."""
    chosen = tuple(test_names(table_in(pyproject, "dependency-groups")))
    default = table_in(pyproject, "tool", "uv").get("default-groups", ["dev"])
    unasked = default == "all" or (isinstance(default, list) and all(name in default for name in chosen))
    return () if unasked else chosen
