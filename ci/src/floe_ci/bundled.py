"""Where the files are that this package brings: its manifests, and its own project."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "bundle"
_CHECKOUT = _PACKAGE.parents[2]


def package() -> Path:
    """Return the folder of this package's code."""
    return _PACKAGE


def manifests() -> Path:
    """Return the folder of the manifests, `k8s`."""
    return next(place for place in (_INSTALLED / "k8s", _CHECKOUT / "k8s") if place.is_dir())


def project_file(name: str) -> Path:
    """Return this package's `pyproject.toml` or `uv.lock`."""
    return next(place for place in (_INSTALLED / name, _CHECKOUT / "ci" / name) if place.is_file())
