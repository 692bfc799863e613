"""An initial database that runs of this user copy: to make one takes longer than all else of a server's start."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError
from floe_ci.local.files import cache
from floe_ci.local.processes import run

if TYPE_CHECKING:
    from floe_ci.local.processes import Account

LONGEST: Final = 7 * 24 * 3600.0
"""Seconds after which one that nobody has copied goes."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_TOOLS: Final = {"PATH": os.defpath, "LC_ALL": "C"}


@dataclass(frozen=True)
class Initial:
    """An initial database, which may be kept already."""

    place: Path
    """Where it is kept: whole, or not there."""

    @classmethod
    def of(cls, installation: Path, *settings: str) -> Initial:
        """Return the one that an installation makes with some settings.

        One is kept until the machine starts anew: it is not forced to the disk, and what a crash has left of it can't
        be trusted.

        Raises:
            UserError: The cache can't be used.
        """
        made_by = [(installation / "bin" / name).stat() for name in ("initdb", "postgres")]
        files = [(each.st_size, each.st_mtime_ns) for each in made_by]
        digest = hashlib.sha256(repr((str(installation), files, settings, _boot())).encode(errors="surrogateescape"))
        return cls(cache("postgres") / digest.hexdigest()[:16])

    async def copy_to(self, data: Path, account: Account | None) -> bool:
        """Copy it to a folder that is not there yet, and give it to an account; return False where none is kept.

        Nobody else may write to the folder above: what is in it is given away by name.
        """
        try:
            os.utime(self.place)
            await _copy(self.place, data)
            # A server refuses any other mode, and a cache may have been put back by a tool.
            os.chmod(data, 0o700)  # noqa: PTH101 - as quick as the calls around it
        except (OSError, RunError):  # there is none, or it was removed meanwhile
            shutil.rmtree(data, ignore_errors=True)
            return False
        if account:
            for folder, _, files in os.walk(data):
                for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118 - a thousand files
                    os.chown(path, account.user, account.group, follow_symlinks=False)
        return True

    async def keep(self, data: Path) -> None:
        """Keep a copy of a folder, in which no server runs. Where that can't be, the next run makes its own too."""
        root = self.place.parent
        _remove_unused(root)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
        try:
            with suppress(OSError, RunError):
                await _copy(data, draft / "data")
                if not _boot():
                    os.sync()
                # One that another run has kept meanwhile stays: a folder that is not empty is not replaced.
                (draft / "data").rename(self.place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


async def _copy(source: Path, target: Path) -> None:
    # Modes stay, owners don't; where the file system can, both share their blocks.
    await run(("cp", "-RP", str(source), str(target)), _TOOLS, source.parent)


def _boot() -> str:
    """Return what names the time since the machine's start; nothing where the system doesn't tell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _remove_unused(root: Path) -> None:
    for path in root.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > LONGEST:
                gone = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
                path.rename(gone / path.name)  # at once: nobody copies half of it
                shutil.rmtree(gone, ignore_errors=True)
