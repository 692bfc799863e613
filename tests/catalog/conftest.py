"""A catalog server that is real, though not Polaris: Apache Iceberg's own, from Maven Central, on this machine's Java.

Polaris itself is published as an image. The fixtures speak the protocol that the two have in common.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from pydantic import SecretStr

from testing.services import PolarisConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
LACKING = [tool for tool in ("java", "mvn") if not shutil.which(tool)]


class IcebergConfig(PolarisConfig):
    """The server of Apache Iceberg, which has its catalog at the root."""

    service: ClassVar[str] = "polaris"

    @property
    def uri(self) -> str:
        """The URL of its Iceberg REST catalog."""
        return f"http://{self.address}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where there is no Java or no Maven."""
    for item in items:
        if LACKING and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(LACKING)}"))


@pytest.fixture(scope="session")
def polaris_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolarisConfig]:
    """Yield how to reach a server that was just started; it need not answer yet."""
    folder = tmp_path_factory.mktemp("catalog")
    maven = ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*maven, f"-DoutputDirectory={folder}/lib"], check=True, timeout=280)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            ["java", "-cp", f"{folder}/lib/*", "org.apache.iceberg.rest.RESTCatalogServer"],
            env=os.environ | {"CATALOG_REST_PORT": str(port), "CATALOG_WAREHOUSE": (folder / "warehouse").as_uri()},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    yield IcebergConfig(host="127.0.0.1", port=port, client_id="floe", client_secret=SecretStr("any"))
    server.kill()
    server.wait()
