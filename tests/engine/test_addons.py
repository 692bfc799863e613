"""Add-ons of a cluster, in one that was there before and is as it was afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import SMALL

if TYPE_CHECKING:
    from tests.engine.conftest import Existing, Repository

pytestmark = [pytest.mark.timeout(900), pytest.mark.requirement("REQ-645")]

ADDON = """\
apiVersion: example.com/v1
kind: Kettle
metadata: {name: first, namespace: kettles}
spec: {litres: 2}
---
apiVersion: v1
kind: Service
metadata: {name: operator, namespace: kettles}
spec: {selector: {app: operator}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: kettles}
spec:
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: operator
          image: floe.local/runner:dev
          command: [python, -u, -m, http.server]
          readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-kettles, namespace: neighbour}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kettles.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Kettle, plural: kettles, singular: kettle, listKind: KettleList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {litres: {type: integer}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: kettles}
"""
OF_ITS_KIND = """
---
apiVersion: example.com/v1
kind: Kettle
metadata: {name: mine}
spec: {litres: 1}
"""


@pytest.fixture
def kettles(repository: Repository) -> Repository:
    """Return a repository whose tier has an add-on, and a manifest of a kind that only that brings."""
    repository.write("pyproject.toml", SMALL["pyproject.toml"] + 'addons = ["addon.yaml"]\n')
    repository.write("web.yaml", SMALL["web.yaml"] + OF_ITS_KIND)
    repository.write("addon.yaml", ADDON)
    return repository


def wait_until_unknown(existing: Existing, timeout: float = 60) -> None:
    """Wait until the cluster lists the kind no more, as it does for a moment after its definition is gone."""
    deadline = time.monotonic() + timeout
    while "kettles" in existing.kubectl("api-resources", "--output", "name"):
        assert time.monotonic() < deadline, "the kind is still there"


def test_add_on_that_nobody_asked_for(existing: Existing, kettles: Repository) -> None:
    """An add-on is refused with its objects and the rights that it needs, and nothing was made."""
    before = existing.inventory()
    done = existing.call("test", *existing.IMAGE, where=kettles.folder)
    assert done.code == 2
    said = (kettles.folder / "results" / "integration" / "summary.md").read_text().replace("\\", "")
    for each in ("Kettle first (kettles)", "Service operator (kettles)", "Namespace kettles"):
        assert each in said
    assert "say --addon addon.yaml=install" in said
    assert "customresourcedefinitions.apiextensions.k8s.io: create, delete, get, list, patch" in said
    assert existing.inventory() == before


def test_add_on_for_the_run(existing: Existing, kettles: Repository) -> None:
    """An add-on that is asked for is there when the tier's manifests need it, is logged, and goes with the run."""
    before = existing.inventory()
    asked = ("--addon", "addon.yaml=install", "--keyword", "answers")
    done = existing.call("test", *existing.IMAGE, *asked, where=kettles.folder)
    assert done.code == 0, done.errors[-3000:]
    (log,) = (kettles.folder / "results" / "integration" / "logs").glob("kettles.operator-*/operator.log")
    assert '"GET / HTTP/1.1" 200' in log.read_text()  # its probe
    assert "Pod/operator-" in (kettles.folder / "results" / "integration" / "events.txt").read_text()
    wait_until_unknown(existing)
    existing.wait_until_same(before)


@pytest.mark.long
def test_add_on_that_is_there(existing: Existing, kettles: Repository) -> None:
    """An add-on that the cluster has is refused as one to be made, used as one that is there, and stays."""
    definition = next(part for part in ADDON.split("---\n") if "CustomResourceDefinition" in part)
    existing.kubectl("apply", "--filename", "-", stdin=definition)
    existing.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/kettles.example.com")
    before = existing.inventory()
    refused = existing.call("test", *existing.IMAGE, "--addon", "addon.yaml=install", where=kettles.folder)
    assert refused.code == 2
    assert existing.inventory() == before
    asked = ("--addon", "addon.yaml=there", "--keyword", "answers")
    done = existing.call("test", *existing.IMAGE, *asked, where=kettles.folder)
    assert done.code == 0, done.errors[-3000:]
    existing.wait_until_same(before)
    existing.kubectl("delete", "--filename", "-", stdin=definition)
    wait_until_unknown(existing)
