"""PostgreSQL's extensions on this machine: those that the first lines don't call missing can be made, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci.local import postgres

if TYPE_CHECKING:
    from conftest import Here

PYPROJECT = """
[tool.floe-ci.runner]
install = ["pytest", "psycopg[binary]"]

[tool.floe-ci.tiers.integration]
paths = ["tests"]
services = ["postgres"]
environment = { LACKING = "%s" }
"""
TESTS = """
import os

import psycopg
import pytest

HAS = {name: os.environ["FLOE_POSTGRES_" + name] for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE")}


@pytest.mark.parametrize("name", %r)
def test_extension(name):
    database = HAS["DATABASE"]
    given = dict(host=HAS["HOST"], port=HAS["PORT"], user=HAS["USER"], password=HAS["PASSWORD"], dbname=database)
    with psycopg.connect(**given, autocommit=True) as connection:
        try:
            connection.execute(f'CREATE EXTENSION "{name}"')
        except psycopg.errors.FeatureNotSupported:
            assert name in os.environ["LACKING"].split()
        else:
            assert name not in os.environ["LACKING"].split()
"""


def test_extensions_are_those_that_are_told(here: Here) -> None:
    """Each of the usual extensions can be made, or else the first lines say that it is missing."""
    folder = postgres.installation()
    assert folder is not None
    lacking = postgres.lacking(folder)
    (here.repository / "pyproject.toml").write_text(PYPROJECT % " ".join(lacking))
    (here.repository / "tests" / "test_orders.py").write_text(TESTS % (postgres.EXTENSIONS,))
    code, said = here.run("test", "--on", "local")
    assert code == 0, said
    assert f"{len(postgres.EXTENSIONS)} passed" in said
    first_lines = said.split("postgres …")[0]
    assert [name for name in postgres.EXTENSIONS if name in first_lines] == lacking
