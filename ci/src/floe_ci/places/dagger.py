"""Dagger's engine: Kind in it, or for the unit tier a container."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from floe_ci import engine_probe
from floe_ci.errors import RunError, UserError
from floe_ci.places import Finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from floe_ci.engine_probe import Probe
    from floe_ci.held_cluster import Held
    from floe_ci.listeners import Progress
    from floe_ci.origin import Origin
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.run import Run, Stay
    from floe_ci.verdict import Outcome


class DaggerPlace:
    """Runs tests in Dagger's engine."""

    name: PlaceName = "dagger"

    def __init__(self, origin: Callable[[RunRequest], AbstractAsyncContextManager[Origin]] | None = None) -> None:
        """Take where runs come from; None: from this machine, in a session that is opened for each."""
        self._origin = origin

    def check(self) -> list[Finding]:
        """Return whether an engine is here, or a container runtime to start one on."""
        if engine := engine_probe.engine():
            return [_finding("Dagger engine", engine, engine_probe.REMEDY)]
        remedy = "install Docker (docs.docker.com/get-docker) or Podman, and start it"
        return [_finding("container runtime", engine_probe.runtime(), remedy)]

    def stay(self, run: Run) -> Stay:
        """Return a run's stay: in Kind, or for the unit tier in a container.

        Raises:
            UserError: A cluster is up for the repository, and another version of this program holds it.
        """
        if self._origin is None and _can_stay(run.request):
            from floe_ci import held_cluster  # noqa: PLC0415 - as below

            if held := held_cluster.usable(run.request.source):
                run.note(f"cluster {held.name} is up for tier {held.tier}; tier {run.request.tier} takes a new one")
            elif run.request.keep:
                from floe_ci.places.held import HeldStay  # noqa: PLC0415 - as below

                return HeldStay(run)
        # The SDK takes a second to import, and who asks what there is should not wait for it.
        from floe_ci.origin import of_this_machine  # noqa: PLC0415
        from floe_ci.places.container import ContainerStay  # noqa: PLC0415
        from floe_ci.places.kind import SERVICES_NAMESPACE, KindStay  # noqa: PLC0415

        origin = (self._origin or of_this_machine)(run.request)
        if run.request.tier == "unit":
            return ContainerStay(run, origin)
        if name := run.request.cluster:
            return KindStay(run, origin, name=name, namespace=SERVICES_NAMESPACE, is_there=True)
        return KindStay(run, origin)

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier, and leave its results: in the repository's cluster that is up, if there is one."""
        if held := _in_use(request):
            from floe_ci import held_cluster  # noqa: PLC0415 - as above

            return held_cluster.run(held, request, progress)
        import anyio  # noqa: PLC0415 - as above

        from floe_ci.run import run  # noqa: PLC0415 - as above

        return anyio.run(run, request, self, progress)

    def build_runner(self, request: RunRequest, archive: Path | None = None, materials: Path | None = None) -> str:
        """Build the test-runner image: into an archive, or pushed to where the request says.

        Args:
            request: Says whose tests it is for.
            archive: The archive; None: it is pushed.
            materials: Where its bill of materials goes; None: nowhere.

        Returns:
            Where it is: the archive's path, or the reference by digest that a registry gave.

        Raises:
            UserError: It can't be built, or there is no engine.
        """
        import anyio  # noqa: PLC0415 - as above

        from floe_ci import publish  # noqa: PLC0415 - as above

        return anyio.run(publish.build_runner, request, archive, materials)

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Start a cluster with the tier's services, held open on this machine by a process that stays.

        Raises:
            UserError: It didn't come up; the message has what the process said.
        """
        from floe_ci import held_cluster  # noqa: PLC0415 - only `up` and `down` need it
        from floe_ci.config import read_repository  # noqa: PLC0415 - as above

        read_repository(request.source)  # what is wrong with it is told before anything is started
        held, is_new = held_cluster.up(request, progress)
        state = "is up" if is_new else "is up already"
        return (
            f"cluster {held.name} {state}: `floe-ci test` runs in it, `floe-ci shell` enters it, "
            f"`floe-ci down` ends it; for other tools: export KUBECONFIG={held.kubeconfig}"
        )

    def down(self, request: RunRequest, progress: Progress) -> str:
        """End the process that holds the cluster, and delete the cluster.

        Raises:
            UserError: The process doesn't end, or the cluster can't be deleted.
        """
        from floe_ci import held_cluster  # noqa: PLC0415 - only `up` and `down` need it

        name = held_cluster.down(request.source, progress)
        return f"cluster {name} is deleted" if name else f"no cluster is up for {request.source.resolve()}"


def _can_stay(request: RunRequest) -> bool:
    """Tell whether a run may be in a cluster that stays."""
    return request.tier != "unit" and not request.fresh


def _in_use(request: RunRequest) -> Held | None:
    """Return the cluster that a run finds; where that can't be told, the run's own story says why."""
    if not _can_stay(request):
        return None
    from floe_ci import held_cluster  # noqa: PLC0415 - only where there may be one

    with suppress(UserError, RunError):
        held = held_cluster.usable(request.source)
        return held if held and held.tier == request.tier else None
    return None


def _finding(what: str, probe: Probe, remedy: str) -> Finding:
    if probe.usable:
        return Finding(what, "here", f"{probe.what} {probe.detail}")
    if what == probe.what:  # no runtime at all
        return Finding(what, "missing", probe.detail, remedy)
    return Finding(what, "broken", f"{probe.what}: {probe.detail}", remedy)
