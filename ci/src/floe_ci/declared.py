"""What a repository says that its tests need, in whichever of the usual forms: what to install, and what that names."""

from __future__ import annotations

import configparser
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from floe_ci.toml_files import document_of, table_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEST_GROUPS: Final = ("test", "tests", "testing", "dev")
"""What groups and extras are called that have what tests need."""
HATCH: Final = ("default", "test", "hatch-test")
"""Hatch's environments that have it."""
TESTS_FOLDERS: Final = ("tests", "test", "testing")
_TESTS_FILE: Final = re.compile(r"(?:^|[-_./])(?:tests?|testing|dev|develop|development)(?:[-_./]|$)")
_CONDITIONAL: Final = re.compile(r"#|[^\s:]*\{|[\w,!.-]+:\s")
"""The beginning of a line of tox's that refers to something else, or is of some environments only."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERS: Final = re.compile(r"([\^~])\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Declared:
    """What the files of a repository say."""

    install: tuple[str, ...]
    """Arguments of `uv pip install` for all that the tests need: the value of `install` in [tool.floe-ci.runner]."""
    packages: tuple[str, ...]
    """The names of the packages that they name, as the index writes them."""

    @classmethod
    def of(cls, repository: Path) -> Declared:
        """Read the files of a repository, and those of the members of its workspace; one that can't be read is none."""
        pyproject, files = document_of(repository / "pyproject.toml"), requirements_files(repository)
        setup = _setup_cfg(repository / "setup.cfg")
        listed = [*_poetry(pyproject), *_of_pdm(pyproject), *_of_hatch(pyproject)]
        listed += [*(f"-r {name}" for name in _of_tests(files)), *_of_tox(repository / "tox.ini")]
        install = dict.fromkeys([*_itself(repository, pyproject, setup), *listed])
        members = [document_of(folder / "pyproject.toml") for folder in _members(repository, pyproject)]
        named = chain(
            *map(_named_in, [pyproject, *members]),
            *(values.splitlines() for section in setup.values() for values in section.values()),
            *(_lines(repository / name) for name in files),
        )
        return cls(tuple(install), tuple(dict.fromkeys(filter(None, map(_package, named)))))


def workspace_root(source: Path) -> Path:
    """Return the folder of the uv workspace that a project is a member of, or else the project's own."""
    for folder in source.parents:
        workspace = table_in(document_of(folder / "pyproject.toml"), "tool", "uv", "workspace")
        if workspace and source in _matches(workspace, "members", folder):
            return source if source in _matches(workspace, "exclude", folder) else folder
    return source


def requirements_files(repository: Path) -> tuple[str, ...]:
    """Return the names of a repository's files of requirements, relative to it."""
    patterns = ("*requirements*.txt", "requirements/*.txt", *(f"{name}/*requirements*.txt" for name in TESTS_FOLDERS))
    found = chain.from_iterable(map(repository.glob, patterns))
    return tuple(sorted(str(path.relative_to(repository)) for path in found if path.is_file()))


def lines_to_add(repository: Path) -> str:
    """Return the lines of configuration that install what a repository's tests need; empty: nothing says what."""
    install = Declared.of(repository).install
    quoted = ", ".join(_quoted(each) for each in install)
    return f"[tool.floe-ci.runner] install = [{quoted}]" if install else ""


def _itself(repository: Path, pyproject: dict[str, Any], setup: dict[str, dict[str, str]]) -> list[str]:
    """Return how the project itself is installed, with its extras and groups for tests."""
    poetry = table_in(pyproject, "tool", "poetry")
    project = table_in(pyproject, "project")
    has = project or poetry or table_in(pyproject, "build-system") or "metadata" in setup
    groups = [f"--group {name}" for name in TEST_GROUPS if name in table_in(pyproject, "dependency-groups")]
    if not (has or (repository / "setup.py").is_file()):
        return groups
    if poetry.get("package-mode") is False:
        own = project.get("dependencies")
        listed = [each for each in own if isinstance(each, str)] if isinstance(own, list) else []
        return [*listed, *_poetry_list(table_in(poetry, "dependencies")), *groups]
    extras = {
        *table_in(project, "optional-dependencies"),
        *table_in(poetry, "extras"),
        *setup.get("options.extras_require", {}),
    }
    chosen = ",".join(name for name in TEST_GROUPS if name in extras)
    return [f".[{chosen}]" if chosen else ".", *groups]


def _poetry(pyproject: dict[str, Any]) -> list[str]:
    poetry = table_in(pyproject, "tool", "poetry")
    tables = [table_in(poetry, "group", name, "dependencies") for name in TEST_GROUPS]
    return [each for table in (*tables, table_in(poetry, "dev-dependencies")) for each in _poetry_list(table)]


