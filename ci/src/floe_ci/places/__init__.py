"""Where tests run: in Kind inside Dagger, in a cluster that is there, or with services on this machine.

Every place takes the same request and leaves the same results. Each is a module of this package that is
imported when it is chosen, so that nobody waits for what another one needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    from floe_ci.listeners import Progress
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.verdict import Outcome


@dataclass(frozen=True)
class Finding:
    """One thing that a place needs, and whether it is here."""

    what: str
    state: Literal["here", "missing", "broken"]
    """`broken`: it is named or installed, and does not answer."""
    detail: str = ""
    """What was found, in one line."""
    remedy: str = ""
    """How to get it, or to mend it."""
    needed: bool = True
    """Whether the place can't be used without it."""


class Place(Protocol):
    """Somewhere that tests can run."""

    name: PlaceName

    def check(self) -> list[Finding]:
        """Return what is here of what the place needs; starts nothing, and waits a few seconds at most."""

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier and leave its results in `request.results`, whatever the verdict.

        Raises:
            UserError: What was asked for can't be run at all.
        """

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Bring the tier's services up and leave them; return what the reader can do with them."""

    def down(self, request: RunRequest, progress: Progress) -> str:
        """Remove what `up` left, and return what that was; nothing there is no error."""


def place(name: PlaceName) -> Place:
    """Return the place called `name`."""
    module = import_module(f"floe_ci.places.{name}")
    return cast("Place", getattr(module, f"{name.capitalize()}Place")())
