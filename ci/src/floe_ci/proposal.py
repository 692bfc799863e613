"""What a repository most likely needs, by what it has: a first table `[tool.floe-ci]` for it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from floe_ci.config import TABLE, TIERS, read_config
from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tomlkit.items import Table

CLIENTS: Final = {
    "postgres": {"asyncpg", "dagster-postgres", "pg8000", "psycopg", "psycopg2", "psycopg2-binary"},
    "minio": {"aioboto3", "aiobotocore", "boto3", "dagster-aws", "minio", "s3fs"},
    "dagster": {"dagster", "dagster-webserver"},
}
"""Packages that speak to each service, as the names in a list of dependencies."""
IMPLIED: Final = {"dagster": "postgres"}
"""A service that keeps its data in another."""
TEST_GROUPS: Final = ("test", "tests", "testing")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Proposal:
    """A table for a repository, and why each thing is in it."""

    services: tuple[str, ...]
    paths: tuple[str, ...]
    """Where the tests are; none: where they are looked for."""
    groups: tuple[str, ...]
    install: tuple[str, ...]

    @classmethod
    def of(cls, repository: Path, pyproject: dict[str, Any]) -> Proposal:
        """Look at what a repository depends on, where its tests are, and whether it has a lock file."""
        named = set(_dependencies(pyproject))
        services = {service for service, clients in CLIENTS.items() if named & clients}
        services |= {needed for service, needed in IMPLIED.items() if service in services}
        groups = tuple(name for name in TEST_GROUPS if name in pyproject.get("dependency-groups", {}))
        extras = [name for name in TEST_GROUPS if name in pyproject.get("project", {}).get("optional-dependencies", {})]
        locked = (repository / "uv.lock").is_file()
        install = () if locked else (f".[{','.join(extras)}]" if extras else ".",)
        return cls(
            services=tuple(service for service in CLIENTS if service in services),
            paths=_paths(repository),
            groups=groups if locked else (),
            install=install,
        )

    def table(self) -> Table:
        """Return it as TOML, with a comment for each thing to check."""
        table = tomlkit.table()
        runner = tomlkit.table()
        if self.groups:
            runner.add("groups", list(self.groups))
            runner["groups"].comment("dependency groups of uv.lock that the tests need")
        if self.install:
            runner.add("install", list(self.install))
            runner["install"].comment("there is no uv.lock; with one, packages are pinned")
        table.add("runner", runner)
        tier = tomlkit.table()
        if self.paths:
            tier.add("paths", list(self.paths))
        if self.services:
            tier.add("services", list(self.services))
            tier["services"].comment("of postgres, minio and dagster: what the tests connect to")
        tiers = tomlkit.table(is_super_table=True)
        if tier:
            tiers.add("integration" if self.services else "unit", tier)
        table.add("tiers", tiers)
        return table


def write(repository: Path) -> Proposal:
    """Add a table to the `pyproject.toml` of a repository; everything else in the file stays as it is.

    Raises:
        UserError: There is no such file, it is no TOML, or it has a table already, which stays.
    """
    file = repository / "pyproject.toml"
    if not file.is_file():
        msg = f"{file}: there is no such file; go to a repository that has one, or name it: --source FOLDER"
        raise UserError(msg)
    text = file.read_text(encoding="utf-8")
    read_config(text, str(file))
    if TABLE in tomllib.loads(text).get("tool", {}):
        msg = f"{file}: it has a table [tool.{TABLE}] already, which stays as it is"
        raise UserError(msg)
    proposal = Proposal.of(repository, tomllib.loads(text))
    document = tomlkit.parse(text)
    document.setdefault("tool", tomlkit.table(is_super_table=True))[TABLE] = proposal.table()
    changed = f"{tomlkit.dumps(document).rstrip()}\n"
    read_config(changed, str(file))
    file.write_text(changed, encoding="utf-8")
    return proposal


def _dependencies(pyproject: dict[str, Any]) -> Iterator[str]:
    project = pyproject.get("project", {})
    lists = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    lists += pyproject.get("dependency-groups", {}).values()
    for requirement in (each for one in lists for each in one):
        if isinstance(requirement, str) and (name := _NAME.match(requirement)):
            yield re.sub(r"[-_.]+", "-", name[0]).lower()


def _paths(repository: Path) -> tuple[str, ...]:
    """Return where the tests are, where that isn't `tests/<tier>`."""
    if any((repository / "tests" / tier).is_dir() for tier in TIERS):
        return ()
    return tuple(name for name in ("tests", "test") if (repository / name).is_dir())[:1]
