"""The schema of `[tool.floe-ci]`, as an editor reads it: it takes what a run takes, and says what each key is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from floe_ci.catalog import Catalog
from floe_ci.config import catalog_of, read_config
from floe_ci.errors import UserError
from floe_ci.schema import MODELS, schema
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[3]
TABLES = sorted(path for path in ROOT.glob("examples/**/pyproject.toml") if "[tool.floe-ci" in path.read_text())
TIER = "[tool.floe-ci.tiers.integration]\n"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the schema of a repository without services of its own."""
    return schema(Catalog.of_package())


def problems(document: dict[str, Any], text: str) -> list[str]:
    """Return what an editor would underline in a file."""
    return [error.message for error in Draft7Validator(document).iter_errors(tomllib.loads(text))]


def test_is_a_schema(document: dict[str, Any]) -> None:
    """It is a schema of the draft that it says it is."""
    Draft7Validator.check_schema(document)
    assert document["$schema"] == Draft7Validator.META_SCHEMA["$schema"]


def test_speaks_of_toml_only(document: dict[str, Any]) -> None:
    """What TOML has not, which is null, is no choice that an editor would propose."""
    assert "null" not in json.dumps(document)


@pytest.mark.parametrize("path", [ROOT / "pyproject.toml", *TABLES], ids=lambda path: path.parent.name)
def test_takes_what_a_run_takes(path: Path) -> None:
    """Nothing is underlined in the tables of repositories that are run, those with services of their own included."""
    assert problems(schema(catalog_of(path.parent)), path.read_text()) == []


def test_every_key_is_told(document: dict[str, Any]) -> None:
    """Each key of each table is there under its name in a file, with a text of what it is."""
    for model in MODELS:
        keys = document["definitions"][model.__name__]["properties"]
        assert {*keys} == {field.alias or name for name, field in model.model_fields.items()}
        assert [key for key, each in keys.items() if not (each.get("description") or "$ref" in each)] == []
        assert document["definitions"][model.__name__]["description"]


@pytest.mark.parametrize(
    "text",
    [
        "[tool.floe-ci]\ncoverag = []",
        "[tool.floe-ci]\ncoverage = 'src'",
        "[tool.floe-ci.runner]\ngroup = ['test']",
        "[tool.floe-ci.tiers.other]",
        "[tool.floe-ci.timeouts]\ntest = 0",
        "[tool.floe-ci.timeouts]\njob = '60'",
        f"{TIER}services = ['postgre']",
        f"{TIER}shards = 'many'",
        f"{TIER}shards = 0",
        f"{TIER}nodes = 2",
        f"{TIER}retries = 1000",
        f"{TIER}schedule = 'random'",
        f"{TIER}environment = {{ A = 1 }}",
        f"{TIER}charts = [{{ version = '1' }}]",
        f"{TIER}resources = {{ runner = {{ disk = '1Gi' }} }}",
    ],
)
def test_refuses_what_a_run_refuses(document: dict[str, Any], text: str) -> None:
    """Unknown keys and names, wrong types and numbers out of range are underlined, as a run refuses them."""
    with pytest.raises(UserError):
        read_config(text)
    assert problems(document, text)


def test_knows_nothing_of_other_tables(document: dict[str, Any]) -> None:
    """Whatever else a `pyproject.toml` has is none of its business."""
    assert problems(document, "[project]\nname = 'a'\n[tool.other]\nx = 1\n[tool.floe-ci.tiers.unit]\n") == []


def test_command(tmp_path: Path) -> None:
    """`floe-ci schema` prints it with the services of the repository, also where the table has something wrong."""
    shutil.copytree(ROOT / "examples" / "own-service" / "services", tmp_path / "services")
    table = "[tool.floe-ci]\nservice-folders = ['services']\ncoverag = []\n"
    (tmp_path / "floe-ci.toml").write_text(table)
    done = subprocess.run(
        [sys.executable, "-m", "floe_ci", "schema", "--source", str(tmp_path)], capture_output=True, check=True
    )
    said = json.loads(done.stdout)
    assert problems(said, f"{TIER}services = ['greeter', 'postgres']") == []
    assert problems(said, table) == ["Additional properties are not allowed ('coverag' was unexpected)"]
