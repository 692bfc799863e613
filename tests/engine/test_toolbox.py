"""What the toolbox makes clusters with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dagger as sdk
import pytest
from dagger import dag
from floe_ci import toolbox
from floe_ci.images import Images
from floe_ci.registry import Registry

if TYPE_CHECKING:
    from conftest import Dagger

pytestmark = pytest.mark.timeout(600)


@pytest.mark.requirement("REQ-636.4")
@pytest.mark.anyio
async def test_kind_is_recent(dagger: Dagger) -> None:
    """Kind is 0.20 or later."""
    async with sdk.connection():
        repository = dag.host().directory(str(dagger.root), include=["ci", "k8s"])
        images = Images.parse(await repository.file("k8s/images/kustomization.yaml").contents(), "k8s/images")
        mirror = dagger.registry[1] if dagger.registry else ""
        tools = toolbox.build(Registry(images, mirror), repository.directory("ci"))
        told = await tools.with_exec(["kind", "--version"]).stdout()
    found = re.fullmatch(r"kind version (\d+)\.(\d+)\.\d+\S*\s*", told)
    assert found, told
    assert (int(found[1]), int(found[2])) >= (0, 20)


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as the SDK does."""
    return "asyncio"