def _poetry_list(table: dict[str, Any]) -> list[str]:
    return [_of_poetry(name, wanted) for name, wanted in table.items() if name.lower() != "python"]


def _of_poetry(name: str, wanted: object) -> str:
    """Return what Poetry writes of a dependency as everybody else does."""
    if not isinstance(wanted, dict):
        return f"{name}{_specifier(wanted)}"
    if isinstance(path := wanted.get("path"), str):
        return f"./{path.removeprefix('./')}"
    extras = f"[{','.join(map(str, found))}]" if isinstance(found := wanted.get("extras"), list) else ""
    marker = f"; {wanted['markers']}" if isinstance(wanted.get("markers"), str) else ""
    if isinstance(address := wanted.get("url") or wanted.get("git"), str):
        revision = next((wanted[key] for key in ("rev", "tag", "branch") if key in wanted), "")
        at = f"@{revision}" if revision else ""
        return f"{name}{extras} @ {address if 'url' in wanted else f'git+{address}{at}'}{marker and ' '}{marker}"
    return f"{name}{extras}{_specifier(wanted.get('version'))}{marker}"


def _specifier(version: object) -> str:
    """Return Poetry's `^1.2` and `~1.2` as a range; what is several of them in one is left open."""
    if not isinstance(version, str) or version.strip() in {"", "*"} or "||" in version:
        return ""
    return ",".join(_range(part.strip()) for part in version.split(","))


def _range(part: str) -> str:
    found = _NUMBERS.fullmatch(part)
    if found is None:
        return part if part[:1] in "<>=!~" else f"=={part}"
    numbers = [int(each) for each in found[2].split(".")]
    # A caret lets everything change behind the first number that is not zero, a tilde behind the second.
    first = next((place for place, each in enumerate(numbers) if each), len(numbers) - 1)
    kept = min(first if found[1] == "^" else 1, len(numbers) - 1)
    return f">={found[2]},<{'.'.join(map(str, [*numbers[:kept], numbers[kept] + 1]))}"


def _of_pdm(pyproject: dict[str, Any]) -> list[str]:
    groups = table_in(pyproject, "tool", "pdm", "dev-dependencies")
    return [each for name in TEST_GROUPS for each in _texts(groups.get(name)) if not each.startswith("-")]


def _of_hatch(pyproject: dict[str, Any]) -> list[str]:
    found = [table_in(pyproject, "tool", "hatch", "envs", name) for name in HATCH]
    return [
        each for table in found for key in ("dependencies", "extra-dependencies") for each in _texts(table.get(key))
    ]


def _of_tests(files: tuple[str, ...]) -> list[str]:
    """Return those files of requirements that the tests need: the plain ones, and those that are called so."""
    plain = [name for name in files if name in {"requirements.txt", "requirements/base.txt"}]
    return [*plain, *(name for name in files if _TESTS_FILE.search(name.removesuffix(".txt")))]


def _of_tox(path: Path) -> list[str]:
    """Return what tox installs for the tests of every environment."""
    lines = _setup_cfg(path).get("testenv", {}).get("deps", "").splitlines()
    plain = [line.strip() for line in lines if not _CONDITIONAL.match(line.strip())]
    return [re.sub(r"^-r\s*", "-r ", line) for line in plain if line]


def _named_in(pyproject: dict[str, Any]) -> Iterator[str]:
    poetry = table_in(pyproject, "tool", "poetry")
    yield from _texts(table_in(pyproject, "project").get("dependencies"))
    for table in (table_in(pyproject, "project", "optional-dependencies"), table_in(pyproject, "dependency-groups")):
        for listed in table.values():
            yield from _texts(listed)
    yield from table_in(poetry, "dependencies")
    for group in table_in(poetry, "group").values():
        yield from table_in(group, "dependencies")
    yield from (*_poetry(pyproject), *_of_pdm(pyproject), *_of_hatch(pyproject))


def _members(repository: Path, pyproject: dict[str, Any]) -> list[Path]:
    return sorted(_matches(table_in(pyproject, "tool", "uv", "workspace"), "members", repository))


def _matches(workspace: dict[str, Any], key: str, root: Path) -> set[Path]:
    found: set[Path] = set()
    for pattern in _texts(workspace.get(key)):
        with suppress(ValueError, NotImplementedError):
            found.update(path.resolve() for path in root.glob(pattern.rstrip("/")))
    return found


def _package(line: str) -> str | None:
    found = _NAME.match(line.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else None


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _lines(path: Path) -> Iterable[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return ()


def _setup_cfg(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string("\n".join(_lines(path)))
    return {name: dict(parser[name]) for name in parser.sections()}
