"""Which variables the code of a repository reads of its environment, and what a run has to put in their place."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.files import text_of
from floe_ci.python_files import tree_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_POSTGRES: Final = "${FLOE_POSTGRES_USER}:${FLOE_POSTGRES_PASSWORD}@${FLOE_POSTGRES_HOST}:${FLOE_POSTGRES_PORT}"
_REDIS: Final = ":${FLOE_REDIS_PASSWORD}@${FLOE_REDIS_HOST}:${FLOE_REDIS_PORT}"
_MINIO: Final = "http://${FLOE_MINIO_HOST}:${FLOE_MINIO_PORT}"
_SERVER: Final = {
    "HOST": "${FLOE_POSTGRES_HOST}",
    "PORT": "${FLOE_POSTGRES_PORT}",
    "USER": "${FLOE_POSTGRES_USER}",
    "PASSWORD": "${FLOE_POSTGRES_PASSWORD}",
}
VALUES: Final = {
    "postgres": {
        **dict.fromkeys(("DATABASE_URL", "POSTGRES_URL"), f"postgresql://{_POSTGRES}/${{FLOE_POSTGRES_DATABASE}}"),
        **{f"{prefix}{name}": value for prefix in ("PG", "DB_", "POSTGRES_") for name, value in _SERVER.items()},
        **dict.fromkeys(("PGDATABASE", "DB_NAME", "POSTGRES_DB"), "${FLOE_POSTGRES_DATABASE}"),
    },
    "minio": {
        **dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL", "AWS_S3_ENDPOINT_URL"), _MINIO),
        "AWS_ACCESS_KEY_ID": "${FLOE_MINIO_ACCESS_KEY}",
        "AWS_SECRET_ACCESS_KEY": "${FLOE_MINIO_SECRET_KEY}",
        **dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), "us-east-1"),
    },
    "redis": {
        **dict.fromkeys(("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), f"redis://{_REDIS}/0"),
        "REDIS_HOST": "${FLOE_REDIS_HOST}",
        "REDIS_PORT": "${FLOE_REDIS_PORT}",
        "REDIS_PASSWORD": "${FLOE_REDIS_PASSWORD}",
    },
}  # fmt: skip
"""For each service, the variables that code most often finds it by, and their values from the run's."""
WITHOUT_BEING_READ: Final = {
    "boto3": ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"),
}
"""What a library reads by itself, where a repository imports it."""
_READERS: Final = {"environ", "getenv", "env", "config"}
"""What the callers that read a variable are called: os's, and those of django-environ, environs and decouple."""
_NOT_CODE: Final = {"node_modules", "venv", "build", "dist", "site-packages", "results", "__pycache__"}
SETTINGS: Final = "DJANGO_SETTINGS_MODULE"
"""Which settings Django's tests take: the module's name."""
_RUN_DJANGO: Final = ("runtests.py", "run_tests.py", "tests/runtests.py", "tests/manage.py", "manage.py")
"""Files that run Django's tests, those that do nothing else first."""
_PREPARE: Final = ("tox.ini", "tox.toml", "noxfile.py", "pyproject.toml")
"""Files that set variables for tests where another tool runs them: more than `manage.py`, they are about tests."""
_PREPARED: Final = re.compile(rf"{SETTINGS}[\"']?\]?\s*[=:,]\s*[\"']?(\w+(?:\.\w+)*)")
MOST_FILES: Final = 5_000
"""How many files are looked at: a larger repository has said what it wants by then."""


def environment(repository: Path, services: Collection[str]) -> dict[str, str]:
    """Return the variables that a repository's code reads and that these services stand behind, with their values.

    Only what is written in the code counts: names of variables as constants where `os.environ`, `os.getenv` and the
    readers of the usual packages take them, and the fields of a class of settings. What is no Python is left out.
    """
    read, imported = set[str](), set[str]()
    for tree in _trees(repository):
        read.update(_names(tree))
        imported.update(_imports(tree))
    for library, names in WITHOUT_BEING_READ.items():
        read.update(names if library in imported else ())
    found = {name: value for service, values in VALUES.items() if service in services for name, value in values.items()}
    return {name: value for name, value in found.items() if name in read}


def django_settings(repository: Path) -> str:
    """Return the settings that a repository runs Django's tests with where it doesn't use pytest; empty: none."""
    for name in _PREPARE:
        if found := _PREPARED.search(text_of(repository / name)):
            return found[1]
    for name in _RUN_DJANGO:
        if (tree := tree_of(repository / name)) and (module := next(_settings(tree), "")):
            return module
    return ""


def sets_django(path: Path) -> bool:
    """Tell whether a module says which settings Django takes, when it is imported."""
    text = text_of(path)
    if "settings.configure(" in text:
        return True
    return SETTINGS in text and (path.name == "conftest.py" or bool((tree := tree_of(path)) and any(_settings(tree))))


def _settings(tree: ast.Module) -> Iterator[str]:
    """Yield the settings that a module chooses by the environment."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=name), ast.Constant(value=str(module))],
            ) if name == SETTINGS:
                yield module
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value=name))], value=ast.Constant(value=str(module))
            ) if name == SETTINGS:
                yield module


def _trees(repository: Path) -> Iterator[ast.Module]:
    """Yield what the modules of a repository are made of."""
    left = folders = MOST_FILES
    for folder, inner, files in os.walk(repository):
        folders -= 1
        if not left or not folders:
            return
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _NOT_CODE)
        for name in sorted(files):
            if name.endswith(".py") and left:
                left -= 1
                if tree := tree_of(Path(folder, name)):
                    yield tree


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of variables that a module reads."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=reader, slice=ast.Constant(value=str(name)), ctx=ast.Load()) if _reads(reader):
                yield name
            case ast.Call(func=reader, args=[ast.Constant(value=str(name)), *_]) if _reads(reader):
                yield name
            case ast.ClassDef(bases=bases, body=body) if any(_called(base) == "BaseSettings" for base in bases):
                yield from (each.upper() for each in map(_field, body) if each)


def _reads(reader: ast.expr) -> bool:
    """Tell whether something reads variables: `os.environ`, `os.getenv`, `environ.get`, `env`, `env.db`, `config`."""
    of = _called(reader.value) if isinstance(reader, ast.Attribute) else ""
    return _called(reader) in _READERS or of in _READERS


def _called(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _field(node: ast.stmt) -> str:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _imports(tree: ast.Module) -> Iterator[str]:
    """Yield the packages that a module imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
