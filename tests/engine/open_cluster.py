"""A Kind cluster for as long as standard input is open, which has nothing to do with the runs in it.

`python open_cluster.py KUBECONFIG API_PORT REGISTRY_PORT SMALL [--registry HOST] [--node-image IMAGE]`

Its API, and the registry that its nodes pull from, are open on this machine under the ports that are given. That
registry has the images that this repository's integration tier needs, and the runner image of the repository SMALL.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import anyio
from floe_ci import pipeline
from floe_ci.cluster import API_PORT, REGISTRY_PORT, Cluster
from floe_ci.places import RunRequest
from floe_ci.session import request_of, session
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
    parser.add_argument("--registry", default="")
    parser.add_argument("--node-image", default="")
    return parser.parse_args()


async def hold(asked: argparse.Namespace) -> None:
    """Start the cluster, open it, and hold it until standard input ends."""
    async with session():
        plan, small = [
            await pipeline.read_plan(
                request_of(RunRequest(source=source, registry=asked.registry, node_image=asked.node_image))
            )
            for source in (ROOT, asked.small)
        ]
        cluster = Cluster.of(await plan.tools.sync(), plan.request.run_id)
        try:
            created, *_ = await together(
                pipeline.start_cluster(plan, cluster, Timings()),
                pipeline.prepare_images(plan, cluster, Timings()),
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


async def load_runner(plan: pipeline.Plan, cluster: Cluster, name: str) -> None:
    """Build a repository's runner image, and load it under a name of its own."""
    await pipeline.load_images(cluster, {name: await pipeline.build_runner(plan, Timings())}, Timings())


if __name__ == "__main__":
    anyio.run(hold, arguments())
