"""uv in a container, the same way in every image that installs Python packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagger import dag

if TYPE_CHECKING:
    import dagger

UV = "uv==0.13.8"
CACHE = "/root/.cache/uv"
"""What uv keeps of what it downloads, for all that the engine builds."""


def with_uv(container: dagger.Container, *, environment: str) -> dagger.Container:
    """Return `container` with uv, which installs into the virtual environment at the path `environment`."""
    return (
        container.with_exec(["python3", "-m", "venv", "/opt/uv"])
        .with_exec(["/opt/uv/bin/pip", "install", "--quiet", "--no-cache-dir", UV])
        .with_mounted_cache(CACHE, dag.cache_volume("floe-ci-uv"))
        .with_env_variable("PATH", "/opt/uv/bin:$PATH", expand=True)
        .with_env_variable("UV_PROJECT_ENVIRONMENT", environment)
        .with_env_variable("UV_LINK_MODE", "copy")  # the cache is another file system
        .with_env_variable("UV_COMPILE_BYTECODE", "1")  # read-only containers could not keep it
        .with_env_variable("UV_PYTHON_DOWNLOADS", "never")
        .with_env_variable("UV_SYSTEM_CERTS", "1")  # a company's own authority is in the system's store
    )
