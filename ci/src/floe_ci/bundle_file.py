"""A bundle: all that a tier's runs in the engine take from elsewhere, in one file.

It is an archive of an OCI layout, with a list of what is in it, and Helm's charts, beside the images. What tests have
of Python's packages is in uv's cache, in the image that they are installed in.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotation
from importlib.metadata import version
from pathlib import Path  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from floe_ci.errors import UserError
from floe_ci.tiers import TierName  # noqa: TC001 - as above

if TYPE_CHECKING:
    from floe_ci.config import Chart

FILE: Final = "bundle.json"
"""What is in a bundle; it stands first in it."""
MOST: Final = 1 << 24
"""Bytes that this may have: more of them are something else."""
INDEX: Final = "index.json"
"""The OCI layout's own list of its images."""
CHARTS: Final = "charts"
TOOLBOX: Final = "floe.local/toolbox:dev"
"""What runs have in place of what `toolbox` would build."""
RUNNER_BASE: Final = "floe.local/runner-base:dev"
"""What the runner's image begins with."""
RUNNER_BUILDER: Final = "floe.local/runner-builder:dev"
"""What the tests' packages are installed in, with what uv kept of them."""
MAKE: Final = "make another with `floe-ci bundle` and the options of the run"


class Contents(BaseModel):
    """What is in a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    floe_ci: str
    """The version of this program that made it."""
    toolbox: str
    """A digest of what its toolbox was made of."""
    tier: TierName
    platform: str
    """That of its images, such as `linux/amd64`."""
    images: Mapping[str, str]
    """The digest of each image in it, by the name that manifests give it, in full."""
    built: Mapping[str, str] = {}
    """A digest of the folder that an image was built from, by the image's name."""
    packages: tuple[str, ...] = ()
    """Debian packages of the tests' image."""
    build_packages: tuple[str, ...] = ()
    """Debian packages that the tests' packages are installed with."""
    charts: Mapping[str, str] = {}
    """The file of each chart of a registry, by its address and version."""
    helm: bool = False
    """Whether its toolbox has Helm."""

    @classmethod
    def read(cls, bundle: Path) -> Self:
        """Return what is in a bundle.

        Raises:
            UserError: There is no such file, or it is no bundle that this version knows.
        """
        try:
            with tarfile.open(bundle, mode="r:") as archive:
                first = archive.next()
                is_list = first and first.isreg() and first.name == FILE and first.size < MOST
                found = archive.extractfile(first) if first and is_list else None
                text = found.read() if found else b""
        except (OSError, tarfile.TarError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no archive"
            msg = f"bundle {bundle}: it can't be read: {reason}"
            raise UserError(msg) from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            msg = f"bundle {bundle}: it was made by another version of floe-ci, or is no bundle; {MAKE}"
            raise UserError(msg) from error


def this_version() -> str:
    """Return this program's version."""
    return version("floe-ci")


def digest_of_folder(folder: Path) -> str:
    """Return a digest of the files in a folder: their names, and what is in them."""
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def chart_key(chart: Chart) -> str:
    """Return what a chart of a registry is called in a bundle: its address and version."""
    return f"{chart.path}:{chart.version}"
