"""A repository's files as they are on this machine: what the engine would take of them, and what tests are made of."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from floe_ci.excluded import inside, patterns_for
from floe_ci.product import product

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from floe_ci.config import Config
    from floe_ci.plan import Plan

PYTEST_FILES: Final = ("pyproject.toml", "pytest.ini", "pytest.toml", "tox.ini", "setup.cfg")
"""Where pytest looks for its configuration."""
LISTING: Final = 30.0
"""Seconds in which Git must list the files."""
MOST: Final = 6_000_000
"""Bytes of tests, packed, that are sent as they are; more of them are an image's."""
_ONLY_GITIGNORE: Final = "--exclude-per-directory=.gitignore"
"""The engine knows of no other list than these files."""


@dataclass(frozen=True)
class Snapshot:
    """A repository's tests at one moment, and the key of all else that a run in a cluster is made of."""

    key: str
    """Empty: it can't be told from here whether anything has changed."""
    packed: bytes
    """The tests, as a compressed tar archive; empty: they are to be those of an image."""

    @classmethod
    def of(cls, plan: Plan) -> Snapshot:
        """Read it."""
        source = plan.request.source
        names = files(source, plan.request.bundle)
        if names is None:
            return cls("", b"")
        packed = archive(source, runner_files(names, plan.config))
        if len(packed) > MOST:
            return cls("", b"")
        return cls(key(plan, names), packed)


def current_key(plan: Plan) -> str:
    """Return the key of what a repository holds now, by which a snapshot is known; empty where that can't be told."""
    names = files(plan.request.source, plan.request.bundle)
    return "" if names is None else key(plan, names)


def files(source: Path, bundle: Path | None = None) -> tuple[str, ...] | None:
    """Return the paths of a repository's source files, relative to it and sorted; None where Git can't tell them.

    The bundle that a run takes everything from is none of them, wherever it lies.
    """
    kept = _git(source, "--cached", "--others", _ONLY_GITIGNORE)
    ignored = _git(source, "--cached", "--ignored", _ONLY_GITIGNORE)
    if kept is None or ignored is None:
        return None
    patterns = patterns_for(source)
    found = sorted({name for name in kept if not _is_no_source(name, patterns)} - {*ignored, *inside(source, [bundle])})
    if any((source / name).is_dir() and not (source / name).is_symlink() for name in found):
        return None  # a submodule, whose files are listed elsewhere
    return tuple(name for name in found if os.path.lexists(source / name))


def runner_files(names: Iterable[str], config: Config) -> tuple[str, ...]:
    """Return those of a repository's files that the tests find beside them in the runner."""
    beside = {*PYTEST_FILES, *config.test_files(), *config.runner.files}
    return tuple(name for name in names if _is_below(name, beside))


def key(plan: Plan, names: Iterable[str]) -> str:
    """Return a digest of all that a runner and its services are made of, but for the tests.

    Args:
        plan: What is to be run.
        names: The repository's files.
    """
    source, tests = plan.request.source, set(plan.config.test_files())
    # Manifests may refer to any file beside them, and stand among the tests; a service has an image besides.
    services = {folder.strip("/") for folder in plan.config.service_folders}
    only_python = bool(plan.tier.manifests or plan.tier.charts or plan.tier.addons or services)
    asked = plan.request
    bundle = asked.bundle.absolute() if asked.bundle else ""
    digest = hashlib.sha256(f"{asked.tier}\0{asked.registry}\0{bundle}\0{product()}".encode())
    for name in names:
        is_test = _is_below(name, tests) and not _is_below(name, services)
        if is_test and (name.endswith(".py") or not only_python):
            continue
        path = source / name
        content = bytes(path.readlink()) if path.is_symlink() else path.read_bytes()
        mode = path.lstat().st_mode & 0o111
        digest.update(f"{name}\0{mode}\0{len(content)}\0".encode(errors="surrogateescape") + content)
    return digest.hexdigest()


def archive(source: Path, names: Iterable[str]) -> bytes:
    """Return files as a compressed tar archive, the same bytes for the same files."""
    packed = io.BytesIO()
    # The fastest level: what is saved by more is less than what it takes.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            tar.add(source / name, arcname=name, recursive=False, filter=_plain)
    return packed.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a file as it is for everybody: nobody's, of no time."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o111 else 0o644
    return member


def _git(source: Path, *options: str) -> list[str] | None:
    """Return the names that Git lists below a folder; None where it can't, or is not there."""
    command = ["git", "-C", str(source), "ls-files", "-z", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, timeout=LISTING, check=False, env=environment)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else None


def _is_no_source(name: str, patterns: list[str]) -> bool:
    path = PurePosixPath(name)
    anywhere = {pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")}
    above = {str(each) for each in (path, *path.parents)}
    return not above.isdisjoint(patterns) or not anywhere.isdisjoint(path.parts)


def _is_below(name: str, folders: set[str]) -> bool:
    """Tell whether a path is one of those, or below one."""
    path = PurePosixPath(name)
    return any(str(each) in folders for each in (path, *path.parents)) or "." in folders
