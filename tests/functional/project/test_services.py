"""What the documents say of the services is what their folders say."""

from __future__ import annotations

from pathlib import Path

import pytest
from floe_ci.catalog import Catalog

ROOT = Path(__file__).resolve().parents[3]
CATALOG = Catalog.of_package()


def row(name: str) -> str:
    """Return a service's row in the table of the README: the first variable whole, and the ends of the others."""
    first, *others = CATALOG.variables(name)
    stem = first.removesuffix("_HOST")
    variables = [first, *(variable.removeprefix(stem) for variable in others)]
    return f"| `{name}` | {CATALOG.services[name].description.about} | {', '.join(f'`{each}`' for each in variables)} |"


@pytest.mark.parametrize("name", CATALOG.services)
def test_readme_has_every_service(name: str) -> None:
    """The README's table has a row for each service, with what it is in a cluster and its variables."""
    assert row(name) in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_readme_has_no_other_service() -> None:
    """The README's table names no service that is not there."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| service | in a cluster | variables |") + 2
    assert len(lines[start : lines.index("", start)]) == len(CATALOG.services)


def test_guide_shows_the_example() -> None:
    """The guide to services of one's own shows the description that the example has."""
    guide = (ROOT / "docs" / "guides" / "services.md").read_text(encoding="utf-8")
    assert (ROOT / "examples/own-service/services/greeter/service.toml").read_text(encoding="utf-8") in guide
