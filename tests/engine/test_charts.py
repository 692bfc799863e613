"""A chart is rendered by the real Helm, built in the toolbox, and its application is tested as other manifests are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest
from floe_ci import toolbox
from floe_ci.build import Build
from floe_ci.origin import of_this_machine
from floe_ci.request import RunRequest
from floe_ci.steps import Timings

import image_registry
from repositories import run
from tests.engine.conftest import SMALL, Repository

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.manifests import Manifests

    from tests.engine.conftest import Dagger, Existing

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.requirement("REQ-645")]

SETTINGS = """
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {app.kubernetes.io/managed-by: {{ .Release.Service }}}
data:
  colour: {{ .Values.colour }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
---
apiVersion: batch/v1
kind: Job
metadata: {name: clears-all, annotations: {helm.sh/hook: post-delete}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: clear, image: "floe.local/runner:dev"}]}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a repository whose tier is a chart, with one value of its own."""
    made = Repository(tmp_path_factory.mktemp("shop"))
    chart = '{ path = "charts/shop", values = ["test.yaml"], release = "web" }'
    made.write("pyproject.toml", SMALL["pyproject.toml"].replace('manifests = ["web.yaml"]', f"charts = [{chart}]"))
    made.write("charts/shop/Chart.yaml", "{apiVersion: v2, name: shop, version: 0.1.0, kubeVersion: '>= 1.30.0-0'}\n")
    made.write("charts/shop/values.yaml", "colour: red\n")
    made.write("charts/shop/templates/web.yaml", SMALL["web.yaml"] + SETTINGS)
    made.write("test.yaml", "colour: blue\n")
    return made


@pytest.fixture(scope="module")
def rendered(dagger: Dagger, shop: Repository, tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifests, Path]:
    """Return what the toolbox's Helm makes of the chart, and that Helm, for this machine."""
    given = dict(zip(dagger.options[::2], dagger.options[1::2], strict=True))
    asked = RunRequest(
        source=shop.folder, registry=given.get("--registry", ""), node_image=given.get("--node-image", "")
    )
    helm = tmp_path_factory.mktemp("bin") / "helm"

    async def render() -> Manifests:
        async with of_this_machine(asked) as origin:
            build = await Build.read(origin, asked, Timings())
            plan = await build.manifests(build.tools, "somewhere")
            await toolbox.with_helm(build.tools, build.registry).file("/usr/local/bin/helm").export(str(helm))
            return plan.services

    return anyio.run(render), helm


def test_rendered_in_the_toolbox(rendered: tuple[Manifests, Path]) -> None:
    """Values, namespace and Kubernetes' version are in what comes out; what only a removal has is not."""
    documents = {each["kind"]: each for each in rendered[0].documents}
    assert sorted(documents) == ["ConfigMap", "Deployment", "Service"]
    assert documents["ConfigMap"]["metadata"]["namespace"] == "somewhere"
    assert documents["ConfigMap"]["data"]["colour"] == "blue"
    assert documents["ConfigMap"]["data"]["kubernetes"].startswith("v1.")


@pytest.fixture
def helm(rendered: tuple[Manifests, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the toolbox's Helm, and have it on this machine's PATH."""
    monkeypatch.setenv("PATH", str(rendered[1].parent), prepend=os.pathsep)
    return rendered[1]


@pytest.mark.usefixtures("helm")
def test_deployed_and_tested(existing: Existing, shop: Repository) -> None:
    """The application of a chart is deployed into the run's namespace, answers the tests, and goes with the run."""
    before = existing.inventory()
    done = existing.call("test", *existing.IMAGE, "--keyword", "answers", where=shop.folder)
    assert done.code == 0, done.errors[-3000:]
    assert list((shop.folder / "results" / "integration" / "logs").glob("web-*/web.log"))
    existing.wait_until_same(before)


def test_chart_of_a_registry(
    existing: Existing, helm: Path, shop: Repository, repository: Repository, tmp_path: Path
) -> None:
    """A chart of a registry is pulled in the version that the tier says, and deployed as one of the repository is."""
    before = existing.inventory()
    with image_registry.serving(tmp_path) as host:
        for command in (
            ("package", str(shop.folder / "charts" / "shop"), "--destination", str(tmp_path)),
            ("push", str(tmp_path / "shop-0.1.0.tgz"), f"oci://{host}/charts"),
        ):
            made = run([str(helm), *command], tmp_path, 60)
            assert made.code == 0, made.errors
        for path, text in SMALL.items():
            repository.write(path, text)
        chart = f'{{ path = "oci://{host}/charts/shop", version = "0.1.0" }}'
        table = SMALL["pyproject.toml"].replace('manifests = ["web.yaml"]', f"charts = [{chart}]")
        repository.write("pyproject.toml", table)
        done = existing.call("test", *existing.IMAGE, "--keyword", "answers", where=repository.folder)
        assert done.code == 0, done.errors[-3000:]
        repository.write("pyproject.toml", table.replace("0.1.0", "9.9.9"))
        refused = existing.call("test", *existing.IMAGE, "--keyword", "answers", where=repository.folder)
        assert refused.code == 2, refused.errors[-3000:]
        assert "charts can't be rendered" in refused.output
    existing.wait_until_same(before)
