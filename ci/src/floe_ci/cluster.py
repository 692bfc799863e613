"""Kind in a Dagger service: start it, load images into it, run commands against it, delete it."""

from __future__ import annotations

import re
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dagger import CacheSharingMode, ImageLayerCompression, PortForward, ReturnType, dag

from floe_ci.errors import UserError
from floe_ci.images import Reference
from floe_ci.relay import through_tunnel
from floe_ci.toolbox import HOME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    import dagger

    from floe_ci.forward import Door

HOST = "cluster"
"""The service's name inside the session."""
KUBECONFIG, KIND_CONFIG, NODE_LAYOUT = "/run/floe/kubeconfig", "/run/kind.yaml", "/images/node"
SCRIPTS = f"{HOME}/src/floe_ci/scripts"
VOLUME, VOLUME_NAME = "/var/lib/docker", "floe-ci-docker"
KNOWN = f"cd {VOLUME}; ls -d kept-*/ 2> /dev/null | sed 's#^kept-##; s#/$##'; test -d \"kept-$1/docker\""
"""Whether there is a cluster of a name; it tells which there are."""
JOURNALS = """
mkdir /journals
for node in $(kind get nodes --name floe); do
  timeout 10 docker exec "$node" journalctl --no-pager --lines 400 --unit kubelet --unit containerd \\
    > "/journals/$node" 2>&1 || true &
done
wait
"""
"""Leaves a file for each node, with what matters of `kind export logs`."""
API_PORT, DOCKER_PORT, REGISTRY_PORT, NODE_PORT = 6443, 2375, 5000, 30080


@dataclass(frozen=True)
class Nodes:
    """What a cluster's nodes are made from."""

    image: str
    """By its public name."""
    config: dagger.File
    """That of Kind."""


@dataclass(frozen=True)
class Cluster:
    """A Kind cluster that one run owns."""

    run_id: str
    tools: dagger.Container
    """The toolbox."""
    service: dagger.Service
    client: dagger.Container
    """The toolbox, bound to the service."""

    @classmethod
    def of(cls, tools: dagger.Container, run_id: str, nodes: Nodes, name: str | None = None) -> Cluster:
        """Return a cluster that is still to be started.

        With a `name` it can outlive its run: its containers stay on the cache volume under that name.
        """
        tools = tools.with_mounted_file(KIND_CONFIG, nodes.config).with_env_variable(
            "FLOE_NODE_IMAGE", path(nodes.image)
        )
        service = (
            tools.with_env_variable("FLOE_RUN_ID", run_id)
            .with_env_variable("FLOE_CLUSTER", name or "")
            # Shared, because the service itself locks its part of the volume: see cluster-service.sh.
            .with_mounted_cache(VOLUME, dag.cache_volume(VOLUME_NAME), sharing=CacheSharingMode.SHARED)
            .with_exposed_port(DOCKER_PORT)
            .with_exposed_port(REGISTRY_PORT)
            .with_exposed_port(API_PORT, experimental_skip_healthcheck=True)
            .with_exposed_port(NODE_PORT, experimental_skip_healthcheck=True)
            .as_service(args=["sh", f"{SCRIPTS}/cluster-service.sh"], insecure_root_capabilities=True)
        )
        client = (
            tools.with_service_binding(HOST, service)
            .with_env_variable("DOCKER_HOST", f"tcp://{HOST}:{DOCKER_PORT}")
            .with_env_variable("KUBECONFIG", KUBECONFIG)
            # Also what keeps the engine from answering with an earlier run's result.
            .with_env_variable("FLOE_RUN_ID", run_id)
            .with_env_variable("FLOE_CLUSTER", name or "")
        )
        return cls(run_id, tools, service, client)

    async def start(self) -> None:
        """Start the service: Docker and a registry, no Kubernetes yet.

        Raises:
            dagger.ExecError: The engine forbids the capabilities that Docker needs.
        """
        # A service that is forbidden them only dies; a command says so.
        await self.tools.with_exec(["true"], insecure_root_capabilities=True).sync()
        await self.service.start()

    async def load(self, layouts: Mapping[str, dagger.Directory]) -> None:
        """Put images into the registry that the nodes pull from; layers that are there are not sent again.

        Args:
            layouts: What `layout` made of each image, by its name.
        """
        # One container sends them all: to start one takes longer than to find that an image is there.
        sending, images = self.client, list[str]()
        for place, (name, image) in enumerate(layouts.items()):
            sending = sending.with_mounted_directory(f"/images/{place}", image)
            images += [f"/images/{place}", path(name), name]
        await sending.with_exec(["sh", f"{SCRIPTS}/load-images.sh", *images]).sync()

    async def create(self, layout: dagger.Directory) -> Cluster:
        """Create the Kind cluster of the nodes' image as an OCI layout; return it with its kubeconfig.

        Where the slot of the cache volume has one as it was when it was created, that is started again.
        """
        created = await (
            self.client.with_mounted_cache(VOLUME, dag.cache_volume(VOLUME_NAME), sharing=CacheSharingMode.SHARED)
            .with_mounted_directory(NODE_LAYOUT, layout)
            # What it copies has attributes that only root of the machine sees.
            .with_exec(
                ["sh", f"{SCRIPTS}/create-cluster.sh", NODE_LAYOUT, KIND_CONFIG], insecure_root_capabilities=True
            )
            .sync()
        )
        return replace(self, client=self.client.with_file(KUBECONFIG, created.file(KUBECONFIG)))

    @asynccontextmanager
    async def opened_api(self, preferred: int = 0) -> AsyncIterator[int]:
        """Open the cluster's API on this machine, and yield the port: the preferred one, if it is free."""
        port = free_port(preferred) or free_port(0)
        async with self.opened({API_PORT: port}):
            yield port

    @asynccontextmanager
    async def opened(self, ports: Mapping[int, int]) -> AsyncIterator[None]:
        """Open ports of the service on this machine, each under the number that is given; see `relay` for why so."""
        behind = self.client
        for port in ports:
            behind = behind.with_exposed_port(port)
        serving = behind.as_service(args=["python", "-m", "floe_ci.relay", HOST, *map(str, ports)])
        tunnel = await dag.host().tunnel(serving, ports=[PortForward(backend=port) for port in ports]).start()
        inner = [await port.port() for port in await tunnel.ports()]
        async with through_tunnel(dict(zip(ports.values(), inner, strict=True))):
            yield
        await tunnel.stop()

    def opening(self, namespace: str, doors: Collection[Door]) -> dagger.Service:
        """Return a service that opens the cluster's own."""
        opening = self.client
        for door in doors:
            opening = opening.with_exposed_port(door.open, description=door.service)
        return opening.as_service(args=["python", "-m", "floe_ci.forward", namespace, *map(str, doors)])

    async def kubeconfig(self) -> str:
        """Return the text of the cluster's kubeconfig, by whose address the engine's containers reach it."""
        return await self.client.file(KUBECONFIG).contents()

    async def host_kubeconfig(self) -> dagger.File:
        """Return the kubeconfig for the host, where the API's port has been opened under its own number."""
        text = await self.kubeconfig()
        return dag.file("kubeconfig", text.replace(f"//{HOST}:", "//localhost:"))

    async def journals(self) -> dict[str, str]:
        """Return what kubelet and containerd wrote last on each node, by the node's name.

        Raises:
            dagger.ExecError: Docker does not answer any more.
        """
        told = self.client.with_exec(["sh", "-euc", JOURNALS]).directory("/journals")
        return {name: await told.file(name).contents() for name in await told.entries()}

    async def leave(self) -> None:
        """Stop the nodes and the service, but leave their containers on the volume, to be started again."""
        try:
            await self.client.with_exec(["sh", "-c", "docker ps --quiet | xargs docker stop --time 10"]).sync()
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Stop the service at once: Docker would take longer to stop than the engine waits."""
        await self.service.stop(kill=True)


def free_port(wanted: int) -> int:
    """Return a port of the loopback interface that is free, 0 where the one that is wanted is not; 0 wants any."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
        port: int = probe.getsockname()[1]
        return port


