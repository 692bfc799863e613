"""A migrated database for each test, and a client of the application on it."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

import floe_testing
from floe_testing.services import PostgresConfig
from shop.app import create_app


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_migrations() -> Callable[[PostgresConfig], object]:
    """Have the migrations run once; each test's database is a copy of what they made."""
    return floe_testing.alembic("alembic.ini", driver="asyncpg")


@pytest.fixture
async def client(postgres_database: PostgresConfig) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the application, which has a database of the test's own."""
    app = create_app(postgres_database.sqlalchemy_url("asyncpg"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as opened,
    ):
        yield opened
