"""Orders are placed, read and summed up."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_order_is_read_as_it_was_placed(client: httpx.AsyncClient) -> None:
    """An order is there under the number that placing it returns."""
    placed = await client.post("/orders", json={"item": "tea", "amount": 3})
    assert placed.status_code == 201
    read = await client.get(f"/orders/{placed.json()['id']}")
    assert read.json() == {"item": "tea", "amount": 3}


async def test_total_is_of_this_tests_orders(client: httpx.AsyncClient) -> None:
    """The sum is of the orders of this database: nothing of another test is in it."""
    for amount in (1, 2, 3):
        await client.post("/orders", json={"item": "tea", "amount": amount})
    assert (await client.get("/total")).json() == 6


async def test_order_that_is_not_there(client: httpx.AsyncClient) -> None:
    """An unknown number is told."""
    answer = await client.get("/orders/1")
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no order 1"})
