"""What was read of files that have not changed since, in the user's cache folder."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

ENV_CACHE: Final = "XDG_CACHE_HOME"


@dataclass(frozen=True)
class Form(Generic[T]):
    """How to write what was read of a file as text, and to make it of the text again."""

    dump: Callable[[T], str]
    load: Callable[[str], T]
    is_current: Callable[[T], bool] = lambda _: True
    """Tells whether what else was read for it is as it was."""


@dataclass(frozen=True)
class _Content:
    version: str = ""
    """Of all that a result depends on, but the file."""
    results: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By the file's name: the hash of what was read, and what came of it."""


@cache
def _adapter() -> TypeAdapter[_Content]:
    return TypeAdapter(_Content)


class Cache(Generic[T]):
    """The results of one repository; where the folder can't be written there is no cache."""

    def __init__(self, form: Form[T], folder: Path, root: Path, version: str) -> None:
        """Use a folder, for a repository and a version of what reads its files."""
        self._form = form
        self._file = folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"
        self._version = version

    def complete(self, files: Sequence[tuple[str, str]], read: Callable[[list[int]], list[T]]) -> list[T]:
        """Return the result of each file, and keep those that are new.

        Args:
            files: The name of each, and the hash of what is in it now.
            read: Returns the results of the files whose places among `files` it is given.
        """
        found = [self._current(*file) for file in files]
        changed = [place for place, result in enumerate(found) if result is None]
        if changed:
            fresh = read(changed)
            for place, result in zip(changed, fresh, strict=True):
                found[place] = result
            written = map(self._form.dump, fresh)
            self._put({files[place][0]: (files[place][1], text) for place, text in zip(changed, written, strict=True)})
        return [result for result in found if result is not None]

    def _current(self, name: str, now: str) -> T | None:
        then, text = self._content.get(name, ("", ""))
        result = self._form.load(text) if now == then else None
        return result if result is not None and self._form.is_current(result) else None

    @cached_property
    def _content(self) -> Mapping[str, tuple[str, str]]:
        try:
            content = _adapter().validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return {}
        return content.results if content.version == self._version else {}

    def _put(self, fresh: Mapping[str, tuple[str, str]]) -> None:
        content = _adapter().dump_json(_Content(self._version, {**self._content, **fresh}))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._file.parent, delete=False) as file:
                file.write(content)
            os.replace(file.name, self._file)  # noqa: PTH105 - the name is text
        except OSError:
            return


def default_folder(what: str) -> Path:
    """Return the user's cache folder of one kind of results."""
    given = Path(os.environ.get(ENV_CACHE, ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "floe-testing" / what


def digest(file: Path, more: bytes = b"") -> str:
    """Return the hash of what is in a file, nothing if it can't be read, and of what else its result depends on."""
    try:
        content = file.read_bytes()
    except OSError:
        content = b""
    return hashlib.blake2b(more + content, digest_size=16).hexdigest()


def freshness() -> Callable[[Mapping[str, str]], bool]:
    """Return what tells whether files are as they were, by the hash of each; it reads each file once."""
    now = lru_cache(maxsize=None)(lambda path: digest(Path(path)))
    return lambda files: all(now(path) == then for path, then in files.items())
