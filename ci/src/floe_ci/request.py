"""What is asked of a run."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping  # noqa: TC003 - pydantic reads the annotation
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Self, get_args

from floe_ci.errors import UserError
from floe_ci.selection import Selection
from floe_ci.shards import Schedule  # noqa: TC001 - pydantic reads the annotation
from floe_ci.tiers import TierName  # noqa: TC001 - pydantic reads the annotation

PlaceName = Literal["dagger", "cluster", "local"]
PLACES: Final[tuple[PlaceName, ...]] = get_args(PlaceName)
WHERE_AN_ENGINE_IS: Final = "where an engine or a container runtime is"
"""What any advice to use Dagger says: without one it is of no use."""
SECRET: Final = re.compile(r"[a-z][a-z0-9+]*://.")
"""How Dagger's addresses of secrets begin."""
_HALVES: Final = re.compile(r"[\ud800-\udfff]")
"""What Python makes of bytes that are not UTF-8: halves of characters, which are no text."""
TOGETHER: Final = "--registry-user and --registry-password belong together: give both"


def new_id() -> str:
    """Return an id that no other run has."""
    return uuid.uuid4().hex[:8]


@dataclass(frozen=True)
class Taken:
    """Where something that is asked for means something."""

    option: str
    """As it is written; empty: it is the value itself."""
    places: tuple[PlaceName, ...]
    instead: str = "leave it out"
    """What to do in another place."""
    may_be_left: bool = True
    """Whether a run without it is about what was asked for."""

    @property
    def where(self) -> str:
        """The places, as they are asked for."""
        return f"--on {' or '.join(self.places)}"


_TERMINAL: Final = "elsewhere tests have no terminal; run them there, or look around with `floe-ci shell`"
_CACHE: Final = "elsewhere pytest's cache of the last run is not kept; name the tests: floe-ci test PATH::TEST"
_BUNDLE: Final = "`floe-ci bundle push` puts its images into a registry, for --on cluster with --registry"
TAKEN: Final[Mapping[str, Taken]] = {
    "registry": Taken("--registry", ("dagger", "cluster")),
    "registry_user": Taken("--registry-user", ("dagger", "cluster")),
    "registry_password": Taken("--registry-password", ("dagger", "cluster")),
    "bundle": Taken("--bundle", ("dagger",), _BUNDLE),
    "node_image": Taken("--node-image", ("dagger",)),
    "kubernetes_version": Taken("--kubernetes-version", ("dagger",)),
    "idle": Taken("--idle", ("dagger",)),
    "kubeconfig": Taken("--kubeconfig", ("cluster",)),
    "context": Taken("--context", ("cluster",)),
    "image": Taken("--image", ("cluster",)),
    "push": Taken("--push", ("cluster",)),
    "images": Taken("--images", ("cluster",)),
    "addons": Taken("--addon", ("cluster",)),
    "interactive": Taken("", ("local",), _TERMINAL, may_be_left=False),
    "remembers": Taken("", ("local",), _CACHE, may_be_left=False),
}
"""What a request may have that means something in some places only, by its name there; all else is for every place."""


