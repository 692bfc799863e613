"""What a repository's table names and the repository does not have: told before anything is installed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from floe_ci import suites
from floe_ci.declared import PROJECT_FILES, members_of, workspace_root
from floe_ci.errors import UserError, shown, suggest
from floe_ci.files import content_of, is_marked, text_of
from floe_ci.requirements import NAME_PACKAGES, install_arguments
from floe_ci.toml_files import configuration_file, decode, document_of, parse_toml, table_in, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from floe_ci.config import Config, RunnerConfig, TierConfig
    from floe_ci.tiers import TierName

_NESTED: Final = re.compile(r"\s*(?:-[rc]|--requirement|--constraint)[\s=]\s*([\"']?)([^#]+?)\1\s*(?:#.*)?")
"""A line of a file of requirements that names another one, as uv reads it: all up to a comment is its name."""


def refuse(source: Path, config: Config, tier: TierName, *, by_paths: bool) -> None:
    """Refuse a run of a tier that names what is not there.

    Args:
        source: The repository.
        config: Its table.
        tier: The tier.
        by_paths: Whether the tier's own paths are run, and not tests that the caller names.

    Raises:
        UserError: Something is not there; all of it is told.
    """
    absent = _absent(source, config.tier(tier)) if by_paths else []
    lacking = [f"[tool.floe-ci.tiers.{tier}] paths: {path}: there is no such file or folder" for path in absent]
    if problems := [*packages(source, config), *lacking]:
        raise UserError.of(problems, str(configuration_file(source)))


def packages(source: Path, config: Config) -> list[str]:
    """Return what the packages of the tests are from and is not there, or can't be read."""
    runner = config.runner
    return list(
        dict.fromkeys(
            [*_install(source, runner), *_locked(source, runner), *_settings(source), *_workspace(source, runner)]
        )
    )


def tests(source: Path, config: Config) -> list[str]:
    """Return which paths of tiers are not there: those of the table, or where there are no tests at all, of each."""
    absent = {name: _absent(source, tier) for name, tier in config.tiers.items()}
    none = all(len(absent[name]) == len(tier.paths) for name, tier in config.tiers.items())
    return [
        f"[tool.floe-ci.tiers.{name}] paths: {path}: there is no such file or folder"
        for name, tier in config.tiers.items()
        for path in absent[name]
        if none or path != f"tests/{name}"
    ]


def _absent(source: Path, tier: TierConfig) -> list[str]:
    """Return the paths of a tier that are not there; none where pytest is given names of packages."""
    if "--pyargs" in tier.pytest_args or suites.is_told(source, "--pyargs"):
        return []
    return [path for path in tier.paths if not os.path.exists(source / path.partition("::")[0])]  # noqa: PTH110 - it takes any text


