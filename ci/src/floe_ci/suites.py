"""Where a repository's tests are, by what it tells pytest and by what there is."""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.declared import MEMBERS
from floe_ci.files import text_of
from floe_ci.tiers import TIERS
from floe_ci.toml_files import document_of, table_in, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_ci.tiers import TierName

IMPORTLIB: Final = "--import-mode=importlib"
_TEST_FILE: Final = re.compile(r"test_.*\.py|.*_test\.py")
OF_DJANGO: Final = "test*.py"
"""The files that Django's own runner takes, where pytest takes fewer."""
FOLDERS: Final = ("tests", "test")
_NEVER: Final = frozenset({"build", "dist", "node_modules", "results", "site-packages", "venv", "__pycache__"})
MOST_FILES: Final = 20_000
"""How many files and folders are looked at: who calls this in a home is not to wait for all that is in it."""


def tier_of(repository: Path, *, has_services: bool) -> TierName:
    """Return the tier that a repository's tests are most likely of: that beside services, or that without."""
    wanted: TierName = "integration" if has_services else "unit"
    there = [tier for tier in TIERS if (repository / "tests" / tier).is_dir()]
    return wanted if wanted in there or not there or _loose(repository) else there[0]


def paths(repository: Path, tier: TierName) -> tuple[str, ...]:
    """Return where the tests of a tier are, where that isn't `tests/<tier>`."""
    if (repository / "tests" / tier).is_dir():
        return ()
    if any((repository / "tests" / each).is_dir() for each in TIERS):
        return _loose(repository)
    return told(repository) or _folders(repository) or _found(repository)


def are_there(repository: Path) -> bool:
    """Tell whether a repository has tests at all."""
    return bool(told(repository) or _folders(repository) or _found(repository))


def import_mode(repository: Path, chosen: tuple[str, ...]) -> str:
    """Return the argument that pytest needs where modules of several folders have the same name; empty: none."""
    if is_told(repository, "import-mode"):
        return ""
    names = Counter(name for path in chosen for name in _modules(repository / path))
    return IMPORTLIB if any(count > 1 for count in names.values()) else ""


def is_told(repository: Path, option: str) -> bool:
    """Tell whether a repository gives pytest an option in one of its files, by its name or in what another has."""
    given = [str(each) for pair in _options(repository).items() for each in pair]
    return option.lower() in " ".join(given).lower()


def imported(repository: Path) -> Iterator[Path]:
    """Yield what pytest imports anywhere in a repository: tests, `conftest.py`, and the packages that they are in."""
    packages = set[Path]()
    for path in _files(repository, re.compile(rf"{_TEST_FILE.pattern}|tests\.py|conftest\.py")):
        yield path
        packages.add(path.parent)
    yield from (folder / "__init__.py" for folder in sorted(packages))


def told(repository: Path) -> tuple[str, ...]:
    """Return pytest's `testpaths`, those of them that are there."""
    given = _options(repository).get("testpaths", "")
    patterns = given.split() if isinstance(given, str) else texts(given)
    found: dict[str, None] = {}
    for pattern in patterns:
        with suppress(ValueError, NotImplementedError, OSError, IndexError):
            matching = sorted(repository.glob(pattern)) if pattern != "." else [repository]
            found.update(dict.fromkeys(each.relative_to(repository).as_posix() for each in matching))
    return tuple(path for path in found if ".." not in path.split("/"))


def _options(repository: Path) -> dict[str, str | list[str]]:
    """Return pytest's own options, from the first of its files that has some."""
    pyproject = table_in(document_of(repository / "pyproject.toml"), "tool", "pytest")
    of_toml = table_in(pyproject, "ini_options") or pyproject
    pytest_toml = [table_in(document_of(repository / name), "pytest") for name in ("pytest.toml", ".pytest.toml")]
    of_ini = [_section(repository / name, "pytest") for name in ("pytest.ini", ".pytest.ini")]
    others = [_section(repository / "tox.ini", "pytest"), _section(repository / "setup.cfg", "tool:pytest")]
    return next(filter(None, [*pytest_toml, *of_ini, of_toml, *others]), {})


def _named(repository: Path) -> re.Pattern[str]:
    """Return how a repository's files of tests are called."""
    given = _options(repository).get("python_files", "")
    patterns = given.split() if isinstance(given, str) else texts(given)
    return re.compile("|".join(map(fnmatch.translate, patterns))) if patterns else _TEST_FILE


def _section(path: Path, name: str) -> dict[str, str | list[str]]:
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string(text_of(path))
    return dict(parser[name]) if name in parser else {}


def _folders(repository: Path) -> tuple[str, ...]:
    """Return the folder of tests at the top, or else those of the packages below it."""
    top = [name for name in FOLDERS if (repository / name).is_dir()][:1]
    if not top and any((repository / "testing").glob("test_*.py")):  # it is as often a package that helps tests
        top = ["testing"]
    below = {
        folder.relative_to(repository).as_posix()
        for member in MEMBERS
        for name in FOLDERS
        for folder in repository.glob(f"{member}/{name}")
        if folder.is_dir() and not any(part.startswith(".") for part in folder.relative_to(repository).parts)
    }
    return tuple(top or sorted(below))


def of_django(repository: Path) -> tuple[str, ...]:
    """Return the folders of tests that only Django's own runner takes; none: pytest takes some, or is told which."""
    if are_there(repository) or "python_files" in _options(repository):
        return ()
    return _found(repository, re.compile(fnmatch.translate(OF_DJANGO)))


def _found(repository: Path, named: re.Pattern[str] | None = None) -> tuple[str, ...]:
    """Return the folders of tests anywhere below, or else the top folders that have some, and files beside them.

    They are called as it is said here, or else as pytest is told.
    """
    found = set[str]()
    for path in _files(repository, named or _named(repository)):
        folders = path.relative_to(repository).parts[:-1]
        top = next((place for place, name in enumerate(folders) if name in FOLDERS), None)
        found.add("/".join(folders[: 1 if top is None else top + 1]) or path.name)
    return tuple(sorted(found))


def _loose(repository: Path) -> tuple[str, ...]:
    """Return what is in the folder of tests beside the folders of tiers."""
    beside = sorted(path for path in (repository / "tests").iterdir() if path.name not in TIERS)
    return tuple(f"tests/{path.name}" for path in beside if _is_test(path) or (path.is_dir() and any(_files(path))))


def _files(folder: Path, named: re.Pattern[str] = _TEST_FILE) -> Iterator[Path]:
    """Yield the files of tests, or of other names, below a folder, of the first that are looked at."""
    left = MOST_FILES
    for where, inner, files in os.walk(folder):
        left -= 1
        if left <= 0:
            return
        inner[:] = sorted(name for name in inner if _is_looked_into(name))
        for name in sorted(files)[:left]:
            left -= 1
            if named.fullmatch(name) and Path(where, name).is_file():
                yield Path(where, name)


def _is_looked_into(name: str) -> bool:
    return not name.startswith(".") and name not in _NEVER and not name.endswith(".egg-info")


def _is_test(path: Path) -> bool:
    return bool(_TEST_FILE.fullmatch(path.name)) and path.is_file()


def _modules(folder: Path) -> Iterator[str]:
    """Yield the names under which pytest imports the tests of a folder, unless it is told how."""
    if (folder / "__init__.py").is_file():
        if not (folder.parent / "__init__.py").is_file():
            yield folder.name
    elif folder.is_dir():
        yield from (path.name for path in folder.glob("*.py") if _is_test(path) or path.name == "conftest.py")
