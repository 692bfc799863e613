"""Which files, classes and functions pytest would take for tests, as the repository's configuration has it."""

import configparser
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from floe_testing.errors import FloeTestingError

_INI_SECTIONS = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


_DJANGO = re.compile(r"django(?![\w-])", re.IGNORECASE)


class NoSuchPathError(FloeTestingError):
    """A path that was named is not there."""


class PathNameError(FloeTestingError):
    """A test's path is no text, which no report could hold, and pytest itself doesn't run."""


@dataclass(frozen=True)
class CollectionRules:
    """Patterns, each a prefix or a glob; the defaults are pytest's."""

    python_files: tuple[str, ...] = ("test_*.py", "*_test.py")
    python_classes: tuple[str, ...] = ("Test",)
    python_functions: tuple[str, ...] = ("test",)
    norecursedirs: tuple[str, ...] = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")

    def is_test_file(self, path: Path) -> bool:
        """Tell whether pytest looks for tests in a file of a folder."""
        return any(
            fnmatch(path.as_posix(), glob if glob.startswith("/") else f"*/{glob}")
            if "/" in glob
            else fnmatch(path.name, glob)
            for glob in self.python_files
        )

    def is_test_class(self, name: str) -> bool:
        """Tell whether pytest looks for tests in a class that is no `unittest.TestCase`."""
        return _matches(name, self.python_classes)

    def is_test_function(self, name: str) -> bool:
        """Tell whether pytest takes a function for a test."""
        return _matches(name, self.python_functions)


def read_collection_rules(root: Path) -> CollectionRules:
    """Return the rules that the repository's pytest configuration states; what can't be read states none."""
    settings = _pytest_settings(root)
    given = {field.name: _words(settings[field.name]) for field in fields(CollectionRules) if settings.get(field.name)}
    if "python_files" not in given and _is_django(root) and "DJANGO_SETTINGS_MODULE" not in settings:
        # Django's own runner collects these; a Django project that pytest runs says so in its settings.
        given["python_files"] = ("test*.py",)
    return CollectionRules(**given)


def _is_django(root: Path) -> bool:
    """Tell whether a repository's tests are run by Django's runner: a project, or an application of its own."""
    if any((root / name).is_file() for name in ("manage.py", "runtests.py", "tests/runtests.py", "tests/manage.py")):
        return True
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return False
    project = document.get("project", {})
    needed = project.get("dependencies", []) if isinstance(project, dict) else []
    return isinstance(needed, list) and any(_DJANGO.match(str(each)) for each in needed)


def find_python_files(paths: Iterable[Path], rules: CollectionRules) -> list[Path]:
    """Return the Python files under `paths`, sorted, each once; a file that is named is taken whatever its name.

    Raises:
        NoSuchPathError: Names every path that is not there.
        PathNameError: Names every test's path that is no text; what is no test is left out for it.
    """
    paths = list(paths)
    missing = [str(path) for path in paths if not os.path.lexists(path)]
    if missing:
        message = f"no such file or folder: {', '.join(missing)}"
        raise NoSuchPathError(message)
    found = {file for path in paths for file in (_walk(path, rules) if path.is_dir() else [resolved(path)])}
    named = {file for file in found if _is_text(file)}
    strange = sorted(ascii(str(file)) for file in found - named if rules.is_test_file(file))
    if strange:
        message = f"no UTF-8 in the name of a test's file, which pytest doesn't run either: rename {', '.join(strange)}"
        raise PathNameError(message)
    return sorted(named)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def resolved(file: Path) -> Path:
    """Return a file's own path; of a link that leads to itself, the link's."""
    try:
        return file.resolve()
    except (OSError, RuntimeError):
        return Path(os.path.abspath(file))  # noqa: PTH100 - follows no link


def _walk(folder: Path, rules: CollectionRules) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_skipped(place, name, rules.norecursedirs)]
        own = resolved(Path(place))
        for name in files:
            file = own / name
            if name.endswith(".py") and not _is_pipe(file):
                yield resolved(file) if file.is_symlink() else file  # which asks of each folder above it, too


def _is_pipe(file: Path) -> bool:
    """Tell whether a file is a pipe or a device, which pytest takes for no test, and which to read may never end."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False  # it can't be read, which is told


def _is_skipped(place: str, name: str, patterns: Sequence[str]) -> bool:
    if name == "__pycache__" or any(fnmatch(name, pattern) for pattern in patterns):
        return True
    return os.path.exists(os.path.join(place, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118 - a Path for each costs more than the walk


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(name.startswith(pattern) or fnmatch(name, pattern) for pattern in patterns)


def _words(value: object) -> tuple[str, ...]:
    return tuple(shlex.split(value)) if isinstance(value, str) else tuple(str(word) for word in _listed(value))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _pytest_settings(root: Path) -> Mapping[str, Any]:
    # The first file that speaks of pytest decides, in pytest's own order.
    for name, read in (("pytest.toml", _toml_table), ("pytest.ini", _ini_section), (".pytest.ini", _ini_section)):
        if (root / name).is_file():
            return read(root / name)
    for name, read in (("pyproject.toml", _toml_table), ("tox.ini", _ini_section), ("setup.cfg", _ini_section)):
        settings = read(root / name) if (root / name).is_file() else {}
        if settings:
            return settings
    return {}


def _toml_table(path: Path) -> Mapping[str, Any]:
    try:
        document: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    table = document if path.name == "pytest.toml" else document.get("tool", {})
    table = table.get("pytest", {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        return {}
    old = table.get("ini_options")
    return old if isinstance(old, dict) else table


def _ini_section(path: Path) -> Mapping[str, Any]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        return {}
    section = _INI_SECTIONS[path.name]
    return parser[section] if parser.has_section(section) else {}
