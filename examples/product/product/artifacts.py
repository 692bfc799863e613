"""What a product is compiled into: JSON that the platform runs, with no knowledge of specifications or policies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from product.policies import Policies, violations
from product.specification import Column, Product, SpecificationError, read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CONFIG_MAP = "products"
"""What the platform's code location mounts."""
TYPES = {"date": "DATE", "double": "DOUBLE", "long": "BIGINT", "string": "VARCHAR"}
"""Iceberg's types, and DuckDB's; decimals have digits, and are the same in both."""
DECIMAL = re.compile(r"decimal\(\d{1,2}, ?\d{1,2}\)")


class RefusedError(Exception):
    """A product breaks a policy; the message has a line for each violation."""


def compile_files(paths: Iterable[Path], policies: Policies | None = None) -> dict[str, str]:
    """Compile specifications, and return the files that the platform reads, by name.

    Nothing comes out of it unless every one of them may be deployed.

    Raises:
        SpecificationError: A file is no specification.
        RefusedError: A product breaks a policy.
    """
    products = [read(path) for path in paths]
    rules = policies or Policies.read()
    if broken := [violation for product in products for violation in violations(product, rules)]:
        raise RefusedError("\n".join(map(str, broken)))
    return {f"{each.name}.json": json.dumps(artifact(each), indent=2, sort_keys=True) for each in products}


def artifact(product: Product) -> dict[str, Any]:
    """Return what the platform needs to know of a product.

    Raises:
        SpecificationError: A column has a type that there is not.
    """
    fields = [
        {"id": number, "name": column.name, "type": column.type, "required": False, "doc": column.description}
        for number, column in enumerate(product.columns, start=1)
    ]
    casts = ", ".join(f'CAST("{each.name}" AS {_type(product, each)}) AS "{each.name}"' for each in product.columns)
    return {
        "name": product.name,
        "table": [product.namespace, product.name],
        "description": product.description,
        "owner": product.owner,
        "source": product.source,
        "query": f"SELECT {casts} FROM ({product.query.strip().rstrip(';')})",  # noqa: S608 # nosec B608 - the owner's own
        "schema": {"type": "struct", "schema-id": 0, "fields": fields},
    }


def config_map(artifacts: dict[str, str]) -> dict[str, Any]:
    """Return the ConfigMap by which artifacts get into a cluster."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": artifacts}


def _type(product: Product, column: Column) -> str:
    if DECIMAL.fullmatch(column.type):
        return column.type.upper()
    if found := TYPES.get(column.type):
        return found
    known = ", ".join((*TYPES, "decimal(P, S)"))
    reason = f"{product.file}: columns.{column.name}: no type '{column.type}'; there are {known}"
    raise SpecificationError(reason)
