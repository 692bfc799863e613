"""What is asked of Helm, and what becomes of its answers."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from floe_ci import helm
from floe_ci.config import Chart
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from pathlib import Path

OWN = Chart(path="charts/app", values=("values-test.yaml", "more.yaml"), release="web")
REMOTE = Chart(path="oci://registry.example.com/charts/queue", version="1.2.3")
HOOK = "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, annotations: {{helm.sh/hook: '{hooks}'}}}}}}\n---\n"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
  namespace: {{ .Release.Namespace }}
data:
  colour: {{ .Values.colour }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
---
apiVersion: v1
kind: Pod
metadata: {name: check, annotations: {helm.sh/hook: test}}
"""


def test_chart_of_the_repository() -> None:
    """A chart in a folder is rendered with its values in their order, for the namespace that its objects will be in."""
    assert helm.command(OWN, "/render", "ns", "1.34.4") == (
        *("helm", "template", "web", "/render/source/charts/app"),
        *("--namespace=ns", "--include-crds", "--skip-tests"),
        *("--values=/render/source/values-test.yaml", "--values=/render/source/more.yaml"),
        "--kube-version=1.34.4",
    )


def test_chart_of_a_registry() -> None:
    """A chart of a registry is rendered from there, by its version, and its release is called like it."""
    assert helm.command(REMOTE, "/render", "ns")[2:4] == ("queue", "oci://registry.example.com/charts/queue")
    assert helm.command(REMOTE, "/render", "ns")[-1] == "--version=1.2.3"


def test_hooks() -> None:
    """Of hooks those that install something stay; what only an upgrade or a removal has would undo it."""
    told = {
        "a": "pre-install,pre-upgrade",
        "b": "post-install",
        "c": "pre-upgrade",
        "d": "post-delete",
        "e": "pre-delete",
    }
    text = "".join(HOOK.format(name=name, hooks=hooks) for name, hooks in told.items())
    assert [each["metadata"]["name"] for each in helm.manifests(OWN, text).documents] == ["a", "b"]


def test_refusal() -> None:
    """A refusal is one line with paths as they are in the repository."""
    said = "Error: values don't meet the specifications:\n  at '/render/source/charts/app/values.yaml'\n\n"
    said += "Use --debug flag to render out invalid YAML\n"
    assert helm.refusal(OWN, said, "/render") == (
        "charts/app: Error: values don't meet the specifications: at 'charts/app/values.yaml'"
    )


def test_refusal_of_a_chart_that_was_pulled() -> None:
    """Of a chart of a registry the refusal is told, and not what was got before it."""
    said = (
        "Pulled: registry.example.com/charts/queue:1.2.3\nDigest: sha256:abc\nError: chart requires kubeVersion: >= 2\n"
    )
    assert helm.refusal(REMOTE, said, "/render") == f"{REMOTE.path}: Error: chart requires kubeVersion: >= 2"


def test_dependencies_that_are_not_there() -> None:
    """A chart whose dependencies are not beside it is refused with the command that has them there."""
    said = "Error: found in Chart.yaml, but missing in charts/ directory: redis"
    assert helm.refusal(OWN, said, "/render").endswith("have them beside it with `helm dependency build charts/app`")


def test_every_refusal_is_told() -> None:
    """Of several charts every one that can't be rendered is told."""
    with pytest.raises(UserError) as caught:
        helm.together([Manifests(()), "a: wrong", "b: wrong too"])
    assert str(caught.value).splitlines() == ["charts can't be rendered: 2 problems", "  a: wrong", "  b: wrong too"]


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on PATH; the toolbox has its own")
def test_real_helm(tmp_path: Path) -> None:
    """Helm takes the command: the namespace, the version and the values are in what comes out, and tests are not."""
    chart = tmp_path / helm.SOURCE / "charts" / "app"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: app, version: 0.1.0}\n")
    (chart / "values.yaml").write_text("colour: red\n")
    (chart / "templates" / "settings.yaml").write_text(TEMPLATE)
    (tmp_path / helm.SOURCE / "values-test.yaml").write_text("colour: blue\n")
    asked = Chart(path="charts/app", values=("values-test.yaml",), release="web")
    command = helm.command(asked, str(tmp_path), "ns", "1.33.1")
    rendered = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    (settings,) = helm.manifests(asked, rendered).documents
    assert settings["metadata"] == {"name": "web-settings", "namespace": "ns"}
    assert settings["data"] == {"colour": "blue", "kubernetes": "v1.33.1"}
