"""Where tests run: in Kind inside Dagger, in a cluster that is there, or with services on this machine.

Every place takes the same request and leaves the same results. Each is a module of this package that is
imported when it is chosen, so that nobody waits for what another one needs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping  # noqa: TC003 - as below
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast, get_args

from floe_ci.config import TierName  # noqa: TC001 - pydantic reads the annotation
from floe_ci.selection import Selection

if TYPE_CHECKING:
    from floe_ci.results import Outcome
    from floe_ci.steps import Step

PlaceName = Literal["dagger", "cluster", "local"]
PLACES: Final[tuple[PlaceName, ...]] = get_args(PlaceName)


@dataclass(frozen=True)
class RunRequest:
    """What the caller asks of a place, which passes over what it has no use for."""

    tier: TierName = "integration"
    source: Path = field(default_factory=Path.cwd)
    """The repository."""
    results: Path = Path("results")
    """Where the results go; a folder of an earlier run there is replaced, when this one has ended."""
    selection: Selection = Selection()
    timeout: int = 0
    """Seconds for the tests as a whole; 0: as the repository's configuration says."""
    registry: str = ""
    """A registry that has every public image; empty: each image's own."""
    node_image: str = ""
    """The nodes' image; empty: the pinned one."""
    kubernetes_version: str = ""
    keep: bool = False
    """Leave a failed run's cluster, or services, and say how to enter them."""
    kubeconfig: Path | None = None
    context: str = ""
    """The kubeconfig's context; empty: its current one, where that is a Kind cluster."""
    image: str = ""
    """A runner image that the cluster can pull; empty: one is built."""
    push: str = ""
    """Where to push the runner image that is built, for the cluster to pull."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Other images that the cluster can pull, by the names that the manifests give them."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])


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


class Progress(Protocol):
    """Is told what a run does, as it does it."""

    def note(self, line: str) -> None:
        """Take a line that the reader should see, such as where the run is and why."""

    def begin(self, step: str) -> None:
        """Take the name of a step that begins; steps may overlap."""

    def end(self, step: Step) -> None:
        """Take a step that has ended."""


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
