"""A machine that has the packages that a test wants it to have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from floe_ci.local import lookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.catalog import Service
    from floe_ci.local.local_service import LocalService


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what names the services whose packages are on this machine, and no others are."""
    real = lookup.local_service

    def choose(*names: str) -> None:
        def local_service(service: Service) -> LocalService | None:
            found, reason = real(service), None if service.name in names else f"{service.name} is not installed"
            return replace(found, lacking=lambda: reason) if found else None

        monkeypatch.setattr(lookup, "local_service", local_service)

    return choose
