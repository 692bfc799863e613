"""What every product must keep to, whoever owns it. `policies.yml` says what each rule asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from product.specification import Product

FILE = Path(__file__).with_name("policies.yml")


@dataclass(frozen=True)
class Policies:
    """The rules, each with what it asks for."""

    naming: str
    """A regular expression: the names of products, namespaces and columns."""
    required_metadata: tuple[str, ...]
    """What a product has to say of itself; `column-description`: of each column."""
    forbidden_classification: tuple[str, ...]
    """What no column of a product may be classified as."""

    @classmethod
    def read(cls, path: Path = FILE) -> Policies:
        """Read the rules of a file."""
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return cls(found["naming"], tuple(found["required-metadata"]), tuple(found["forbidden-classification"]))


@dataclass(frozen=True)
class Violation:
    """Where a product breaks a rule."""

    file: str
    where: str
    rule: str
    reason: str

    def __str__(self) -> str:
        """Return one line: where it is, which rule, why, and what to do."""
        return f"{self.file}: {self.where}: {self.rule}: {self.reason}"


def violations(product: Product, policies: Policies) -> list[Violation]:
    """Return every rule that a product breaks, and where."""
    found = [*_naming(product, policies), *_metadata(product, policies), *_classification(product, policies)]
    return [Violation(product.file, where, rule, reason) for where, rule, reason in found]


def _naming(product: Product, policies: Policies) -> Iterator[tuple[str, str, str]]:
    names = [("name", product.name), ("namespace", product.namespace)]
    names += [(f"columns.{column.name}", column.name) for column in product.columns]
    for where, name in names:
        if not re.fullmatch(policies.naming, name):
            yield where, "naming", f"'{name}' does not match {policies.naming}; call it something else"


def _metadata(product: Product, policies: Policies) -> Iterator[tuple[str, str, str]]:
    rule, required = "required-metadata", policies.required_metadata
    for key in ("owner", "description"):
        if key in required and not getattr(product, key).strip():
            yield key, rule, "is missing; whoever reads the table needs it"
    if "column-description" in required:
        for column in product.columns:
            if not column.description.strip():
                yield f"columns.{column.name}", rule, "has no description; whoever reads the table needs it"


def _classification(product: Product, policies: Policies) -> Iterator[tuple[str, str, str]]:
    for column in product.columns:
        if column.classification in policies.forbidden_classification:
            reason = f"'{column.classification}' may be in no product; leave the column out"
            yield f"columns.{column.name}", "forbidden-classification", reason
