"""Add-ons of a cluster: manifests that name namespaces of their own, and give the cluster what is there for everybody.

Such are operators with their CustomResourceDefinitions, API services, and admission webhooks. They are applied as they
are, and each thing after those that it can't be without.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from floe_ci.contract import CREDENTIALS_SECRET
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from floe_ci.manifests import Document

LABEL: Final = "floe.dev/add-on"
"""On every object of an add-on and its pods: a digest of the object, by which one that has not changed is known."""
DEFAULT_NAMESPACE: Final = "default"
"""Where an object is that belongs to a namespace and names none, as with kubectl."""
NAMESPACES: Final = frozenset({DEFAULT_NAMESPACE, "kube-system", "kube-public", "kube-node-lease"})
"""Those that every cluster has."""
NAMESPACE, DEFINITION, API_SERVICE = "Namespace", "CustomResourceDefinition", "APIService"
OTHERS: Final = "the tier's manifests"
"""What a message calls what is no add-on."""
WEBHOOKS: Final = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
_BEFORE: Final = (
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)
"""What other objects may need, in the order in which it is applied; then come all that stand neither here nor below."""
_AFTER: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", API_SERVICE, *sorted(WEBHOOKS))
"""What needs the others, in its order: what is asked in the cluster's name comes after the workloads that answer."""
_BUILT_IN: Final = frozenset({"", "apps", "autoscaling", "batch", "policy"})
_BUILT_IN_END: Final = ".k8s.io"


class Definition(NamedTuple):
    """A kind of objects that a CustomResourceDefinition brings."""

    group: str
    kind: str
    plural: str
    namespaced: bool


class Backend(NamedTuple):
    """The Kubernetes Service that answers for the cluster."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Addons:
    """The add-ons of a tier."""

    manifests: Mapping[str, Manifests] = field(default_factory=dict)
    """The rendered manifests of each, by the path that the tier calls it by."""

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Self:
        """Return the add-ons of YAML texts by their names.

        Raises:
            UserError: One of them holds what is no object.
        """
        return cls({name: Manifests.parse(text, f"add-on {name}") for name, text in texts.items()})

    def to_yaml(self) -> dict[str, str]:
        """Return the text of each, by its name."""
        return {name: each.to_yaml() for name, each in self.manifests.items()}

    @property
    def all(self) -> Manifests:
        """All their objects."""
        return Manifests(tuple(document for each in self.manifests.values() for document in each.documents))

    @property
    def definitions(self) -> Manifests:
        """What comes first: namespaces, and then the kinds that they define."""
        documents = self.all.documents
        return Manifests(tuple(each for kind in (NAMESPACE, DEFINITION) for each in documents if each["kind"] == kind))

    @property
    def objects(self) -> Manifests:
        """What comes then, in its order; objects of the kinds that they bring are not among them."""
        bare = [each for each in self.all.documents if each["kind"] not in {NAMESPACE, DEFINITION}]
        return Manifests(tuple(sorted((each for each in bare if not self.brings(each)), key=_rank)))

    @property
    def custom(self) -> Manifests:
        """What comes last: objects of kinds that they bring, which their own workloads may have to admit."""
        return Manifests(tuple(each for each in self.all.documents if self.brings(each)))

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that they have pods in, or what answers for pods."""
        return tuple(sorted({namespace_of(each) for each in self.objects.documents if _has_pods(each)}))

    def within(self, namespace: str) -> Manifests:
        """Return what of those objects is in a namespace."""
        return Manifests(tuple(each for each in self.objects.documents if namespace_of(each) == namespace))

    def brings(self, document: Document) -> bool:
        """Tell whether an object is of a kind that they define, or that an API service of theirs answers for."""
        group = group_of(document)
        return (group, document["kind"]) in self._defined or group in self.served

    @cached_property
    def served(self) -> frozenset[str]:
        """The groups that their API services answer for."""
        return frozenset(str(_spec(each).get("group", "")) for each in self.all.only(API_SERVICE).documents)

    @cached_property
    def known_namespaces(self) -> frozenset[str]:
        """The namespaces that are there once they are: every cluster's, and those that they make."""
        return NAMESPACES | {each["metadata"]["name"] for each in self.all.only(NAMESPACE).documents}

    @cached_property
    def _defined(self) -> frozenset[tuple[str, str]]:
        return frozenset((each.group, each.kind) for each in definitions(self.all))

    def have_a_say_in(self, manifests: Manifests) -> bool:
        """Tell whether other manifests can be applied only when the add-ons are ready: webhooks may look at all."""
        webhooks = any(each["kind"] in WEBHOOKS for each in self.all.documents)
        return webhooks or any(map(self.brings, manifests.documents))

    def beside(self, others: Manifests) -> Self:
        """Return them with other manifests as one more."""
        return replace(self, manifests={**self.manifests, OTHERS: others})

    def with_images(self, mapping: Callable[[str], str]) -> Self:
        """Return them with each image replaced by what `mapping` makes of it."""
        return replace(self, manifests={name: each.with_images(mapping) for name, each in self.manifests.items()})

    def require_whole(self, others: Manifests) -> None:
        """Refuse what can't come to anything in a cluster that has nothing but them and `others`.

        Raises:
            UserError: It is so; every problem is told.
        """
        found = [f"{name}: {fault}" for name, each in self.manifests.items() for fault in self._faults(each)]
        everything = self.beside(others)
        found += [
            f"{name}: {_shown(document)} is of {document.get('apiVersion')}, which nothing defines: "
            f"have an add-on bring its {DEFINITION}, before its objects or with them"
            for name, each in everything.manifests.items()
            for document in each.documents
            if not (_is_built_in(document) or everything.brings(document))
        ]
        if found:
            raise UserError.of(found, "add-ons" if self.manifests else "manifests")

    def require_sound(self) -> None:
        """Refuse add-ons that hold nothing, two of one object, and one that asks for passwords of the run.

        Raises:
            UserError: It is so; every problem is told.
        """
        found = [f"{name}: there is no object in it" for name, each in self.manifests.items() if not each.documents]
        found += [
            f"{name}: asks for {', '.join(keys)} of Secret {CREDENTIALS_SECRET}, which is in the run's own namespace"
            for name, each in self.manifests.items()
            if (keys := each.credential_keys(CREDENTIALS_SECRET))
        ]
        first: dict[tuple[str, str, str, str], str] = {}
        for name, each in self.manifests.items():
            for document in each.documents:
                key = (group_of(document), document["kind"], namespace_of(document), document["metadata"]["name"])
                if key in first:
                    found.append(f"{name}: {_shown(document)} is in {first[key]} too: keep one of them")
                first.setdefault(key, name)
        if found:
            raise UserError.of(found, "add-ons")

    def _faults(self, manifests: Manifests) -> Iterator[str]:
        """Yield what refers to a namespace or a service that isn't there."""
        services = {(namespace_of(each), each["metadata"]["name"]) for each in self.all.only("Service").documents}
        for document in manifests.documents:
            named = document["metadata"].get("namespace")
            if named and named not in self.known_namespaces:
                yield f"{_shown(document)} names the namespace {named}, which no add-on makes: add a Namespace {named}"
            for backend in backends(document):
                if backend not in services:
                    yield (
                        f"{_shown(document)} has the Service {backend.name} of namespace {backend.namespace} answer, "
                        "which no add-on has"
                    )


