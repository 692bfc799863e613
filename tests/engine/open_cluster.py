"""`python open_cluster.py KUBECONFIG API_PORT REGISTRY_PORT`: a Kind cluster for as long as standard input is open.

It has the integration tier's services, in the namespace floe-test, and the images of a run. Its API and the registry
beside its nodes are open on this machine, under the ports that are given.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

import anyio
import dagger
from dagger import dag
from floe_ci import kept, pipeline
from floe_ci.cluster import API_PORT, REGISTRY_PORT
from floe_ci.places import RunRequest
from floe_ci.session import request_of, session

ROOT = Path(__file__).resolve().parents[2]


def requested() -> RunRequest:
    """Return a request for this repository, with this machine's registry and node image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--registry", default="")
    parser.add_argument("--node-image", default="")
    given = parser.parse_args(shlex.split(os.environ.get("FLOE_CI_OPTIONS", "")))
    return RunRequest(source=ROOT, registry=given.registry, node_image=given.node_image)


async def hold(kubeconfig: Path, api_port: int, registry_port: int) -> None:
    """Bring the cluster up, open it, and hold it until standard input ends."""
    async with session():
        request = request_of(requested())
        running = await kept.bring_up(request, None, services=True)
        try:
            await running.load(await pipeline.runner_image(request), pipeline.RUNNER_IMAGE)
            ports = [dagger.PortForward(frontend=api_port, backend=API_PORT)]
            ports.append(dagger.PortForward(frontend=registry_port, backend=REGISTRY_PORT))
            await dag.host().tunnel(running.service, ports=ports).start()
            text = await (await running.host_kubeconfig()).contents()
            # Last, and whole: it is what the tests wait for.
            draft = kubeconfig.with_suffix(".new")
            draft.write_text(text.replace(f"localhost:{API_PORT}", f"localhost:{api_port}"), encoding="utf-8")
            draft.replace(kubeconfig)
            await anyio.to_thread.run_sync(sys.stdin.read)
        finally:
            await running.kill()


if __name__ == "__main__":
    anyio.run(hold, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
