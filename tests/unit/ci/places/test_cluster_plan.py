"""What a run in an existing cluster is to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.places.cluster import read
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What `kubectl kustomize` would print: for the folder `run` a service, for the folder `runner` a Job with its rights.
RENDERED = """\
case "$*" in
*/run) cat <<'END'
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, \
image: "web:1"}]}}}}
END
;;
*/addons/0) cat <<'END'
{apiVersion: apps/v1, kind: Deployment, metadata: {name: operator, namespace: kube-system}, spec: {template: {spec: \
{containers: [{name: operator, image: "operator:1"}]}}}}
END
;;
*/runner) cat <<'END'
{apiVersion: v1, kind: ServiceAccount, metadata: {name: runner}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: runner}, \
rules: [{apiGroups: [""], resources: [namespaces], verbs: [delete]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: runner}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: runner}, spec: {template: {spec: {containers: [{name: runner, \
image: "floe.local/runner:dev"}, {name: results, image: "floe.local/runner:dev"}]}}}}
END
;;
esac
"""
TABLE = """\
[tool.floe-ci.tiers.integration]
services = ["postgres"]
environment = { URL = "x" }
[tool.floe-ci.timeouts]
job = 60
"""


@pytest.fixture
def repository(tmp_path: Path, stand_in: Callable[[str], None]) -> Path:
    """Return a repository with a table, and a Kustomize that renders what stands above."""
    stand_in(RENDERED)
    (tmp_path / "pyproject.toml").write_text(TABLE)
    return tmp_path


def test_specification(repository: Path) -> None:
    """The driver is told what the repository's table says, with each image where the cluster pulls it."""
    plan = read(RunRequest(source=repository, run_id="abc"))
    spec = plan.spec(lambda name: f"mirror/{name}")
    assert (spec.run_id, spec.tier, spec.namespace, spec.nodes) == ("abc", "integration", "floe-integration-abc", 1)
    assert (spec.environment, spec.timeouts.job) == ({"URL": "x"}, 60)
    assert "image: mirror/web:1" in spec.services
    assert spec.runner_image == "mirror/floe.local/runner:dev"
    assert spec.arguments({})[:5] == ("-p", "floe_ci_reporter", "-p", "no:cacheprovider", "tests/integration")


def test_images(repository: Path) -> None:
    """A run needs the images of its services, and the runner's once."""
    assert read(RunRequest(source=repository)).images == ("web:1", "floe.local/runner:dev")


def test_add_ons(repository: Path) -> None:
    """An add-on keeps its namespace, its image is pulled as others are, and one that is there is left out."""
    (repository / "pyproject.toml").write_text(TABLE.replace("environment", 'addons = ["operator"]\nenvironment'))
    plan = read(RunRequest(source=repository))
    assert "operator:1" in plan.images
    text = plan.spec(lambda name: f"mirror/{name}").addons["operator"]
    assert "namespace: kube-system" in text
    assert "image: mirror/operator:1" in text
    assert read(RunRequest(source=repository, addons={"operator": "there"})).spec().addons == {}


CHARTS = 'charts = [{ path = "charts/app" }, { path = "charts/broken" }]\nenvironment'
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: app}}"


def put_helm(folder: Path, script: str) -> None:
    """Make a shell script the helm on PATH."""
    helm = folder / "stand-in" / "helm"
    helm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    helm.chmod(0o755)


def refusal(repository: Path) -> list[str]:
    """Return the lines that a repository is refused with."""
    with pytest.raises(UserError) as caught:
        read(RunRequest(source=repository))
    return str(caught.value).splitlines()


