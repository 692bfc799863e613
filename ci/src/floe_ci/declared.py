"""What a repository says that its tests need, in whichever of the usual forms: what to install, and what that names."""

from __future__ import annotations

import configparser
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from floe_ci import conda, poetry
from floe_ci.config import requirement_problem
from floe_ci.files import text_of
from floe_ci.setup_py import SetupPy
from floe_ci.toml_files import OWN_FILE, document_of, table_in, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEST_GROUPS: Final[tuple[str, ...]] = ("test", "tests", "testing", "dev")
"""What groups and extras are called that have what tests need."""
HATCH: Final = ("default", "test", "hatch-test")
"""Hatch's environments that have it."""
MEMBERS: Final = ("packages/*", "libs/*", "services/*", "apps/*", "src", "*")
"""Where a repository of several packages has them, each with tests of its own."""
PROJECT_FILES: Final = ("pyproject.toml", "setup.py")
"""What pip and uv know a project by that they can build; a `setup.cfg` alone is none to them."""
TESTS_FOLDERS: Final = ("tests", "test", "testing")
_TESTS_FILE: Final = re.compile(r"(?:^|[-_./])(?:tests?|testing|dev|develop|development)(?:[-_./]|$)")
_CONDITIONAL: Final = re.compile(r".*\{|[\w,!.-]+:\s")
"""A line of tox's that refers to something else, or is of some environments only."""
_TOX_FOLDER: Final = re.compile(r"\{(?:toxinidir|tox_root)\}")
"""The folder of the file itself, as tox calls it."""
_COMMENT: Final = re.compile(r"(?:^|\s)\s*#.*")
_FILES: Final = re.compile(r"file:(?!\s*/)")
"""How setuptools says that a list is in files; with a slash behind it, it is the address of one package."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Declared:
    """What the files of a repository say."""

    install: tuple[str, ...]
    """Arguments of `uv pip install` for all that the tests need: the value of `install` in [tool.floe-ci.runner]."""
    packages: tuple[str, ...]
    """The names of the packages that they name, as the index writes them."""

    @classmethod
    def of(cls, repository: Path) -> Declared:
        """Read the files of a repository, and those of its packages below; one that can't be read is none."""
        pyproject = document_of(repository / "pyproject.toml")
        members = members_of(repository)
        install = _installed(repository)
        if not install or (members and not table_in(pyproject, "project")):
            below = members or _projects_below(repository)
            install = [*(_at(each, folder, repository) for folder in below for each in _installed(folder)), *install]
        named = chain.from_iterable(map(_named_in, [repository, *members]))
        return cls(tuple(dict.fromkeys(install)), tuple(dict.fromkeys(filter(None, map(_package, named)))))


def members_of(root: Path) -> list[Path]:
    """Return the folders of a uv workspace's members, whatever is in them; none where there is no workspace."""
    workspace = table_in(document_of(root / "pyproject.toml"), "tool", "uv", "workspace")
    return sorted(_matches(workspace, "members", root) - _matches(workspace, "exclude", root))


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
    return _lines_of(Declared.of(repository).install)


def conda_problem(repository: Path) -> str:
    """Return what to do where conda's file alone says what the tests need; empty: something else does as well."""
    file = conda.file_in(repository)
    if file is None or Declared.of(repository).install:
        return ""
    listed = conda.requirements(repository)
    lines = _lines_of(tuple(listed)) or '[tool.floe-ci.runner] install = ["NAME"]'
    return (
        f"{file.name}: conda's packages are not installed here: add {lines} to {OWN_FILE}, "
        "with each package as the package index calls it"
    )


def _lines_of(install: tuple[str, ...]) -> str:
    quoted = ", ".join(_quoted(each) for each in install)
    return f"[tool.floe-ci.runner] install = [{quoted}]" if install else ""


def _installed(folder: Path) -> list[str]:
    """Return how what is in one folder is installed, with all that its tests need."""
    pyproject = document_of(folder / "pyproject.toml")
    own = [*_itself(folder, pyproject), *_of_poetry(pyproject), *_of_pdm(pyproject), *_of_hatch(pyproject)]
    files = [f"-r {shlex.quote(name)}" for name in _of_tests(requirements_files(folder))]
    lines = [*own, *_of_pipenv(folder), *files, *_of_tox(folder)]
    return [argument for line in lines for argument in _arguments(line)]


