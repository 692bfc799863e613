"""The service that failed is the one that is named."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from floe_ci.catalog import Catalog
from floe_ci.errors import LastingError, RunError, UserError
from floe_ci.local.lookup import local_service
from floe_ci.local.offer import Offered
from floe_ci.local.processes import telling_line
from floe_ci.local.services import ServiceError, Services
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from floe_ci.local.processes import Process
    from floe_ci.local.site import Site


class Folder:
    """A run's folder without processes."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self.folder = folder

    def keep(self, keeper: object) -> None:
        """Start nothing."""


def offered(name: str, processes: Callable[[Site], Awaitable[list[Process]]] | None = None) -> Offered:
    """Return one of this package's services, with another way to start it where there is one."""
    service = Catalog.of_package().services[name]
    here = local_service(service)
    assert here is not None
    return Offered(service, replace(here, processes=processes, refuse=lambda _: None) if processes else here)


def test_first_cause_is_named(tmp_path: Path) -> None:
    """Of services that start at once, the first that fails is told, by its name, and not one that it takes along."""

    async def fail(_site: Site) -> list[Process]:
        reason = "initdb: could not create directory"
        raise RunError(reason)

    async def wait(_site: Site) -> list[Process]:
        await asyncio.Event().wait()
        return []

    services = Services(Folder(tmp_path), tmp_path / "logs", Timings())  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match=r"^postgres: initdb: could not create directory$") as caught:
        asyncio.run(services.start((offered("minio", wait), offered("postgres", fail)), 5))
    assert (caught.value.service, caught.value.lasts) == ("postgres", False)


def test_service_that_would_break_again_is_known() -> None:
    """What is told of a service says whether another attempt would come to the same, as its cause does."""
    causes = (RunError("not there"), LastingError("it ends"))
    assert [ServiceError("web", cause).lasts for cause in causes] == [False, True]


def test_folder_that_will_not_do_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A folder in which the database can't work is bad input, and nothing was made for it."""
    folder = tmp_path / 'a"b'
    folder.mkdir()
    services = Services(Folder(folder), folder / "logs", Timings())  # type: ignore[arg-type]
    with pytest.raises(UserError, match="quotation mark"):
        asyncio.run(services.start((offered("postgres"),), 5))
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("starting\nFATAL: no room\nshutting down\n", "FATAL: no room"),
        ("F0101 10:00 filer.go:1 listen unix x: bind: invalid argument\ngoroutine 1\n", "F0101 10:00 filer.go:1"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_line_that_tells_why(log: str, line: str) -> None:
    """Of a log the line that names the cause is shown first, or else the last."""
    assert telling_line(log).startswith(line)
    assert bool(telling_line(log)) == bool(line)
