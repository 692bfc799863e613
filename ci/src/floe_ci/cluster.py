"""Kind in a Dagger service: start it, load images into it, run commands against it, delete it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dagger import CacheSharingMode, dag

from floe_ci.images import Reference
from floe_ci.toolbox import HOME

if TYPE_CHECKING:
    import dagger

HOST = "cluster"
"""The service's name inside the session."""
KUBECONFIG = "/run/floe/kubeconfig"
API_PORT, DOCKER_PORT, REGISTRY_PORT, NODE_PORT = 6443, 2375, 5000, 30080


@dataclass(frozen=True)
class Cluster:
    """A Kind cluster that one run owns."""

    run_id: str
    service: dagger.Service
    tools: dagger.Container
    """The toolbox."""
    client: dagger.Container
    """The toolbox, bound to the service."""

    @classmethod
    async def start(cls, tools: dagger.Container, run_id: str, *, keep: bool = False) -> Cluster:
        """Start the service: Docker and a registry, no Kubernetes yet."""
        service = (
            tools.with_env_variable("FLOE_RUN_ID", run_id)
            .with_env_variable("FLOE_KEEP", run_id if keep else "")
            # Shared, because the service itself locks its part of the volume: see cluster-service.sh.
            .with_mounted_cache("/var/lib/docker", dag.cache_volume("floe-ci-docker"), sharing=CacheSharingMode.SHARED)
            .with_exposed_port(DOCKER_PORT)
            .with_exposed_port(REGISTRY_PORT)
            .with_exposed_port(API_PORT, experimental_skip_healthcheck=True)
            .with_exposed_port(NODE_PORT, experimental_skip_healthcheck=True)
            .as_service(args=["sh", f"{HOME}/src/floe_ci/cluster-service.sh"], insecure_root_capabilities=True)
        )
        await service.start()
        client = (
            tools.with_service_binding(HOST, service)
            .with_env_variable("DOCKER_HOST", f"tcp://{HOST}:{DOCKER_PORT}")
            .with_env_variable("KUBECONFIG", KUBECONFIG)
            # Also what keeps the engine from answering with an earlier run's result.
            .with_env_variable("FLOE_RUN_ID", run_id)
        )
        return cls(run_id, service, tools, client)

    async def load(self, image: dagger.Container, name: str) -> None:
        """Put an image into the registry that the nodes pull from; layers that are there are not sent again."""
        # Unpacked apart from the service, so that the engine caches it for as long as the image is the same.
        layout = (
            self.tools.with_mounted_file("/image.tar", image.as_tarball())
            .with_exec(["sh", "-c", "mkdir /image && tar --extract --file /image.tar --directory /image"])
            .directory("/image")
        )
        target = f"docker://{HOST}:{REGISTRY_PORT}/{path(name)}"
        await (
            self.client.with_mounted_directory("/image", layout)
            .with_exec(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "oci:/image", target])
            .sync()
        )

    async def create(self, node_image: str, kind_config: dagger.File) -> Cluster:
        """Create the Kind cluster from a node image that has been loaded; return it with its kubeconfig."""
        script = f"{HOME}/src/floe_ci/create-cluster.sh"
        created = await (
            self.client.with_mounted_file("/run/kind.yaml", kind_config)
            .with_exec(["sh", script, f"127.0.0.1:{REGISTRY_PORT}/{path(node_image)}", "/run/kind.yaml"])
            .sync()
        )
        return replace(self, client=self.client.with_file(KUBECONFIG, created.file(KUBECONFIG)))

    async def delete(self) -> None:
        """Delete the cluster and stop the service."""
        try:
            await self.client.with_exec(["kind", "delete", "cluster", "--name", "floe"]).sync()
        finally:
            # Docker would take longer to stop than the engine waits.
            await self.service.stop(kill=True)


def path(name: str) -> str:
    """Return the part of an image's name that a registry knows: repository and tag."""
    reference = Reference.parse(name)
    return f"{reference.repository}:{reference.tag}"
