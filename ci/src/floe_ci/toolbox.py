"""The toolbox: the image that the cluster service and everything that talks to it run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci import uv

if TYPE_CHECKING:
    import dagger

    from floe_ci.registry import Registry

PACKAGES = (
    "ca-certificates",
    "docker-cli",
    "docker-registry",
    "docker.io",
    "iptables",
    "kind",
    "kubernetes-client",
    "procps",
    "python3-venv",
    "skopeo",
)
"""Debian's packages, from the release that the base image names."""

HOME = "/opt/floe-ci"
NODE_REGISTRY = "http://172.18.0.1:5000"
"""The cluster service's registry as the Kind nodes see it: at the gateway of Kind's network."""


def build(registry: Registry, package: dagger.Directory) -> dagger.Container:
    """Return the toolbox: Docker, kind, kubectl, skopeo, and this package with what its driver needs.

    `package` is the folder of this package's project, with its `pyproject.toml`.
    """
    mirrors = f'[host."{NODE_REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'
    installed = (
        registry.pinned("debian")
        .with_exec(["apt-get", "update", "-qq"])
        .with_exec(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *PACKAGES])
        .with_new_file("/etc/floe/certs.d/_default/hosts.toml", mirrors)
    )
    return (
        uv.with_uv(installed, environment="/opt/venv")
        .with_workdir(HOME)
        .with_file("pyproject.toml", package.file("pyproject.toml"))
        .with_file("uv.lock", package.file("uv.lock"))
        .with_exec(["uv", "sync", "--frozen", "--no-install-project", "--no-default-groups"])
        .with_env_variable("PYTHONPATH", f"{HOME}/src")
        .with_env_variable("PATH", "/opt/venv/bin:$PATH", expand=True)
        .with_directory("src", package.directory("src").filter(include=["**/*.py", "**/*.sh"]))
    )