def _install(source: Path, runner: RunnerConfig) -> Iterator[str]:
    where, option = "[tool.floe-ci.runner] install", ""
    for argument in install_arguments(runner):
        given, has_value, value = argument.partition("=")
        if has_value and given.startswith("--"):
            option, argument = given, value  # noqa: PLW2901 - an option with its value is both
        if option in {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints"}:
            yield from (f"{where}: {each}" for each in _files(source, argument))
        elif option == "--group":
            yield from (f"{where}: {each}" for each in _group(source, argument))
        elif option in {"", "-e", "--editable"} and argument.startswith(".") and "://" not in argument:
            yield from (f"{where}: {each}" for each in _project(source, argument))
        option = argument if argument.startswith("-") else ""


def _files(folder: Path, name: str, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    """Yield which file there is not, of one of requirements and those that it refers to."""
    path = folder / os.path.expandvars(name)
    if "://" in name or name == "-":
        return
    if not os.path.isfile(path):  # noqa: PTH113 - it takes any text
        yield f"{name}: there is no such file"
    elif (found := path.resolve()) not in seen:
        if not is_marked(content := content_of(path) or b""):
            yield from _problems_of(decode, content, name)
        named = [each[2] for line in text_of(path).splitlines() if (each := _NESTED.fullmatch(line))]
        yield from (f"{name}: {each}" for inner in named for each in _files(path.parent, inner, seen | {found}))


def _group(source: Path, argument: str) -> Iterator[str]:
    place, is_elsewhere, name = argument.rpartition(":")
    file = source / (place if is_elsewhere else "pyproject.toml")
    groups = table_in(document_of(file), "dependency-groups")
    if _normal(name) not in map(_normal, groups):
        yield f"--group {argument}: {file.name} has no such group; {suggest(name, groups)}"


def _project(source: Path, argument: str) -> Iterator[str]:
    place = re.sub(r"\[[^\]]*\]$", "", argument.partition(" ;")[0].strip())
    folder = source / place
    if not os.path.exists(folder):  # noqa: PTH110 - it takes any text
        yield f"{argument}: there is no such file or folder"
    elif folder.is_dir() and not any((folder / name).is_file() for name in PROJECT_FILES):
        yield f"{argument}: there is no project in it: no {', '.join(PROJECT_FILES)}"


def _locked(source: Path, runner: RunnerConfig) -> Iterator[str]:
    """Yield which groups and extras there are not of a project; of a workspace without one any member's would do."""
    pyproject, root = document_of(source / "pyproject.toml"), document_of(workspace_root(source) / "pyproject.toml")
    lock = workspace_root(source) / "uv.lock"
    if lock.is_file() and not (runner.install or lock.with_name("pyproject.toml").exists()):
        yield f"{lock.name}: there is no pyproject.toml beside it, whose packages it would be: {NAME_PACKAGES}"
    project = table_in(pyproject, "project")
    if not project:
        return
    groups = {*table_in(pyproject, "dependency-groups"), *table_in(root, "dependency-groups"), "dev"}
    extras = {*table_in(project, "optional-dependencies")}
    is_dynamic = "optional-dependencies" in texts(project.get("dynamic"))
    asked = [("groups", runner.groups, groups), ("extras", () if is_dynamic else runner.extras, extras)]
    for key, names, there in asked:
        for name in names:
            if _normal(name) not in map(_normal, there):
                yield f"[tool.floe-ci.runner] {key}: pyproject.toml has no '{name}'; {suggest(name, there)}"


def _settings(source: Path) -> Iterator[str]:
    """Yield what is wrong with the files that uv reads before it does anything, in the repository and its workspace."""
    for name in (f"{folder}{file}" for folder in _folders(source) for file in ("uv.toml", ".python-version")):
        if (content := content_of(source / name)) is not None:
            yield from _problems_of(_parsed, content, name)


def _workspace(source: Path, runner: RunnerConfig) -> Iterator[str]:
    """Yield what is wrong with the members of a workspace, all of which uv reads to install one project of it."""
    if runner.install and not any(argument.startswith(".") for argument in install_arguments(runner)):
        return
    root = workspace_root(source)
    names: dict[str, Path] = {}
    for file in (folder / "pyproject.toml" for folder in (root, *members_of(root))):
        where = os.path.relpath(file, source)
        yield from _problems_of(_parsed, content_of(file) or b"", where)
        name = table_in(document_of(file), "project").get("name")
        other = names.setdefault(_normal(name), file) if isinstance(name, str) else file
        if other != file:
            told = os.path.relpath(other, source)
            yield f"{where}: the workspace has a project {shown(name)} already, in {told}: give one another name"


def _folders(source: Path) -> list[str]:
    """Return the folder of a repository and that of its workspace, as prefixes of names in them."""
    root = workspace_root(source)
    return [""] if root == source else ["", f"{root}{os.sep}"]


def _parsed(content: bytes, name: str) -> None:
    text = decode(content, name)
    if name.endswith(".toml"):
        parse_toml(text, name)


def _problems_of(read: Callable[[bytes, str], object], content: bytes, name: str) -> Iterator[str]:
    try:
        read(content, name)
    except UserError as error:
        yield str(error)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
