"""What is up for a repository, in whatever place: how anything that `floe-ci` does not run itself reaches it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from floe_ci.request import PlaceName


@dataclass(frozen=True)
class Standing:
    """Services that are up."""

    place: PlaceName
    services: tuple[str, ...]
    environment: Mapping[str, str]
    """The variables that tests get, passwords and those of the tier's configuration included."""


def find(source: Path) -> Standing:
    """Return what is up for a repository.

    Raises:
        UserError: Nothing is, or what another version of floe-ci has left.
    """
    for look in LOOKS:
        if found := look(source):
            return found
    msg = f"no services are up for {source.resolve()}: `floe-ci up --on local` brings them up"
    raise UserError(msg)


def can_be_kept() -> bool:
    """Tell whether services could be kept on this machine: Windows can't, and elsewhere an extra is needed."""
    return sys.platform != "win32" and find_spec("psutil") is not None


def on_this_machine(source: Path) -> Standing | None:
    """Return the services that are kept on this machine."""
    if not can_be_kept():
        return None
    from floe_ci.local import kept  # noqa: PLC0415 - an extra

    there = kept.find(source)
    return Standing("local", there.services, there.environment) if there else None


LOOKS: Final[tuple[Callable[[Path], Standing | None], ...]] = (on_this_machine,)
"""One for each place that something can be up in, the quickest first."""
