"""The files that decide what uv installs: whatever changes in one of them makes another environment.

uv itself takes a package that was built once for current until its `pyproject.toml` changes. Here a copy counts with
every file of its folder, and a package that is used in place with each that its metadata or a compiler reads.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from floe_ci.files import content_of, text_of
from floe_ci.toml_files import document_of

CONFIGURATION: Final = ("pyproject.toml", "uv.toml", ".python-version", ".python-versions")
"""What uv reads in the folder of a project, and in those above it."""
PACKAGING: Final = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "hatch_build.py")
"""What a build reads first; each file that one of them names counts too."""
NATIVE: Final = frozenset({
    ".build", ".c", ".cc", ".cmake", ".cpp", ".cu", ".cxx", ".f", ".f90", ".go", ".h", ".hh", ".hpp", ".pxd",
    ".pxi", ".pyx", ".rs",
})  # fmt: skip
"""Ends of the names of what a compiler reads, and its settings."""
NATIVE_NAMES: Final = frozenset({"CMakeLists.txt", "Cargo.toml", "Cargo.lock"})
NEVER_PART: Final = frozenset({"__pycache__", "node_modules"})
LEFT: Final = frozenset({"build", "dist", "results"})
"""Folders at a project's top that a build or a run leaves, unless they are packages of these names."""
NOT_UVS_AFFAIR: Final = frozenset({
    "UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_LINK_MODE", "UV_NATIVE_TLS", "UV_NO_PROGRESS", "UV_OFFLINE",
    "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_CERTS",
})  # fmt: skip
"""Of uv's variables those that say how it works, not what it installs."""
_LOCKED: Final = re.compile(r'^source = \{ (editable|virtual|directory|path) = "([^"]+)"', re.MULTILINE)
"""A source of this machine in a lock file: uv writes each on a line; all of it as TOML takes half a second."""
_LARGE: Final = 1 << 16
"""Bytes from which a file counts by its size and its time, not by what is in it."""
_MOST_NAMED: Final = 5000
"""How many words of a file are tried as names of files."""
_WORD: Final = re.compile(r"[^\s\"'`,;:=()\[\]{}<>]+")
_REQUIREMENTS: Final = re.compile(r"requirements|constraints", re.IGNORECASE)


class Inputs:
    """A digest that grows with each file that is looked at."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.projects: list[Path] = []
        """The folders of projects of this machine, which uv builds."""
        self._digest = hashlib.sha256()
        self._seen: set[tuple[Path, bool]] = set()

    @property
    def digest(self) -> str:
        """A short name for all that was looked at."""
        return self._digest.hexdigest()[:16]

    def add(self, *parts: object) -> None:
        """Count values whose `repr` says all of them."""
        self._digest.update(repr(parts).encode(errors="surrogateescape"))

    def settings(self, folders: Iterable[Path]) -> None:
        """Count uv's configuration: in a project's folder and those above it, of the user and of the system."""
        for folder in folders:
            for name in CONFIGURATION:
                self.file(folder / name)
        own = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118 - without a home it stays as it is
        for folder in (Path(own), Path("/etc/xdg"), Path("/etc")):
            self.file(folder / "uv" / "uv.toml")
        self.add(
            sorted(each for each in os.environ.items() if each[0].startswith("UV_") and each[0] not in NOT_UVS_AFFAIR)
        )

    def lock(self, path: Path) -> None:
        """Count a lock file, and the packages and archives of this machine that it names."""
        self.file(path)
        for kind, place in _LOCKED.findall(text_of(path)):
            if kind == "path":
                self.file(path.parent / place)
            else:
                self.project(path.parent / place, in_place=kind != "directory")

    def arguments(self, arguments: list[str], folder: Path) -> None:
        """Count what arguments of `uv pip install`, or a line of a file of requirements, name on this machine."""
        previous = ""
        for argument in arguments:
            in_place = previous in {"-e", "--editable"}
            option, is_option, value = argument.partition("=")
            if is_option and option.startswith("-"):
                previous, argument = option, value  # noqa: PLW2901 - an option with its value is both
            path = _path_of(argument, folder)
            if path and path.is_dir():
                self.project(path, in_place=in_place)
            elif path and path.is_file():
                self.requirements(path)
            previous = argument

    def requirements(self, path: Path) -> None:
        """Count a file of requirements, or an archive, and what it names in turn."""
        if not self._is_new(path):
            return
        self.file(path)
        if path.suffix in {".whl", ".gz", ".zip"}:
            return
        if path.suffix == ".toml":
            self._named_in(path)
            return
        for line in text_of(path).splitlines():
            with suppress(ValueError):
                self.arguments(shlex.split(line, comments=True), path.parent)

    def project(self, folder: Path, *, in_place: bool) -> None:
        """Count a project of this machine: all that it has, or where it is used in place what decides its metadata."""
        if not self._is_new(folder, in_place=in_place):
            return
        self.projects.append(folder)
        self.add(str(folder), in_place)
        for path in _files_of(folder):
            if (
                not in_place
                or path.suffix in NATIVE
                or path.name in NATIVE_NAMES
                or (path.suffix != ".py" and _REQUIREMENTS.search(str(path.relative_to(folder))))
            ):
                self.file(path)
        for name in PACKAGING:
            self.file(folder / name)
            self._named_in(folder / name)
        self._history(folder)

    def file(self, path: Path) -> None:
        """Count a file; that it is not there counts too."""
        try:
            status = path.stat()
            is_small = status.st_size < _LARGE
            content: object = content_of(path) if is_small else (status.st_size, status.st_mtime_ns)
        except OSError:
            content = None
        self.add(str(path), content)

    def _named_in(self, path: Path) -> None:
        """Count what a file about packaging names: a version's file, lists of dependencies, `cache-keys`, projects."""
        text = text_of(path)
        words = [word for word in dict.fromkeys(_WORD.findall(text)) if "*" not in word]
        for found in (path.parent / word for word in words[:_MOST_NAMED]):
            if os.path.isfile(found):  # noqa: PTH113 - it takes any word
                self.file(found)
        if path.suffix != ".toml":
            return
        self._sources_of(document_of(path), path.parent)

    def _sources_of(self, document: Mapping[str, Any], folder: Path) -> None:
        for key in _cache_keys(document):
            if "env" in key:
                self.add(key["env"], os.environ.get(key["env"]))
            for found in _matching(key.get("file", ""), folder):
                self.file(found)
        for place, in_place in _projects_in(document):
            found = folder / place
            if found.is_dir() and found.resolve() != folder.resolve():
                self.project(found, in_place=in_place)
            elif found.is_file():
                self.file(found)
        for member in _members(document):
            for found in _matching(member, folder):
                self.file(found / "pyproject.toml")

    def _history(self, folder: Path) -> None:
        """Count where the history of a project stands, if its version may come from there."""
        if not re.search(r"scm|vcs|versioneer|dunamai|dynamic-versioning|commit", text_of(folder / "pyproject.toml")):
            return
        for each in (folder, *folder.parents):
            if (each / ".git").exists():
                own, shared = _git_folders(each / ".git")
                for path in (own / "HEAD", own / "logs" / "HEAD", shared / "packed-refs"):
                    self.file(path)
                with suppress(OSError):
                    self.add(sorted(os.listdir(shared / "refs" / "tags")))  # noqa: PTH208 - names, not paths
                return

    def _is_new(self, path: Path, *, in_place: bool = False) -> bool:
        key = path.resolve(), in_place
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def name_of(project: Path) -> str | None:
    """Return the name of a project; None where only running its build tells it."""
    document = document_of(project / "pyproject.toml")
    tools = document.get("tool", {})
    for table in (document.get("project"), tools.get("poetry") if isinstance(tools, Mapping) else None):
        if isinstance(table, Mapping) and isinstance(name := table.get("name"), str):
            return name
    found = re.search(r"^\[metadata\][^\[]*?^name\s*=\s*([\w.-]+)\s*$", text_of(project / "setup.cfg"), re.MULTILINE)
    return found[1] if found else None