def loaded(tools: dagger.Container, image: dagger.Container, name: str) -> dagger.Directory:
    """Return the image called `name` as an OCI layout, for the cluster's own registry."""
    # It takes half the time of gzip; what was pulled stays compressed as it came.
    return layout(tools, image, ImageLayerCompression.Zstd if Reference.parse(name).is_built else None)


def layout(
    tools: dagger.Container, image: dagger.Container, compression: ImageLayerCompression | None = None
) -> dagger.Directory:
    """Return an image as an OCI layout; without a compression, that of layers stays as it is, or is what all know.

    It is unpacked apart from the service, so that the engine caches it for as long as the image is the same.
    """
    return (
        tools.with_mounted_file("/image.tar", image.as_tarball(forced_compression=compression))
        .with_exec(["sh", "-c", "mkdir /image && tar --extract --file /image.tar --directory /image"])
        .directory("/image")
    )


async def require(tools: dagger.Container, run_id: str, name: str) -> None:
    """Refuse a name under which no cluster was left.

    Raises:
        UserError: It is none, or nothing was left under it; the message says what was.
    """
    check_name(name)
    done = (
        tools.with_env_variable("FLOE_RUN_ID", run_id)
        .with_mounted_cache(VOLUME, dag.cache_volume(VOLUME_NAME), sharing=CacheSharingMode.SHARED)
        .with_exec(["sh", "-c", KNOWN, "sh", name], expect=ReturnType.ANY)
    )
    if await done.exit_code():
        kept = ", ".join((await done.stdout()).split()) or "none"
        msg = f"there is no cluster {name!r}; kept are: {kept}. `dagger call cluster --name {name}` makes one"
        raise UserError(msg)


def check_name(name: str) -> None:
    """Refuse a cluster's name that is none: it becomes part of a path."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        msg = f"{name!r} is no cluster's name: use up to 41 lower-case letters, digits and '-', a letter or digit first"
        raise UserError(msg)


async def forget(tools: dagger.Container, run_id: str, name: str) -> None:
    """Remove what a cluster left on the cache volume under its name."""
    await (
        tools.with_env_variable("FLOE_RUN_ID", run_id)
        .with_mounted_cache(VOLUME, dag.cache_volume(VOLUME_NAME), sharing=CacheSharingMode.SHARED)
        .with_exec(["sh", f"{SCRIPTS}/forget-cluster.sh", name], insecure_root_capabilities=True)
        .sync()
    )


def path(name: str) -> str:
    """Return the part of an image's name that a registry knows: repository and tag."""
    reference = Reference.parse(name)
    return f"{reference.repository}:{reference.tag}"
