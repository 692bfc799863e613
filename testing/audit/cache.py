"""Reports of modules that have not changed since the last audit."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from pydantic import TypeAdapter, ValidationError

from testing.audit.model import ModuleReport

ENV_CACHE: Final = "XDG_CACHE_HOME"


@dataclass(frozen=True)
class _Content:
    version: str = ""
    """Of the rules and the configuration that the reports are by."""
    reports: Mapping[str, tuple[str, ModuleReport]] = field(default_factory=dict)
    """By path, with the hash of what was read."""


_ADAPTER: Final = TypeAdapter(_Content)


class Cache:
    """The reports of one repository, in the user's cache folder; where that can't be written there is no cache."""

    def __init__(self, folder: Path, root: Path, version: str) -> None:
        """Use a folder, for a repository and a version of rules and configuration."""
        self._file = folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"
        self._version = version

    @cached_property
    def _content(self) -> Mapping[str, tuple[str, ModuleReport]]:
        try:
            content = _ADAPTER.validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return {}
        return content.reports if content.version == self._version else {}

    def get(self, path: str, digest: str) -> ModuleReport | None:
        """Return what was found in a file, None if it was another one then."""
        known, report = self._content.get(path, ("", None))
        return report if known == digest else None

    def put(self, reports: Iterable[tuple[str, ModuleReport]]) -> None:
        """Keep these reports, each with the hash of what was read, and those of files that were not read now."""
        fresh = {report.path: (digest, report) for digest, report in reports}
        if fresh.items() <= self._content.items():
            return
        content = _ADAPTER.dump_json(_Content(self._version, {**self._content, **fresh}))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._file.parent, delete=False) as file:
                file.write(content)
            os.replace(file.name, self._file)  # noqa: PTH105 - the name is text
        except OSError:
            return


def default_folder() -> Path:
    """Return the user's cache folder of audits."""
    return Path(os.environ.get(ENV_CACHE) or Path.home() / ".cache") / "floe-testing" / "audit"


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
