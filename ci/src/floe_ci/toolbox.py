"""The toolbox: the image that the cluster service and everything that talks to it run in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from dagger import dag

from floe_ci import bundle_file, debian, uv

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

HELM = ("helm.sh/helm/v3", "v3.19.5")
"""As a module of Go's: its checksum is in Go's own database, and it is built for whichever processor there is."""
HELM_SAYS = {
    "internal/version.version": HELM[1],
    # What a chart is told of a cluster whose version is not known: that of the Kubernetes that this Helm is made with.
    "pkg/chartutil.k8sVersionMajor": "1",
    "pkg/chartutil.k8sVersionMinor": "34",
}
"""What is written into it when it is built: its source has placeholders."""

HOME = "/opt/floe-ci"
NODE_REGISTRY = "http://172.18.0.1:5000"
"""The cluster service's registry as the Kind nodes see it: at the gateway of Kind's network."""


def with_helm(tools: dagger.Container, registry: Registry) -> dagger.Container:
    """Return the toolbox with Helm, which takes some minutes to be built, once: only where a tier has charts."""
    if registry.bundle:
        return tools  # it was made with it
    module, version = HELM
    said = " ".join(f"-X {module}/{name}={value}" for name, value in HELM_SAYS.items())
    built = (
        debian.with_packages(registry.pinned("debian"), ("ca-certificates", "golang-go"))
        .with_mounted_cache("/root/go/pkg/mod", dag.cache_volume("floe-ci-go-modules"))
        .with_mounted_cache("/root/.cache/go-build", dag.cache_volume("floe-ci-go-build"))
        .with_env_variable("CGO_ENABLED", "0")
        .with_env_variable("GOTOOLCHAIN", "local")  # that of Debian, and none from elsewhere
        .with_env_variable("GOBIN", "/opt/helm")
        .with_exec(["go", "install", "-trimpath", f"-ldflags=-s -w {said}", f"{module}/cmd/helm@{version}"])
    )
    return tools.with_file("/usr/local/bin/helm", built.file("/opt/helm/helm"))


def build(registry: Registry, package: dagger.Directory) -> dagger.Container:
    """Return the toolbox: Docker, kind, kubectl, skopeo, and this package with what its driver needs.

    `package` is the folder of this package's project, with its `pyproject.toml`.
    """
    sources = package.directory("src").filter(include=["**/*.py", "**/*.sh"])
    return without_sources(registry, package).with_directory("src", sources)


def without_sources(registry: Registry, package: dagger.Directory) -> dagger.Container:
    """Return the toolbox before this package's own files are in it."""
    if registry.bundle:
        return registry.bundle.image(bundle_file.TOOLBOX)
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
    )


def digest(lock: str) -> str:
    """Return a digest of what the toolbox is made of, where this package's lock file is `lock`."""
    return hashlib.sha256("\0".join((lock, uv.UV, *PACKAGES, *HELM)).encode()).hexdigest()