NONE: Final = Addons()
"""Where a tier has none."""


def definitions(manifests: Manifests) -> tuple[Definition, ...]:
    """Return the kinds that some manifests define."""
    specs = [_spec(each) for each in manifests.only(DEFINITION).documents]
    return tuple(
        Definition(
            str(each.get("group", "")),
            str((each.get("names") or {}).get("kind", "")),
            str((each.get("names") or {}).get("plural", "")),
            each.get("scope") != "Cluster",
        )
        for each in specs
    )


def backends(document: Document) -> tuple[Backend, ...]:
    """Return the services that an API service, or webhooks, have answer; one at an address of its own has none."""
    if document["kind"] == API_SERVICE:
        found = [_spec(document).get("service")]
    elif document["kind"] in WEBHOOKS:
        found = [(each.get("clientConfig") or {}).get("service") for each in document.get("webhooks") or ()]
    else:
        found = []
    there = [Backend(str(each.get("namespace", DEFAULT_NAMESPACE)), str(each.get("name"))) for each in found if each]
    return tuple(dict.fromkeys(there))


def namespace_of(document: Document) -> str:
    """Return the namespace that an object is in, if it belongs to one."""
    return document["metadata"].get("namespace") or DEFAULT_NAMESPACE


def group_of(document: Document) -> str:
    """Return the group of an object's kind; empty: the core's."""
    return str(document.get("apiVersion", "")).rpartition("/")[0]


def digest(document: Document) -> str:
    """Return a short name for all that an object says."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _has_pods(document: Document) -> bool:
    alone = Manifests((document,))
    return document["kind"] == "Pod" or bool(alone.workloads() or alone.jobs() or alone.selecting_services())


def _is_built_in(document: Document) -> bool:
    group = group_of(document)
    return group in _BUILT_IN or group.endswith(_BUILT_IN_END)


def _rank(document: Document) -> int:
    kind = document["kind"]
    if kind in _BEFORE:
        return _BEFORE.index(kind)
    return len(_BEFORE) + (1 + _AFTER.index(kind) if kind in _AFTER else 0)


def _spec(document: Document) -> dict[str, Any]:
    spec = document.get("spec")
    return spec if isinstance(spec, dict) else {}


def _shown(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"