def _arguments(line: str) -> list[str]:
    """Return a line as arguments of `uv pip install`, without its comment; none: it is no requirement."""
    plain = _COMMENT.sub("", line).strip()
    if of_files := _FILES.match(plain):
        names = plain[of_files.end() :].split(",")
        return [f"-r {shlex.quote(name.strip())}" for name in names if name.strip()]
    return [plain] if plain and requirement_problem(plain) is None else []


def _itself(folder: Path, pyproject: dict[str, Any]) -> list[str]:
    """Return how the project itself is installed, with its extras and groups for tests."""
    setup, setup_py = _ini(folder / "setup.cfg"), SetupPy.read(folder / "setup.py")
    project, of_poetry = table_in(pyproject, "project"), table_in(pyproject, "tool", "poetry")
    has = project or of_poetry or table_in(pyproject, "build-system")
    groups = [f"--group {shlex.quote(name)}" for name in test_names(table_in(pyproject, "dependency-groups"))]
    is_built = (folder / "setup.py").is_file() or ("metadata" in setup and (folder / "pyproject.toml").is_file())
    if not (has or is_built):
        return [*groups, *_of_setup_cfg(setup)]
    if of_poetry.get("package-mode") is False:
        return [*texts(project.get("dependencies")), *_main_of_poetry(pyproject), *groups]
    extras: dict[str, Any] = {
        **setup_py.extras,
        **_extras_of(setup),
        **table_in(of_poetry, "extras"),
        **table_in(project, "optional-dependencies"),
    }
    of_hatch = [name for table in _hatch(pyproject) for name in texts(table.get("features")) if name in extras]
    chosen = ",".join(dict.fromkeys([*test_names(extras), *of_hatch]))
    formerly = _listed(setup.get("options", {}).get("tests_require", ""))
    return [f".[{chosen}]" if chosen else ".", *groups, *formerly, *setup_py.tests]


def _of_setup_cfg(setup: dict[str, dict[str, str]]) -> list[str]:
    """Return what a package needs that nothing can build: its tests find it in the folder that they run in."""
    extras = _extras_of(setup)
    own = _listed(setup.get("options", {}).get("install_requires", ""))
    return [*own, *chain.from_iterable(extras[name] for name in test_names(extras))]


