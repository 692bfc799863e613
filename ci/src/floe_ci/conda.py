"""What conda's `environment.yml` names, as the package index most likely calls it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from floe_ci.files import text_of

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = ("environment.yml", "environment.yaml")
_SPEC: Final = re.compile(r"(?:[\w.-]+::)?([A-Za-z0-9][\w.-]*)\s*(.*)")
_BUILD: Final = re.compile(r"(?<=[\w*])=[^=<>!,]*$")
_NOT_PYTHONS: Final = frozenset({"python", "pip", "conda", "mamba", "nodejs", "gcc", "make", "cmake", "compilers"})


def file_in(repository: Path) -> Path | None:
    """Return the file, where a repository has one."""
    return next((repository / name for name in FILES if (repository / name).is_file()), None)


def requirements(repository: Path) -> tuple[str, ...]:
    """Return the packages as requirements: conda's own under the same name, which is right for most of them."""
    file = file_in(repository)
    if file is None:
        return ()
    import yaml  # noqa: PLC0415 - few have such a file

    try:
        # Everything is a text: nobody asks what a date in it means, and there may be no such day.
        document = yaml.load(text_of(file), yaml.BaseLoader)  # noqa: S506 # nosec B506 - it makes no objects
    except (yaml.YAMLError, RecursionError):
        return ()
    listed = document.get("dependencies") if isinstance(document, dict) else None
    entries = listed if isinstance(listed, list) else []
    own = [_requirement(each) for each in entries if isinstance(each, str)]
    of_pip = [entry.get("pip") for entry in entries if isinstance(entry, dict)]
    named = [each for listed in of_pip if isinstance(listed, list) for each in listed if isinstance(each, str)]
    return tuple(filter(None, [*own, *named]))


def _requirement(spec: str) -> str:
    """Return `numpy=1.26=build` as `numpy==1.26.*`; empty: no package of Python's."""
    found = _SPEC.fullmatch(spec.strip())
    if found is None or found[1].lower() in _NOT_PYTHONS or found[1].startswith("lib"):
        return ""
    name, version = found[1], _BUILD.sub("", found[2].replace(" ", ""))
    if "|" in version:
        return name
    if version.startswith("=") and not version.startswith("=="):
        return f"{name}=={version[1:].removesuffix('.*')}.*"
    return f"{name}{version if version[:1] in '<>!=~' else ''}"
