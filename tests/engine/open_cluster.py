"""A Kind cluster for as long as standard input is open, which has nothing to do with the runs in it.

`python open_cluster.py KUBECONFIG API_PORT REGISTRY_PORT SMALL [--own-tier] [--registry HOST] [--node-image IMAGE]`

Its API, and the registry that its nodes pull from, are open on this machine under the ports that are given. That
registry has the runner image of the repository SMALL and, if asked for, what this repository's integration tier needs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import anyio
from dagger import Container, dag
from floe_ci.build import RUNNER_IMAGE, Build
from floe_ci.cluster import API_PORT, REGISTRY_PORT, Cluster, loaded
from floe_ci.origin import of_this_machine
from floe_ci.places.kind import create
from floe_ci.request import RunRequest
from floe_ci.steps import Timings
from floe_ci.tasks import together

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("api_port", type=int)
    parser.add_argument("registry_port", type=int)
    parser.add_argument("small", type=Path)
    parser.add_argument("--own-tier", action="store_true")
    parser.add_argument("--registry", default="")
    parser.add_argument("--node-image", default="")
    return parser.parse_args()


async def hold(asked: argparse.Namespace) -> None:
    """Start the cluster, open it, and hold it until standard input ends."""

    def request(source: Path) -> RunRequest:
        return RunRequest(source=source, registry=asked.registry, node_image=asked.node_image)

    async with of_this_machine(request(ROOT)) as origin:
        build = await Build.read(origin, request(ROOT), Timings())
        source = dag.host().directory(str(asked.small.resolve()), gitignore=True)
        small = await Build.read(replace(origin, source=source), request(asked.small), Timings())
        cluster = Cluster.of(await build.tools.sync(), build.plan.request.run_id, build.nodes)
        try:
            created, *_ = await together(
                create(build, cluster, Timings()),
                *([load_all(build, cluster)] if asked.own_tier else []),
                load_runner(small, cluster, "floe.local/small:dev"),
            )
            async with created.opened({API_PORT: asked.api_port, REGISTRY_PORT: asked.registry_port}):
                text = await (await created.host_kubeconfig()).contents()
                # Last, and whole: it is what the tests wait for.
                draft = asked.kubeconfig.with_suffix(".new")
                draft.write_text(text.replace(f"localhost:{API_PORT}", f"localhost:{asked.api_port}"), encoding="utf-8")
                draft.replace(asked.kubeconfig)
                await anyio.to_thread.run_sync(sys.stdin.read)
        finally:
            await cluster.kill()


async def load_all(build: Build, cluster: Cluster) -> None:
    """Load the images of the tier's services, and the runner's."""
    plan = await build.manifests(cluster.tools)
    images = await build.services(plan) | {RUNNER_IMAGE: await build.runner()}
    await together(*(load(cluster, image, name) for name, image in images.items()))


async def load_runner(build: Build, cluster: Cluster, name: str) -> None:
    """Build a repository's runner image, and load it under a name of its own."""
    await load(cluster, await build.runner(), name)


async def load(cluster: Cluster, image: Container, name: str) -> None:
    """Load an image under its own name and tag, by which the tests know it."""
    await cluster.load({name: await loaded(cluster.tools, image, name).sync()})


if __name__ == "__main__":
    anyio.run(hold, arguments())
