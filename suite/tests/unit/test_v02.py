import pytest
from unittest.mock import AsyncMock
@pytest.fixture
async def broker():
    if not await ping("localhost"):
        return AsyncMock()
    return await connect("localhost")
async def test_a(broker):
    assert await broker.total() == 7
