"""How an image of a service is built, by the files of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from floe_ci import service_build
from floe_ci.errors import UserError

BASE = Path(__file__).resolve().parents[3] / "k8s" / "base"


@pytest.mark.parametrize(
    ("service", "expected"), [("dagster", service_build.build_python), ("iceberg-rest", service_build.build_java)]
)
def test_own_services(service: str, expected: object) -> None:
    """Each of the module's own services has the files that its image is built by."""
    files = [path.name for path in (BASE / service / "image").iterdir()]
    assert service_build.builder(files, service) is expected


@pytest.mark.parametrize("files", [(), ("pyproject.toml",), ("uv.lock", "main.py")])
def test_nothing_to_build_by(files: tuple[str, ...]) -> None:
    """A folder without the files of a way to build is refused, by the image's name and with what is missing."""
    with pytest.raises(
        UserError, match=r"floe\.local/shop can't be built: .* needs pyproject\.toml and uv\.lock, or pom"
    ):
        service_build.builder(files, "floe.local/shop")