def _git_folders(git: Path) -> tuple[Path, Path]:
    """Return where Git keeps what is of one tree, and what its worktrees share; a file `.git` says where."""
    own = git.parent / text_of(git).removeprefix("gitdir:").strip() if git.is_file() else git
    return own, own / (text_of(own / "commondir").strip() or ".")


def _files_of(folder: Path) -> Iterator[Path]:
    """Return the files of a project in a fixed order, without what tools leave there."""
    for where, folders, files in os.walk(folder):
        top = where == str(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in NEVER_PART
            and not name.endswith(".egg-info")
            and not (top and name in LEFT and not Path(where, name, "__init__.py").exists())
            and not os.path.exists(os.path.join(where, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118 - in a hot loop
        )
        for name in sorted(files):
            if not name.endswith((".pyc", ".so", ".pyd", ".dylib", ".o")) and not name.startswith(".coverage"):
                yield Path(where, name)


def _matching(pattern: str, folder: Path) -> list[Path]:
    with suppress(OSError, ValueError, NotImplementedError):
        return sorted(folder.glob(pattern)) if pattern else []
    return []


def _path_of(argument: str, folder: Path) -> Path | None:
    """Return the path that an argument names; None: it is a name of a package, or an option, or is elsewhere."""
    _name, is_direct, address = argument.partition(" @ ")
    place = address if is_direct else argument
    if place.startswith("file:"):
        place = unquote(urlsplit(place).path)
    place = re.sub(r"\[[^\]]*\]$", "", place.partition(" ;")[0].strip())
    if not place or place.startswith("-") or "\0" in place:
        return None
    try:
        path = folder / os.path.expandvars(place)
        return path if path.exists() else None
    except OSError:
        return None


def _projects_in(table: object) -> Iterator[tuple[str, bool]]:
    """Return the projects that a `pyproject.toml` names as sources, and whether each is used in place."""
    if isinstance(table, Mapping):
        if isinstance(path := table.get("path"), str):
            yield path, bool(table.get("editable", table.get("develop", False)))
        for value in table.values():
            yield from _projects_in(value)
    elif isinstance(table, list):
        for value in table:
            yield from _projects_in(value)
    elif isinstance(table, str) and "file:" in table:
        yield unquote(urlsplit(table[table.index("file:") :]).path.replace("${PROJECT_ROOT}", ".").lstrip("/")), False
        yield unquote(urlsplit(table[table.index("file:") :]).path), False


def _members(document: Mapping[str, Any]) -> list[str]:
    with suppress(AttributeError):
        members = document.get("tool", {}).get("uv", {}).get("workspace", {}).get("members", ())
        return [each for each in members if isinstance(each, str) and not each.startswith("/")]
    return []


def _cache_keys(document: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Return what a project tells uv to look at beside its `pyproject.toml`: files and variables."""
    with suppress(AttributeError):
        for key in document.get("tool", {}).get("uv", {}).get("cache-keys", ()):
            if isinstance(key, str):
                yield {"file": key}
            elif isinstance(key, Mapping):
                yield {name: value for name, value in key.items() if isinstance(value, str)}
