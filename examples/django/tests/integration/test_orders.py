"""Orders in PostgreSQL, through Django's ORM and its test client."""

import pytest
from django.db import IntegrityError
from django.test import Client

from shop.models import Order

pytestmark = pytest.mark.django_db


def test_total_of_a_tag(client: Client) -> None:
    """The sum is of the orders with that tag: the array is asked, not its text."""
    Order.objects.create(item="tea", amount=2, tags=["hot", "green"])
    Order.objects.create(item="coffee", amount=3, tags=["hot"])
    assert client.get("/total/hot").json() == {"total": 5}
    assert client.get("/total/green").json() == {"total": 2}


def test_nothing_is_left_of_another_test(client: Client) -> None:
    """Each test begins without orders."""
    assert client.get("/total/hot").json() == {"total": 0}


def test_database_refuses_an_order_of_nothing() -> None:
    """The constraint is in the database: the ORM alone would have let it through."""
    with pytest.raises(IntegrityError, match="amount_is_positive"):
        Order.objects.create(item="tea", amount=0)
