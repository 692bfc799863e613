"""Kind inside Dagger: the module's own pipeline, run in this process."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio

from floe_ci import engine_probe
from floe_ci.places import Finding, export

if TYPE_CHECKING:
    from floe_ci.engine_probe import Probe
    from floe_ci.places import PlaceName, Progress, RunRequest
    from floe_ci.results import Outcome


class DaggerPlace:
    """Runs tests in a Kind cluster inside Dagger."""

    name: PlaceName = "dagger"

    def check(self) -> list[Finding]:
        """Return whether an engine is here, or a container runtime to start one on."""
        if engine := engine_probe.engine():
            remedy = f"start that engine, or unset {engine_probe.ENGINE_VARIABLE} to have one started here"
            return [_finding("Dagger engine", engine, remedy)]
        remedy = "install Docker (docs.docker.com/get-docker) or Podman, and start it"
        return [_finding("container runtime", engine_probe.runtime(), remedy)]

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier in a cluster of its own, and export its results.

        Raises:
            UserError: What was asked for can't be run at all, or there is no engine.
        """
        export.check(request.results)
        with TemporaryDirectory(prefix="floe-ci-") as temporary:
            outcome = anyio.run(_run, request, Path(temporary) / "results", progress)
            return export.replace(outcome, request.results)

    def build_runner(self, request: RunRequest, archive: Path | None = None) -> str:
        """Build the test-runner image: into an archive, or pushed to where the request says.

        Returns:
            Where it is: the archive's path, or the reference by digest that a registry gave.

        Raises:
            UserError: It can't be built, or there is no engine.
        """
        from floe_ci import publish  # noqa: PLC0415 - as below

        return anyio.run(publish.build_runner, request, archive)

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Start a cluster with the tier's services, held open on this machine by a process that stays.

        Raises:
            UserError: It didn't come up; the message has what the process said.
        """
        from floe_ci import held_cluster  # noqa: PLC0415 - only `up` and `down` need it

        return held_cluster.up(request, progress)

    def down(self, request: RunRequest, progress: Progress) -> str:
        """End the process that holds the cluster, and delete the cluster.

        Raises:
            UserError: The process doesn't end, or the cluster can't be deleted.
        """
        from floe_ci import held_cluster  # noqa: PLC0415 - only `up` and `down` need it

        return held_cluster.down(request, progress)


def _finding(what: str, probe: Probe, remedy: str) -> Finding:
    if probe.usable:
        return Finding(what, "here", f"{probe.what} {probe.detail}")
    if what == probe.what:  # no runtime at all
        return Finding(what, "missing", probe.detail, remedy)
    return Finding(what, "broken", f"{probe.what}: {probe.detail}", remedy)


async def _run(request: RunRequest, folder: Path, progress: Progress) -> Outcome:
    # The SDK takes a second to import, and who asks what there is should not wait for it.
    from floe_ci import pipeline  # noqa: PLC0415
    from floe_ci.session import request_of, session  # noqa: PLC0415

    async with session():
        return await pipeline.run(request_of(request), folder, progress)
