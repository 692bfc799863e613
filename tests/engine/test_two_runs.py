"""Two runs at the same time, each with a service of its own on the shared cache volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger as sdk
import pytest
from dagger import dag
from floe_ci import toolbox
from floe_ci.cluster import Cluster, Nodes
from floe_ci.images import Images
from floe_ci.registry import Registry
from floe_ci.tasks import together

if TYPE_CHECKING:
    from conftest import Dagger

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.requirement("REQ-645", "REQ-645.5")
@pytest.mark.anyio
async def test_two_runs_do_not_meet(dagger: Dagger) -> None:
    """Two services run side by side: each has its own Docker, with nothing of the other in it."""
    async with sdk.connection():
        repository = dag.host().directory(str(dagger.root), include=["ci", "k8s"])
        images = Images.parse(await repository.file("k8s/images/kustomization.yaml").contents(), "k8s/images")
        mirror = dagger.registry[1] if dagger.registry else ""
        tools = toolbox.build(Registry(images, mirror), repository.directory("ci"))
        nodes = Nodes("kindest/node:any", repository.file("k8s/kind/integration.yaml"))
        first, second = (Cluster.of(tools, name, nodes) for name in ("two-runs-a", "two-runs-b"))
        try:
            await together(first.start(), second.start())
            roots = await together(*(docker(run, "info", "--format", "{{.DockerRootDir}}") for run in (first, second)))
            assert len(set(roots)) == 2
            await docker(first, "network", "create", "of-the-first")
            networks = await docker(second, "network", "ls", "--format", "{{.Name}}")
            assert "of-the-first" not in networks.split()
        finally:
            await docker(first, "network", "rm", "--force", "of-the-first")
            await together(first.kill(), second.kill())


async def docker(run: Cluster, *command: str) -> str:
    """Return what a command says to the Docker of a run."""
    return (await run.client.with_exec(["docker", *command]).stdout()).strip()


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as the SDK does."""
    return "asyncio"