def test_no_helm(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Helm, every chart is refused with where to get it."""
    (repository / "pyproject.toml").write_text(TABLE.replace("environment", CHARTS))
    monkeypatch.setenv("PATH", f"{tmp_path / 'stand-in'}:/bin")
    assert refusal(repository) == [
        "charts can't be rendered: 2 problems",
        "  charts/app: helm is not on PATH; install it: https://helm.sh/docs/intro/install",
        "  charts/broken: helm is not on PATH; install it: https://helm.sh/docs/intro/install",
    ]


def test_chart_that_helm_refuses(repository: Path, tmp_path: Path) -> None:
    """A chart that can't be rendered is told in Helm's words, by its path in the repository."""
    (repository / "pyproject.toml").write_text(TABLE.replace("environment", CHARTS))
    put_helm(tmp_path, f'case "$3" in *broken) echo "Error: no template in $3" >&2; exit 1;; esac; echo "{SERVICE}"')
    assert refusal(repository) == [
        "charts can't be rendered: charts/broken: Error: no template in charts/broken",
    ]


def test_charts(repository: Path, tmp_path: Path) -> None:
    """A chart is rendered for the run's namespace and the cluster's version, and is deployed beside the services."""
    (repository / "pyproject.toml").write_text(TABLE.replace("environment", CHARTS))
    put_helm(tmp_path, f'echo "$@" >> "${{0%/*}}/asked"; echo "{SERVICE}" | sed "s/app/$2/"')
    plan = read(RunRequest(source=repository, run_id="abc"), version=lambda: "v1.34.4")
    assert [each["metadata"]["name"] for each in plan.services.documents] == ["web", "app", "broken"]
    asked = (tmp_path / "stand-in" / "asked").read_text().splitlines()
    assert [each.split()[:2] for each in asked] == [["template", "app"], ["template", "broken"]]
    assert all("--namespace=floe-integration-abc" in each and "--kube-version=v1.34.4" in each for each in asked)


def test_services_alone(repository: Path) -> None:
    """Without tests there is no runner, and no image for it."""
    plan = read(RunRequest(source=repository), with_tests=False)
    assert plan.images == ("web:1",)
    assert (plan.spec().runner, plan.spec().runner_image) == ("", "")


def test_timeout_of_the_call(repository: Path) -> None:
    """A timeout that the caller gives takes the place of the table's."""
    assert read(RunRequest(source=repository, timeout=7)).spec().timeouts.job == 7


@pytest.mark.parametrize(("tier", "verbs"), [("integration", ["get", "list"]), ("e2e", ["delete"])])
def test_rights_of_the_tests(repository: Path, tier: str, verbs: list[str]) -> None:
    """Only end-to-end tests may change something outside of their namespace in a cluster of somebody else's."""
    plan = read(RunRequest(source=repository, tier=tier))  # type: ignore[arg-type]  # one of the tiers
    (role,) = [document for document in plan.job.documents if document["kind"] == "ClusterRole"]
    assert [rule["verbs"] for rule in role["rules"]] == [verbs]


def test_tier_without_services(repository: Path, calls: Callable[[], list[str]]) -> None:
    """For a tier without services only the runner is rendered."""
    (repository / "pyproject.toml").write_text("")
    assert read(RunRequest(source=repository)).services.documents == ()
    assert len(calls()) == 1


def test_what_is_rendered(repository: Path, calls: Callable[[], list[str]]) -> None:
    """Kustomize renders a folder beside which the package's manifests and the repository lie."""
    read(RunRequest(source=repository))
    assert all(call.startswith("kustomize --load-restrictor LoadRestrictionsNone /") for call in calls())
    assert [call.rpartition("/")[2] for call in calls()] == ["run", "runner"]


def test_manifest_that_is_refused(repository: Path, stand_in: Callable[[str], None]) -> None:
    """What Kustomize refuses is told in its words, without the folder that was made for it."""
    stand_in("""for last; do :; done; echo "no such file: $(dirname "$last")/source/x.yaml" >&2; exit 1""")
    with pytest.raises(UserError, match=r"^the manifests can't be rendered: no such file: x\.yaml$"):
        read(RunRequest(source=repository))


def test_missing_source(tmp_path: Path) -> None:
    """A repository that isn't there is refused by its name."""
    with pytest.raises(UserError, match=r"/nosuch: there is no such folder$"):
        read(RunRequest(source=tmp_path / "nosuch"))
