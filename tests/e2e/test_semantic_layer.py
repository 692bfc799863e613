"""A question in the words of the business, put to Cube, has the answer that SQL gives."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from floe_testing import PollingConfig, Unmet, wait_for_condition
from floe_testing.services import locate
from floe_testing.services.clients.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_testing.services import PostgresConfig

pytestmark = pytest.mark.requirement("REQ-641")

PATIENCE = PollingConfig(timeout=180, interval=0.5, description="Cube answers")
"""The first question of all compiles the model."""
ORDERS = (("2026-07-01", "4.00"), ("2026-07-01", "1.50"), ("2026-07-02", "7.25"))


def signed(secret: str) -> str:
    """Return a token of ten minutes, signed with HS256."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    now = int(time.time())
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iat": now, "exp": now + 600})
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


@dataclass(frozen=True)
class Cube:
    """A client of Cube's API."""

    url: str
    token: str

    def post(self, path: str, body: object, token: str | None = None) -> tuple[int, Any]:
        """Return the status and the content of an answer, once Cube doesn't ask to wait for it."""
        token = self.token if token is None else token
        headers = {"Authorization": token} if token else {}

        def look() -> tuple[int, Any] | Unmet:
            with urllib3.PoolManager(timeout=150.0, retries=False) as http:
                answer = http.request("POST", f"{self.url}/cubejs-api/{path}", json=body, headers=headers)
            content = answer.json()
            if content.get("error") == "Continue wait":
                return Unmet("it asks to wait")
            return answer.status, content

        # Where it is busy with the model it misses its probes, and nobody is led to it for a moment.
        return wait_for_condition(look, PATIENCE, retry_on=(urllib3.exceptions.HTTPError,))

    def load(self, token: str | None = None, **query: object) -> tuple[int, Any]:
        """Return the status and the content of what the REST API answers to a query."""
        return self.post("v1/load", {"query": query}, token)


@pytest.fixture(scope="session")
def cube() -> Cube:
    """Return a client that has a token of the run's own secret."""
    address = locate("cube", 4000)
    return Cube(f"http://{address.host}:{address.port}", signed(os.environ["FLOE_CUBE_API_SECRET"]))


def only(batch: str) -> list[dict[str, object]]:
    """Return the filter for the orders of one batch."""
    return [{"member": "orders.batch", "operator": "equals", "values": [batch]}]


@pytest.mark.requirement("REQ-641.5", "T18")
@pytest.mark.journey("semantics")
def test_measure_equals_sql(cube: Cube, postgres_config: PostgresConfig, new_batch: Callable[..., str]) -> None:
    """Revenue and orders per day through Cube are what SQL makes of the same rows."""
    batch = new_batch(*ORDERS)
    status, answer = cube.load(
        measures=["orders.revenue", "orders.count"],
        timeDimensions=[{"dimension": "orders.day", "granularity": "day"}],
        filters=only(batch),
        order={"orders.day": "asc"},
    )
    assert status == 200, answer
    told = [
        (row["orders.day.day"][:10], Decimal(row["orders.revenue"]), int(row["orders.count"])) for row in answer["data"]
    ]
    query = "SELECT day::text, sum(amount), count(*) FROM raw_orders WHERE batch = %s GROUP BY day ORDER BY day"
    with connect(postgres_config) as connection:
        assert told == connection.execute(query, (batch,)).fetchall()
    assert [day for day, *_ in told] == ["2026-07-01", "2026-07-02"]


def test_graphql_answers(cube: Cube, new_batch: Callable[..., str]) -> None:
    """GraphQL gives the same measure as a number of the whole batch."""
    batch = new_batch(*ORDERS)
    asked = f'{{ cube {{ orders(where: {{batch: {{equals: "{batch}"}}}}) {{ revenue count }} }} }}'
    status, answer = cube.post("graphql", {"query": asked})
    assert status == 200, answer
    (row,) = answer["data"]["cube"]
    assert (float(row["orders"]["revenue"]), int(row["orders"]["count"])) == (12.75, 3)


@pytest.mark.parametrize("secret", ["another", None], ids=["wrong", "none"])
def test_stranger_is_refused(cube: Cube, secret: str | None) -> None:
    """A token that was signed with another secret, or no token, is refused with 403, and gets no data."""
    status, answer = cube.load(token=signed(secret) if secret else "", measures=["orders.count"])
    assert status == 403, answer
    assert "data" not in answer


def test_unknown_member_is_named(cube: Cube) -> None:
    """A query for a measure that the model doesn't have is refused, with that measure's name."""
    status, answer = cube.load(measures=["orders.profit"])
    assert status == 400, answer
    assert "profit" in answer["error"]