@dataclass(frozen=True)
class RunRequest:
    """What the caller asks of a place."""

    tier: TierName = "integration"
    source: Path = field(default_factory=Path.cwd)
    """The repository."""
    results: Path = Path("results")
    """Where the results go; those of an earlier run there are removed when this one starts."""
    selection: Selection = Selection()
    timeout: int = 0
    """Seconds for the tests as a whole; 0: as the repository's configuration says."""
    shards: int | Literal["auto"] = 0
    """Into how many parts the tests are split; 0: as the repository's configuration says."""
    schedule: Schedule | None = None
    """Whether each part has its tests from the start, or is handed them as it becomes free; None: as configured."""
    registry: str = ""
    """A registry that has every public image; empty: each image's own."""
    registry_user: str = ""
    """Who asks that registry; empty: as Docker's own configuration says."""
    registry_password: str = ""
    """Where the password of that user is: the address of a secret of Dagger's, such as `env://NAME`."""
    bundle: Path | None = None
    """A file that has all that a run takes from elsewhere; None: it is taken from there."""
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
    addons: Mapping[str, str] = field(default_factory=dict)
    """What becomes of the tier's add-ons in a cluster of somebody else's, by their names: `install`, or `there`."""
    cluster: str = ""
    """A named cluster that a session left, to run in; empty: the run has its own."""
    fresh: bool = False
    """Run in a cluster of the run's own, whatever is up."""
    idle: float = 4 * 3600.0
    """Seconds without a run after which a cluster that stays ends."""
    from_there: str = ""
    """What a command needs to find the repository from where this was asked: ` --source FOLDER`, or nothing."""
    run_id: str = field(default_factory=new_id)
    earlier: tuple[str, ...] = ()
    """What became of attempts before this one, a line each."""

    def again(self, line: str) -> Self:
        """Return the same for another attempt, as a run of its own, which tells a line of the one before."""
        return replace(self, run_id=new_id(), earlier=(*self.earlier, line))

    def absolute(self) -> Self:
        """Return the same for a process that is elsewhere.

        Raises:
            UserError: Something of it can't be told to that: it is no text.
        """
        bundle = self.bundle and self.bundle.absolute()
        asked = replace(self, source=self.source.resolve(), results=self.results.absolute(), bundle=bundle)
        for text in (str(asked.source), str(asked.results), *self.selection.texts):
            require_utf8(text)
        return asked

    def taking_from_where(self, other: RunRequest) -> Self:
        """Return the same with images from where another request has them, unless this one says where from itself.

        The user goes with its password: with another registry, or another user, neither is the other's.
        """
        if self.bundle or self.registry_user or (self.registry and self.registry != other.registry):
            return self
        return replace(
            self,
            registry=other.registry,
            registry_user=other.registry_user,
            registry_password=other.registry_password,
            bundle=other.bundle,
        )

    @property
    def interactive(self) -> str:
        """The option that makes pytest talk with who runs it; empty: none does."""
        return self.selection.interactive

    @property
    def remembers(self) -> str:
        """The option that goes by what an earlier run on this machine came to; empty: none does."""
        return self.selection.remembers

    def for_other_places(self, place: PlaceName) -> dict[str, Taken]:
        """Return what is asked for and means nothing in a place, by its name here, each as it was written."""
        unasked = RunRequest(source=self.source)
        asked = {name: getattr(self, name) for name, taken in TAKEN.items() if place not in taken.places}
        return {
            name: replace(TAKEN[name], option=TAKEN[name].option or value)
            for name, value in asked.items()
            # A script may hand on what nobody has set, which is empty.
            if value != getattr(unasked, name)
        }

    def without(self, names: Iterable[str]) -> Self:
        """Return the same as if some of it had not been asked for."""
        unasked = RunRequest(source=self.source)
        return replace(self, **{name: getattr(unasked, name) for name in names})

    def require_sound(self, place: PlaceName) -> None:
        """Refuse what does not go together in a place.

        Raises:
            UserError: Something doesn't.
        """
        self._require_credentials(place)
        if self.bundle and self.registry:
            msg = f"--bundle {self.bundle} and --registry {self.registry}: both have every image: give one of them"
            raise UserError(msg)

    def _require_credentials(self, place: PlaceName) -> None:
        """Refuse a registry's user and password where nothing would ask with them, or one without the other."""
        given = {"--registry-user": self.registry_user, "--registry-password": self.registry_password}
        names = " and ".join(name for name, value in given.items() if value)
        if not names:
            return
        require_secret(self.registry_password)
        if place == "cluster" and not self.push:
            msg = f"{names}: with --on cluster only for --push; the cluster pulls, with credentials of its own"
            raise UserError(msg)
        if not self.registry:
            msg = f"{names}: for the registry that --registry names, and there is none"
            raise UserError(msg)
        # Who calls the module gives the user here, and the secret to the engine: `Build.read` looks at both.
        if not self.registry_user or (place == "cluster" and not self.registry_password):
            raise UserError(TOGETHER)


def require_utf8(text: str) -> None:
    """Refuse what can't be told to another process, nor be written into results.

    Raises:
        UserError: It was made of bytes that are no text.
    """
    if _HALVES.search(text):
        msg = f"{text!a} is not UTF-8: rename it, or name another"
        raise UserError(msg)


def require_secret(address: str) -> None:
    """Refuse a password that is given itself, and not by its address; it is not repeated.

    Raises:
        UserError: It is so.
    """
    if address and not SECRET.match(address):
        msg = "--registry-password: must be the address of a secret: env://NAME, file://PATH or cmd://COMMAND"
        raise UserError(msg)
