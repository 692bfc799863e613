"""What the package brings is found, and stands in its distributions."""

from __future__ import annotations

from floe_ci import bundled


def test_files_are_there() -> None:
    """The manifests, the project's two files and the code are where they are said to be."""
    assert (bundled.manifests() / "images" / "kustomization.yaml").is_file()
    assert 'name = "floe-ci"' in bundled.project_file("pyproject.toml").read_text()
    assert bundled.project_file("uv.lock").is_file()
    assert (bundled.package() / "scripts" / "cluster-service.sh").is_file()
