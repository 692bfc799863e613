"""Puts what floe-ci brings beside its code into its distributions: the manifests, and the project's own two files."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Bundle(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the manifests, which lie beside the project in the repository and inside it in a source distribution."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to what is built; an editable installation finds them in the repository."""
        if version == "editable":
            return
        root = Path(self.root)
        k8s = next((place for place in (root / "k8s", root.parent / "k8s") if place.is_dir()), None)
        if self.target_name == "sdist":
            included = {k8s: "k8s"}
        else:
            project = {root / name: f"floe_ci/bundle/{name}" for name in ("pyproject.toml", "uv.lock")}
            included = {k8s: "floe_ci/bundle/k8s", **project}
        build_data["force_include"] |= {str(path): name for path, name in included.items() if path and path.exists()}
