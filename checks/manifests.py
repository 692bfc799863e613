"""Renders every Kustomize folder, and holds what comes out, and the examples, to the schemas of Kubernetes.

A field that the version of the cluster's nodes does not know, or the newest with a schema, is an error.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kubernetes_validate as schemas
import yaml

IMAGES: Final = Path("k8s/images/kustomization.yaml")
NODE: Final = "kindest/node"
EXAMPLES: Final = "examples"


@dataclass(frozen=True)
class Manifest:
    """One resource, and the folder or file that it comes from."""

    origin: Path
    content: dict[str, Any]

    def __str__(self) -> str:
        """Return where it is to be looked for."""
        return f"{self.origin}: {self.content.get('kind')} {self.content.get('metadata', {}).get('name')}"


def main() -> int:
    """Print what no cluster would take; return 0 if there is nothing."""
    try:
        manifests = [*rendered(), *examples()]
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[-1]}: {error.stderr.strip()}", file=sys.stderr)
        return 1
    wanted = versions()
    faults = [
        f"{manifest}: {fault}"
        for manifest in manifests
        for fault in dict.fromkeys(fault for version in wanted for fault in refusals(manifest, version))
    ]
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    print(f"manifests: {len(manifests)} resources of {len({item.origin for item in manifests})} places;", end=" ")
    print(f"Kubernetes {' and '.join(wanted)}: {len(faults) or 'no'} faults")
    return 1 if faults else 0


def tracked(pattern: str) -> list[Path]:
    """Return the files that are, or are to be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", f":(glob){pattern}"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted(Path(line) for line in said.splitlines())


def rendered() -> Iterator[Manifest]:
    """Yield what Kustomize makes of each folder; a component is part of others, and is rendered with them."""
    for file in tracked("**/kustomization.yaml"):
        if yaml.safe_load(file.read_text(encoding="utf-8")).get("kind") == "Component":
            continue
        kubectl = str(Path(sys.executable).with_name("kubectl"))
        command = [kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(file.parent)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        yield from (Manifest(file.parent, content) for content in yaml.safe_load_all(said) if content)


def examples() -> Iterator[Manifest]:
    """Yield the resources of the examples that are applied as they are; others are rendered, or go into an image."""
    for file in tracked(f"{EXAMPLES}/**/*.yaml"):
        if (file.parent / "kustomization.yaml").exists() or "image" in file.parts:
            continue
        said = file.read_text(encoding="utf-8")
        yield from (Manifest(file, content) for content in yaml.safe_load_all(said) if content)


def versions() -> tuple[str, str]:
    """Return the version of the cluster's nodes, and the newest with a schema."""
    images = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))["images"]
    (nodes,) = (image["newTag"].removeprefix("v") for image in images if image["name"] == NODE)
    return nodes, schemas.latest_version()


def refusals(manifest: Manifest, version: str) -> Iterator[str]:
    """Yield why a version of Kubernetes would not take a resource."""
    try:
        schemas.validate(manifest.content, version, strict=True)
    except schemas.ValidationError as error:
        place = ".".join(str(part) for part in error.path)
        yield f"{place}: {error.message}" if place else str(error.message)
    except schemas.SchemaNotFoundError as error:
        yield f"Kubernetes {error.version} has no {error.kind} in {error.api_version}"
    except KeyError as error:
        yield f"it has no {error.args[0]}"


if __name__ == "__main__":
    sys.exit(main())
