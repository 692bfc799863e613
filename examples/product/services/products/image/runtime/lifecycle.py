"""The whole life of the shop's dbt project: seed, run, test, snapshot and docs, with DuckDB or PostgreSQL."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any, Self

from dbt.cli.main import dbtRunner

from runtime import lineage

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[1] / "shop"
STEPS = (["seed"], ["run"], ["test"], ["snapshot"], ["docs", "generate"])
VERSIONS = "select count(*) as versions from {{ ref('orders_history') }}"


class FailedError(Exception):
    """A step failed; the message has a line for each node that did, and for each that was skipped for it."""


@dataclass(frozen=True)
class Lived:
    """What came of it."""

    passed: dict[str, int]
    """How many nodes each step went well for; of `docs`: how many tables it has found in the database."""
    versions: int
    """How many rows the snapshot holds: one for each state that an order was seen in."""


class Shop:
    """The project in a copy that dbt may write to, and the database that its tables are in, which keeps what it had."""

    def __init__(self, target: str, schema: str, orders: str | None = None) -> None:
        """Copy the project.

        Args:
            target: `duckdb` or `postgres`: the output of `profiles.yml`.
            schema: Where the tables are put.
            orders: CSV in the place of the project's seed.
        """
        self._folder = TemporaryDirectory()
        self._copy = Path(self._folder.name, "shop")
        shutil.copytree(PROJECT, self._copy)
        if orders is not None:
            self.receive(orders)
        self._target = target
        self._where = ["--project-dir", str(self._copy), "--profiles-dir", str(self._copy), "--target", target]
        os.environ["SHOP_SCHEMA"] = schema
        os.environ.setdefault("SHOP_DUCKDB", str(Path(gettempdir(), "shop.duckdb")))

    def __enter__(self) -> Self:
        """Return it; the copy is removed after."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the copy."""
        self._folder.cleanup()

    def receive(self, orders: str) -> None:
        """Put other orders, CSV, in the place of the seed."""
        (self._copy / "seeds" / "raw_orders.csv").write_text(orders, encoding="utf-8")

    def live(self) -> Lived:
        """Go through all steps.

        Raises:
            FailedError: A step failed; none after it was taken.
        """
        passed = {step[0]: len(self._dbt(*step)) for step in STEPS}
        (shown,) = self._dbt("show", "--inline", VERSIONS, "--limit", "1", "--quiet")
        return Lived(passed, int(shown.agate_table.columns["versions"].values()[0]))

    def build(self) -> int:
        """Do what `dbt build` does, and return how many nodes went well.

        Raises:
            FailedError: One did not; those that are made of it were skipped.
        """
        return len(self._dbt("build"))

    def _dbt(self, *step: str) -> list[Any]:
        """Take a step, and return the nodes that it went well for."""
        done = dbtRunner().invoke([*step, *self._where])
        if done.exception:
            reason = f"dbt {' '.join(step)}: {done.exception}"
            raise FailedError(reason)
        lineage.tell_of_dbt(self._copy, self._target, step[0])
        result: Any = done.result
        if not done.success:
            raise FailedError("\n".join([f"dbt {' '.join(step)} failed:", *_unwell(result)]))
        return list(result.nodes if step[0] == "docs" else result.results)


def _unwell(result: Any) -> Iterator[str]:  # noqa: ANN401 - of a class of dbt's for each command
    for each in result.results:
        if each.status not in {"success", "pass"}:
            yield f"{each.status}: {each.node.name}" + (f": {each.message}" if each.message else "")
