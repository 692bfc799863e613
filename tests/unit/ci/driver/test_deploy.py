"""What a run puts into the cluster: namespace, credentials, manifests."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import deploy
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

SERVICES = Manifests.parse(
    """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-connection, labels: {floe.dev/connection: "true"}}
data: {FLOE_WEB_HOST: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          image: web:1
          env:
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: floe-credentials, key: FLOE_WEB_PASSWORD}}
            - name: OTHER
              valueFrom: {secretKeyRef: {name: of-somebody-else, key: TOKEN}}
""",
    "test",
)


@pytest.mark.requirement("REQ-645", "T017", "REQ-645.1")
def test_namespace_is_made(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The run's namespace carries the labels of what the run made."""
    deploy.make_namespace(api.apis.core, run_spec())
    (made,) = api.created
    assert made["metadata"] == {"name": "ns", "labels": deploy.labels("abc")}


def test_namespace_is_there(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A namespace that is there, in a cluster that was kept, is taken as it is."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.CONFLICT
    deploy.make_namespace(api.apis.core, run_spec())
    assert [made["metadata"]["name"] for made in api.created] == ["ns"]


def test_password_that_is_there_stays(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A password that a service was set up with, in a cluster that was kept, is not made anew."""
    kept = {"data": {"FLOE_WEB_PASSWORD": base64.b64encode(b"as it was").decode()}}
    api.objects["/api/v1/namespaces/ns/secrets/floe-credentials"] = kept
    given = deploy.make_credentials(api.apis.core, run_spec(), SERVICES)
    assert given.passwords == ("as it was",)


def test_namespace_is_refused(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A namespace that can't be made is an error."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException):
        deploy.make_namespace(api.apis.core, run_spec())


def secrets(api: ApiServer) -> dict[str, dict[str, str]]:
    """Return the Secrets that were made, by name."""
    return {made["metadata"]["name"]: made["stringData"] for made in api.created}


def test_password_for_each_key(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The run's Secret has a value for each key that a manifest takes from it, and for no other."""
    (password,) = deploy.make_credentials(api.apis.core, run_spec(), SERVICES).passwords
    assert secrets(api)["floe-credentials"] == {"FLOE_WEB_PASSWORD": password}


def test_passwords_differ(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """No two runs have the same password."""
    first, second = (deploy.make_credentials(api.apis.core, run_spec(), SERVICES).passwords for _ in range(2))
    assert first != second


def test_environment(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The configured environment may refer to addresses and to passwords, and tells the run and its timeouts."""
    told = run_spec(environment={"URL": "http://u:${FLOE_WEB_PASSWORD}@${FLOE_WEB_HOST}"})
    given = deploy.make_credentials(api.apis.core, told, SERVICES)
    assert given.environment == {
        "URL": f"http://u:{given.passwords[0]}@web",
        "FLOE_RUN_ID": "abc",
        "FLOE_TIER": "integration",
        "FLOE_NAMESPACE": "ns",
        "FLOE_RESULTS_DIR": "/results",
        **told.timeouts.variables(),
    }
    assert list(secrets(api)) == ["floe-credentials"]


def test_arguments(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Arguments for pytest may refer to what the tests have: addresses, passwords, and the environment asked for."""
    told = run_spec(environment={"COLOUR": "red"}, arguments=lambda known: (known["FLOE_WEB_HOST"], known["COLOUR"]))
    assert deploy.make_credentials(api.apis.core, told, SERVICES).arguments == ("web", "red")


def test_environment_of_unknown_variables(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A variable that the run doesn't have is the caller's to mend, and no Secret is made."""
    with pytest.raises(UserError, match="FLOE_WEP_HOST"):
        deploy.make_credentials(api.apis.core, run_spec(environment={"URL": "${FLOE_WEP_HOST}"}), SERVICES)
    assert not api.created


def test_apply(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Manifests are applied by the server, into the run's namespace, labelled, over what others have changed there."""
    deploy.apply(api.apis, run_spec(), SERVICES)
    assert api.applied == list(SERVICES.labelled(deploy.labels("abc")).documents)
    assert all("/namespaces/ns/" in change and "fieldManager=floe-ci" in change for change in api.changes)
    assert all("force=True" in change for change in api.changes)


class Migration:
    """A Job that is there, and can't be changed; it is gone a moment after it was deleted."""

    PATH = "/apis/batch/v1/namespaces/ns/jobs/migrate"
    MANIFEST = Manifests.parse("{apiVersion: batch/v1, kind: Job, metadata: {name: migrate}}", "test")

    def __init__(self, api: ApiServer, labels: dict[str, str], says: str = "spec.template: field is immutable") -> None:
        """Put it into a cluster."""
        self._there, self._reads = {"kind": "Job", "metadata": {"name": "migrate", "labels": labels}}, 0
        self._says, self._is_deleted = says, False
        api.objects |= {self.PATH: self.read, f"PATCH {self.PATH}": self.apply, f"DELETE {self.PATH}": self.delete}

    def read(self) -> object:
        """Return it, until the second look after its end."""
        self._reads += self._is_deleted
        return HTTPStatus.NOT_FOUND if self._reads > 1 else self._there

    def apply(self, sent: object) -> object:
        """Refuse to change it; where it is gone, another one is made."""
        return sent if self._reads > 1 else (HTTPStatus.UNPROCESSABLE_ENTITY, f'Job "migrate" is invalid: {self._says}')

    def delete(self, _: object) -> object:
        """Have it go."""
        self._is_deleted = True
        return {"kind": "Status"}


@pytest.mark.usefixtures("clock")
def test_job_that_has_changed(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A Job of the run's own that has changed is deleted, and made anew when it is gone, so that it does its work."""
    job = Migration(api, deploy.labels("abc") | {"helm.sh/chart": "shop-0.1.0"})
    deploy.apply(api.apis, run_spec(), job.MANIFEST)
    methods = [each.partition("?")[0] for each in api.changes]
    assert methods == [f"PATCH {job.PATH}", f"DELETE {job.PATH}", f"PATCH {job.PATH}"]
    assert "propagationPolicy=Foreground" in api.changes[1]  # it goes when its pods have gone
    assert api.asked[-1] == job.PATH


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (deploy.labels("other"), "spec.template: field is immutable"),
        (deploy.labels("abc"), "spec.template.spec.containers: Required value"),
    ],
    ids=["somebody else's", "refused for another reason"],
)
def test_job_that_stays(api: ApiServer, run_spec: Callable[..., RunSpec], labels: dict[str, str], says: str) -> None:
    """A Job of somebody else's is not deleted, nor one that would be refused again; what the cluster says is told."""
    job = Migration(api, labels, says)
    with pytest.raises(RunError, match=f"^Job migrate: the cluster refused it: .*{says}"):
        deploy.apply(api.apis, run_spec(), job.MANIFEST)
    assert [each.partition("?")[0] for each in api.changes] == [f"PATCH {job.PATH}"]


@pytest.mark.usefixtures("clock")
def test_job_that_does_not_go(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A former Job that stays, for a finalizer of somebody's, is told."""
    job = Migration(api, deploy.labels("abc"))
    api.objects[job.PATH] = {"kind": "Job", "metadata": {"name": "migrate", "labels": deploy.labels("abc")}}
    with pytest.raises(RunError, match=r"^the end of the former Job migrate: not there after 120 s"):
        deploy.apply(api.apis, run_spec(), job.MANIFEST)


def test_tier_without_services(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A tier without services applies nothing."""
    deploy.apply(api.apis, run_spec(), Manifests.parse("", "nothing"))
    assert not api.asked
