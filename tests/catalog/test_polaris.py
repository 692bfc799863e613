"""The fixtures of the catalog, on a server of the Iceberg REST protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from testing.clients import polaris as client
from testing.naming import Made, run_tag, unique_name

if TYPE_CHECKING:
    from pyiceberg.catalog.rest import RestCatalog

pytestmark = [pytest.mark.catalog, pytest.mark.requirement("T045"), pytest.mark.requirement("T046")]

ORDERS = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "customer", StringType()))


@pytest.mark.parametrize("turn", [1, 2])
def test_namespace_is_new(polaris: RestCatalog, polaris_namespace: str, run_id: str, turn: int) -> None:
    """Each test has an empty namespace of its own, whose name tells the run."""
    assert polaris.list_tables(polaris_namespace) == []
    assert polaris.load_namespace_properties(polaris_namespace) is not None
    made = Made.read(polaris_namespace)
    assert made is not None
    assert made.tag == run_tag(run_id)
    polaris.create_table(f"{polaris_namespace}.orders{turn}", ORDERS)


def test_table_is_kept_as_it_was_made(polaris_catalog: RestCatalog, polaris_namespace: str) -> None:
    """A table's schema and a later change of it are what the server gives back."""
    name = f"{polaris_namespace}.orders"
    table = polaris_catalog.create_table(name, ORDERS, properties={"owner": "ann"})
    with table.update_schema() as change:
        change.add_column("amount", LongType())
    found = polaris_catalog.load_table(name)
    assert [field.name for field in found.schema().fields] == ["id", "customer", "amount"]
    assert found.properties["owner"] == "ann"
    polaris_catalog.drop_table(name)
    with pytest.raises(NoSuchTableError):
        polaris_catalog.load_table(name)


@pytest.mark.requirement("REQ-645")
def test_namespace_is_gone_after(polaris: RestCatalog, run_id: str) -> None:
    """A namespace is dropped after the test, with its tables and with namespaces within it."""
    with client.temporary_namespace(polaris, unique_name("after", run_id)) as name:
        polaris.create_table(f"{name}.orders", ORDERS)
        polaris.create_namespace((name, "inner"))
        polaris.create_table((name, "inner", "orders"), ORDERS)
        assert name in client.namespaces(polaris)
    assert name not in client.namespaces(polaris)


def test_namespace_may_be_dropped_by_the_test(polaris: RestCatalog, run_id: str) -> None:
    """A test may drop its namespace itself."""
    with client.temporary_namespace(polaris, unique_name("own", run_id)) as name:
        polaris.drop_namespace(name)
