"""What a cluster calls the kinds of objects, and which of them belong to no namespace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from kubernetes.dynamic.exceptions import ResourceNotFoundError

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from floe_ci.driver.apis import Apis
    from floe_ci.manifests import Document, Manifests


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of objects, as the cluster serves it."""

    group: str
    plural: str
    namespaced: bool

    def __str__(self) -> str:
        """Return its name for kubectl, which no other group's is like."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True)
class Kinds:
    """The kinds of some manifests."""

    known: dict[tuple[str, str], Kind]
    """By `apiVersion` and `kind`."""

    @classmethod
    def of(cls, apis: Apis, manifests: Manifests) -> Kinds:
        """Ask the cluster for the kinds of all objects.

        Raises:
            UserError: It has no such kind; every one is named.
            RunError: It doesn't say.
        """
        known, unknown = {}, []
        for version, name in sorted({_key(document) for document in manifests.documents}):
            try:
                found = apis.ask("the cluster's kinds", partial(apis.resource, {"apiVersion": version, "kind": name}))
            except ResourceNotFoundError:
                unknown.append(f"{name} of {version or 'no apiVersion'}")
            else:
                known[version, name] = Kind(found.group or "", found.name, found.namespaced)
        if unknown:
            raise UserError.of(unknown, "the cluster does not know")
        return cls(known)

    def __getitem__(self, document: Document) -> Kind:
        """Return an object's kind."""
        return self.known[_key(document)]

    def cluster_wide(self) -> dict[tuple[str, str], Kind]:
        """Return the kinds that belong to no namespace, by `apiVersion` and `kind`."""
        return {key: kind for key, kind in sorted(self.known.items(), key=itemgetter(1)) if not kind.namespaced}


def _key(document: Document) -> tuple[str, str]:
    return str(document.get("apiVersion", "")), document["kind"]
