"""Debian's packages in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

# Slim images have no folder of manual pages, and the JRE's installation fails without it.
INSTALL = """
set -e
mkdir -p /usr/share/man/man1
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
"""


def with_packages(container: dagger.Container, packages: Sequence[str]) -> dagger.Container:
    """Return `container` with packages, and without the lists they came from."""
    if not packages:
        return container
    return container.with_exec(["sh", "-c", INSTALL, "sh", *packages])