def _extras_of(setup: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    return {name: _listed(text) for name, text in setup.get("options.extras_require", {}).items()}


def _listed(text: str) -> list[str]:
    """Return a list as setuptools reads it: each on a line, or all on one with semicolons between them."""
    if _FILES.match(text.strip()):
        return [" ".join(text.split())]
    return text.splitlines() if "\n" in text else text.split(";")


def test_names(table: dict[str, Any]) -> list[str]:
    """Return those of groups or extras that tests need: the ones that are called so, or else that have pytest."""
    named = [name for name in TEST_GROUPS if name in table]
    return named or [name for name, listed in table.items() if "pytest" in map(_package, texts(listed))]


def _of_poetry(pyproject: dict[str, Any]) -> list[str]:
    of_poetry = table_in(pyproject, "tool", "poetry")
    groups = {name: table_in(of_poetry, "group", name, "dependencies") for name in table_in(of_poetry, "group")}
    chosen = [groups[name] for name in test_names({name: [*table] for name, table in groups.items()})]
    return [each for table in (*chosen, table_in(of_poetry, "dev-dependencies")) for each in poetry.requirements(table)]


def _main_of_poetry(pyproject: dict[str, Any]) -> list[str]:
    return poetry.requirements(table_in(pyproject, "tool", "poetry", "dependencies"))


def _of_pipenv(folder: Path) -> list[str]:
    document = document_of(folder / "Pipfile")
    tables = [table_in(document, name) for name in ("packages", "dev-packages")]
    return [each for table in tables for each in poetry.requirements(table) if each != "./."]


def _of_pdm(pyproject: dict[str, Any]) -> list[str]:
    groups = table_in(pyproject, "tool", "pdm", "dev-dependencies")
    return [each for name in test_names(groups) for each in texts(groups[name]) if not each.startswith("-")]


def _of_hatch(pyproject: dict[str, Any]) -> list[str]:
    keys = ("dependencies", "extra-dependencies")
    return [each for table in _hatch(pyproject) for key in keys for each in texts(table.get(key))]


def _hatch(pyproject: dict[str, Any]) -> list[dict[str, Any]]:
    return [table_in(pyproject, "tool", "hatch", "envs", name) for name in HATCH]


def _at(argument: str, folder: Path, repository: Path) -> str:
    """Return an argument that is meant for a folder as it is said in the repository's own."""
    place = folder.resolve().relative_to(repository.resolve()).as_posix()
    option, _, value = argument.partition(" ")
    if option not in {"-r", "-c", "-e", "--group"}:
        return f"./{place}{argument.removeprefix('.')}" if argument[:1] == "." else argument
    name = "".join(shlex.split(value))
    if option == "--group":
        below = f"{place}/pyproject.toml:{name}"
    elif "://" in name or name.startswith("/"):
        return argument
    else:
        below = _at(name, folder, repository) if option == "-e" and name[:1] == "." else f"{place}/{name}"
    return f"{option} {shlex.quote(below)}"


def _of_tests(files: tuple[str, ...]) -> list[str]:
    """Return those files of requirements that the tests need: the plain ones, and those that are called so."""
    plain = [name for name in files if name in {"requirements.txt", "requirements/base.txt"}]
    return [*plain, *(name for name in files if _TESTS_FILE.search(name.removesuffix(".txt")))]


def _of_tox(folder: Path) -> list[str]:
    """Return what tox installs for the tests of every environment."""
    tables = [document_of(folder / "tox.toml"), table_in(document_of(folder / "pyproject.toml"), "tool", "tox")]
    of_toml = [each for table in tables for each in texts(table_in(table, "env_run_base").get("deps"))]
    lines = [*of_toml, *_ini(folder / "tox.ini").get("testenv", {}).get("deps", "").splitlines()]
    local = [_TOX_FOLDER.sub(".", _COMMENT.sub("", line)).strip() for line in lines]
    plain = [line for line in local if not _CONDITIONAL.match(line)]
    return [re.sub(r"^(-[cer])\s*(?:\./)?", r"\1 ", line) for line in plain]


def _named_in(folder: Path) -> Iterator[str]:
    """Yield lines that begin with the names of the packages that a folder's files speak of."""
    pyproject, setup_py = document_of(folder / "pyproject.toml"), SetupPy.read(folder / "setup.py")
    yield from texts(table_in(pyproject, "project").get("dependencies"))
    for table in (table_in(pyproject, "project", "optional-dependencies"), table_in(pyproject, "dependency-groups")):
        for listed in table.values():
            yield from texts(listed)
    of_poetry = table_in(pyproject, "tool", "poetry")
    yield from table_in(of_poetry, "dependencies")
    for group in table_in(of_poetry, "group").values():
        yield from table_in(group, "dependencies")
    yield from (*_of_poetry(pyproject), *_of_pdm(pyproject), *_of_hatch(pyproject), *_of_pipenv(folder))
    yield from chain(setup_py.dependencies, *setup_py.extras.values(), setup_py.tests)
    for section in _ini(folder / "setup.cfg").values():
        yield from chain.from_iterable(map(_listed, section.values()))
    for name in requirements_files(folder):
        yield from text_of(folder / name).splitlines()
    yield from conda.requirements(folder)


def _projects_below(repository: Path) -> list[Path]:
    """Return the projects in the usual folders of a repository that is none itself."""
    found = _below(repository, MEMBERS)
    return sorted(folder for folder in found if _is_project(folder))


def _is_project(folder: Path) -> bool:
    return folder.name[:1] != "." and any((folder / name).is_file() for name in PROJECT_FILES)


def _matches(workspace: dict[str, Any], key: str, root: Path) -> set[Path]:
    return _below(root, texts(workspace.get(key)))


def _below(root: Path, patterns: Iterable[str]) -> set[Path]:
    """Return the folders below another that match; what a link or `..` leads to elsewhere is not among them."""
    found: set[Path] = set()
    for pattern in patterns:
        with suppress(ValueError, NotImplementedError, IndexError, OSError):
            found.update(path.resolve() for path in root.glob(pattern.rstrip("/")) if path.is_dir())
    return {path for path in found if root.resolve() in path.parents}


def _package(line: str) -> str | None:
    found = _NAME.match(line.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else None


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _ini(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string(text_of(path))
    return {name: dict(parser[name]) for name in parser.sections()}
