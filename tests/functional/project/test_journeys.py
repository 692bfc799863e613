"""The journeys that are broken on purpose are those that the end-to-end tier has to have."""

import ast
import tomllib
from pathlib import Path

import yaml

from journeys import BROKEN

ROOT = Path(__file__).parents[3]
WITHOUT_SERVICE = {"lineage"}
"""Journeys that are skipped here, since the tier can't have their service."""


def journeys_of(path: str, function: str) -> set[str]:
    """Return the journeys that a test is marked with."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    (test,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    marks = [mark for mark in test.decorator_list if ast.unparse(mark).startswith("pytest.mark.journey(")]
    return {ast.literal_eval(mark.args[0]) for mark in marks if isinstance(mark, ast.Call)}


def test_each_journey_is_broken_once() -> None:
    """Each journey that the audit asks for is broken by a test of its own, and marked where the audit goes by marks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    asked = project["floe-testing"]["audit"]["journeys"]
    assert BROKEN.keys() == asked.keys() - WITHOUT_SERVICE
    for name, breakage in BROKEN.items():
        path, _, test = breakage.test.partition("::")
        marked = journeys_of(path, test.partition("[")[0])
        assert marked == (set() if "services" in asked[name] else {name})


def test_what_is_broken_is_a_service_of_the_tier() -> None:
    """Each Service that is broken is in the manifests of one of the tier's services."""
    folders = (ROOT / "k8s" / "base", ROOT / "examples" / "product" / "services")
    files = [path for folder in folders for path in folder.glob("*/*.yaml")]
    documents = [document for path in files for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    there = {document["metadata"]["name"] for document in documents if document["kind"] == "Service"}
    assert {breakage.broken for breakage in BROKEN.values() if breakage.how != "refused"} <= there
