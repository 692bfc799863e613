"""Add-ons of a cluster: the order that works, and what is told before anything is installed."""

from __future__ import annotations

import pytest
from floe_ci.addons import Addons, digest
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

OPERATOR = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: kettles}
webhooks: [{name: kettles.example.com, clientConfig: {service: {name: operator, namespace: kettles}}}]
---
apiVersion: example.com/v1
kind: Kettle
metadata: {name: first, namespace: kettles}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: kettles}
spec: {template: {spec: {containers: [{name: operator, image: "operator:1"}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: operator, namespace: kettles}
---
apiVersion: v1
kind: Service
metadata: {name: operator, namespace: kettles}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: operator}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: kettles}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kettles.example.com}
spec: {group: example.com, names: {kind: Kettle, plural: kettles}, scope: Namespaced, versions: [{name: v1}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: kettles}
"""
METRICS = """\
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: kube-system}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.metrics.example.com}
spec: {group: metrics.example.com, version: v1, service: {name: metrics, namespace: kube-system}}
"""


def parse(**texts: str) -> Addons:
    """Return add-ons by their names."""
    return Addons.parse(texts)


def kinds(manifests: Manifests) -> list[str]:
    """Return the kinds of objects, in their order."""
    return [each["kind"] for each in manifests.documents]


def faults(addons: Addons, others: str = "") -> list[str]:
    """Return what is told of add-ons in a cluster with nothing else but some manifests."""
    with pytest.raises(UserError) as caught:
        addons.require_whole(Manifests.parse(others, "others"))
    first, *rest = str(caught.value).splitlines()
    return [each.strip() for each in rest] or [first]


def test_order() -> None:
    """Each object comes after those that it can't be without, whatever order its file has."""
    addons = parse(operator=OPERATOR)
    assert kinds(addons.definitions) == ["Namespace", "CustomResourceDefinition"]
    assert kinds(addons.objects) == [
        "ServiceAccount",
        "ClusterRole",
        "Service",
        "PodDisruptionBudget",
        "Deployment",
        "ValidatingWebhookConfiguration",
    ]
    assert kinds(addons.custom) == ["Kettle"]


def test_order_of_several() -> None:
    """All definitions come before the objects of any add-on: one may bring what another one uses."""
    kettle = "{apiVersion: example.com/v1, kind: Kettle, metadata: {name: second}}"
    addons = parse(user=kettle, operator=OPERATOR)
    assert [each["metadata"]["name"] for each in addons.custom.documents] == ["second", "first"]
    assert "Kettle" not in kinds(addons.objects)


def test_namespaces() -> None:
    """The namespaces whose logs are read are those that an add-on has workloads in."""
    assert parse(operator=OPERATOR, metrics=METRICS).namespaces == ("kettles",)


@pytest.mark.parametrize(
    ("addons", "manifest", "expected"),
    [
        (METRICS, "{apiVersion: v1, kind: Service, metadata: {name: web}}", False),
        (METRICS, "{apiVersion: metrics.example.com/v1, kind: Value, metadata: {name: web}}", True),
        (OPERATOR, "{apiVersion: v1, kind: Service, metadata: {name: web}}", True),
    ],
    ids=["unconcerned", "its kind", "webhook"],
)
def test_services_that_need_them(addons: str, manifest: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """Services wait for add-ons alone that bring their kinds, or have webhooks that may look at them."""
    assert parse(addon=addons).have_a_say_in(Manifests.parse(manifest, "web")) is expected


def test_everything_that_is_lacking_is_told() -> None:
    """A namespace, a service and a kind that nothing brings are told at once, each with its object."""
    broken = OPERATOR.replace("kind: Namespace", "kind: ConfigMap").replace("operator, namespace: kettles}}}", "o}}}")
    found = faults(parse(operator=broken.replace("CustomResourceDefinition", "ConfigMap"), metrics=METRICS))
    assert (
        "operator: Deployment operator names the namespace kettles, which no add-on makes: add a Namespace kettles"
        in (found)
    )
    assert (
        "operator: ValidatingWebhookConfiguration kettles has the Service o of namespace default answer, "
        "which no add-on has"
    ) in found
    assert not [each for each in found if each.startswith("metrics")]
    assert (
        "operator: Kettle first is of example.com/v1, which nothing defines: "
        "have an add-on bring its CustomResourceDefinition, before its objects or with them"
    ) in found


def test_kind_of_a_service_that_nothing_defines() -> None:
    """A manifest of the tier of a kind that the new cluster won't know is refused before there is a cluster."""
    (told,) = faults(Addons(), "{apiVersion: example.com/v1, kind: Kettle, metadata: {name: mine}}")
    assert told.startswith("manifests: the tier's manifests: Kettle mine is of example.com/v1, which nothing defines")


def test_unsound() -> None:
    """Two add-ons with one object, one with none, and one that asks for the run's passwords are refused by name."""
    ref = "{name: floe-credentials, key: PASSWORD}"
    asks = f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{env: {{secretKeyRef: {ref}}}}}}}"
    with pytest.raises(UserError) as caught:
        parse(a=METRICS, b=METRICS.partition("---")[0], c="", d=asks).require_sound()
    assert str(caught.value).splitlines() == [
        "add-ons: 3 problems",
        "  c: there is no object in it",
        "  d: asks for PASSWORD of Secret floe-credentials, which is in the run's own namespace",
        "  b: Service metrics is in a too: keep one of them",
    ]


def test_images() -> None:
    """The images of add-ons are found, and replaced by what the nodes pull."""
    addons = parse(operator=OPERATOR).with_images(lambda image: f"mirror:5000/{image}")
    assert addons.all.images() == ("mirror:5000/operator:1",)


def test_text_survives() -> None:
    """Add-ons that are written and read again are the same, and so are the digests that they are known by."""
    addons = parse(operator=OPERATOR, metrics=METRICS)
    again = Addons.parse(addons.to_yaml())
    assert again == addons
    assert list(map(digest, again.all.documents)) == list(map(digest, addons.all.documents))
    assert len(set(map(digest, addons.all.documents))) == len(addons.all.documents)
