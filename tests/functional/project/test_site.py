"""The site of the documentation: its reference is made from the code, and its links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import floe_ci.cli
import pytest
from floe_ci.catalog import Catalog, Local, Ready
from floe_ci.config import Config, RunnerConfig, TierConfig, Timeouts, read_config
from floe_ci.growth import PerShard
from floe_ci.verdict import EXIT_CODES

import floe_testing.conditions

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script that makes the site."""
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(DOCS))
    return import_module("make_site")


@pytest.fixture
def reference(build: ModuleType) -> dict[str, str]:
    """Return the pages of the reference."""
    pages: dict[str, str] = build.reference.pages()
    return pages


def test_reference_has_every_option(reference: dict[str, str]) -> None:
    """Each command of `floe-ci` has its heading in the reference, and each of its options a row below that."""
    parts = re.split(r"^## ", reference["commands.md"], flags=re.MULTILINE)
    told = {head: text for head, _, text in (part.partition("\n") for part in parts)}
    context = click.Context(floe_ci.cli.main)
    for name in floe_ci.cli.COMMANDS:
        command = floe_ci.cli.main.get_command(context, name)
        assert command
        for path, each in getattr(command, "commands", {"": command}).items():
            rows = told[f"floe-ci {name} {path}".strip()]
            options = [option for param in each.params if isinstance(param, click.Option) for option in param.opts]
            assert [option for option in options if not re.search(rf"{option}\b", rows)] == []


def test_reference_has_every_key(reference: dict[str, str]) -> None:
    """Each key of `[tool.floe-ci]` and of the tables in it is in the reference, and is explained."""
    page = reference["configuration.md"]
    tables = {"runner", "timeouts", "tiers"}
    for model in (Config, RunnerConfig, TierConfig, Timeouts):
        for field in model.model_fields.values():
            if field.alias not in tables:
                assert re.search(rf"^\| `{field.alias}` \| .+ \| .+ \| \S.* \|$", page, re.MULTILINE), field.alias
    assert {table for table in tables if f"[tool.floe-ci.{table}" in page} == tables


def test_reference_has_every_fixture(reference: dict[str, str], pytester: pytest.Pytester) -> None:
    """The reference has the fixtures that pytest itself finds in floe-testing, and no others."""
    found = pytester.runpytest("--fixtures", "-p", "no:asyncio").stdout.str()
    names = set(re.findall(r"^(\w+)(?: \[\w+ scope\])? -- \S*floe_testing/(?:services/)?fixtures", found, re.MULTILINE))
    rows = reference["fixtures.md"].partition("## Markers")[0]
    assert "postgres" in names
    assert set(re.findall(r"^\| `(\w+)` \| .+ \| \S.* \|$", rows, re.MULTILINE)) == names


def test_reference_has_the_rest(reference: dict[str, str]) -> None:
    """Each condition, exit code and service is in the reference."""
    for name in floe_testing.conditions.__all__:
        assert f"| `{name}` | " in reference["fixtures.md"]
    for title, model in {"local": Local, "local.ready": Ready, "per-shard.WORKLOAD": PerShard}.items():
        rows = reference["services.md"].partition(f"### [{title}]\n")[2].partition("###")[0]
        keys = [field.alias for name, field in model.model_fields.items() if name != "ready"]
        assert [key for key in keys if not re.search(rf"^\| `{key}` \| .+ \| .+ \| \S.* \|$", rows, re.MULTILINE)] == []
    for meaning in EXIT_CODES:
        assert f"| {', '.join(map(str, meaning.codes))} | {meaning.verdict} | " in reference["results.md"]
    for name, service in Catalog.of_package().services.items():
        assert f"## {name}\n" in reference["services.md"]
        assert service.description.about in reference["services.md"]


def test_links_lead_somewhere(build: ModuleType, tmp_path: Path) -> None:
    """No page links to a file that is not there, and each page is in the site."""
    assert build.assemble(tmp_path) == []
    nav = (DOCS / "zensical.toml").read_text(encoding="utf-8")
    assert [page for page in re.findall(r'"([^"]+\.md)"', nav) if not (tmp_path / page).is_file()] == []
    pages = {page.relative_to(tmp_path).as_posix() for page in tmp_path.rglob("*.md")}
    assert pages == set(re.findall(r'"([^"]+\.md)"', nav))


def test_dead_link_is_told(build: ModuleType) -> None:
    """A link to nothing is told; one to another page, or to a file of the repository, leads there."""
    pages = {"docs/guides/a.md": "guides/a.md", "README.md": "overview.md"}
    text = "[a](../../README.md#x) [`b`](../../LICENSE) [c](gone.md) ![d](https://e.f/g.png)\n```\n[h](gone.md)\n```"
    made, dead = build.relinked(text, "docs/guides/a.md", pages)
    assert made == "[a](../overview.md#x) `b` c ![d](https://e.f/g.png)\n```\n[h](gone.md)\n```\n"
    assert dead == ["gone.md"]


def test_pipes_in_tables_are_read(build: ModuleType) -> None:
    """In code, the backslash that GitHub wants before a pipe of a table is not in the site; elsewhere it is."""
    made, _ = build.relinked(r"| `a\|b` | c\|d |", "README.md", {"README.md": "overview.md"})
    assert made == "| `a|b` | c\\|d |\n"


def test_first_table_is_sound() -> None:
    """The table that the first page gives to copy is one that `floe-ci` takes."""
    (table,) = re.findall(
        r"^```toml\n(.*?)^```$", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert tomllib.loads(table)
    assert read_config(table).tier("integration").services == ("postgres",)
