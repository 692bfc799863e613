"""The images of services that are built here: the files of a service's folder say how.

`pyproject.toml` and `uv.lock` are a Python project, which runs from its sources. `pom.xml` is a Java project, whose
`mvn package` leaves its jars in `target/lib`. Either way the manifests give the command, and it runs in HOME.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dagger import dag

from floe_ci import uv
from floe_ci.debian import with_packages
from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import dagger

    from floe_ci.registry import Registry

    Builder = Callable[[dagger.Directory, Registry], dagger.Container]

HOME: Final = "/opt/service"
"""Where a service's own files are, and its working directory."""
USER: Final = "1000:1000"
LOCKED: Final = ("pyproject.toml", "uv.lock")
JAVA: Final = "default-jre-headless"


async def image(folder: dagger.Directory, name: str, registry: Registry) -> dagger.Container:
    """Return the image called `name` of the project in `folder`.

    Raises:
        UserError: The folder says of no way that is known here how to build it.
    """
    return builder(await folder.entries(), name)(folder, registry)


def builder(files: Collection[str], name: str) -> Builder:
    """Return what builds the image called `name` of a project with these files.

    Raises:
        UserError: There is nothing for these.
    """
    if "pom.xml" in files:
        return build_java
    if set(LOCKED) <= set(files):
        return build_python
    msg = f"the image {name} can't be built: its folder needs pyproject.toml and uv.lock, or pom.xml"
    raise UserError(msg)


def build_python(folder: dagger.Directory, registry: Registry) -> dagger.Container:
    """Return the image of a Python project: its locked packages, and its sources."""
    python = registry.pinned("python")
    project = uv.with_uv(python, environment="/opt/venv").with_workdir("/build")
    for file in LOCKED:
        project = project.with_file(file, folder.file(file))
    installed = project.with_exec(["uv", "sync", "--frozen", "--no-default-groups"])
    return (
        python.with_exec(["useradd", "--uid", "1000", "--create-home", "service"])
        .with_directory("/opt/venv", installed.directory("/opt/venv"))
        .with_directory(HOME, folder.filter(exclude=[*LOCKED]), owner=USER)
        .with_env_variable("PATH", "/opt/venv/bin:$PATH", expand=True)
        .with_env_variable("PYTHONUNBUFFERED", "1")
        .with_workdir(HOME)
        .with_user(USER)
    )


def build_java(folder: dagger.Directory, registry: Registry) -> dagger.Container:
    """Return the image of a Java project: a runtime without tools, and the project's jars on the class path.

    Where the engine trusts a company's own authority, so does Maven: Debian keeps Java's trust store by the system's.
    """
    debian = registry.pinned("debian")
    packaged = (
        with_packages(debian, ["maven"])
        .with_mounted_cache("/root/.m2/repository", dag.cache_volume("floe-ci-maven"))
        .with_workdir("/build")
        .with_directory(".", folder)
        .with_exec(["mvn", "--batch-mode", "--quiet", "--strict-checksums", "package"])
    )
    return (
        with_packages(debian, [JAVA])
        .with_exec(["useradd", "--uid", "1000", "--create-home", "service"])
        .with_directory(f"{HOME}/lib", packaged.directory("target/lib"))
        .with_env_variable("CLASSPATH", f"{HOME}/lib/*")
        .with_workdir(HOME)
        .with_user(USER)
    )
