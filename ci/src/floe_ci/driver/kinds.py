"""What a cluster calls the kinds of objects, and which of them belong to no namespace."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from kubernetes import client

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from floe_ci.driver.apis import Apis
    from floe_ci.manifests import Document, Manifests


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of objects, as the cluster serves it."""

    group: str
    plural: str
    namespaced: bool
    version: str = "v1"

    def path(self, namespace: str) -> str:
        """Return where the API has its objects; in a namespace, where the kind belongs to one."""
        served = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{served}{place}/{self.plural}"

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
        """
        wanted = {_key(document) for document in manifests.documents}
        known = {
            (version, each.kind): Kind(version.rpartition("/")[0], each.name, each.namespaced, version.rpartition("/")[2])
            for version in {version for version, _ in wanted}
            for each in _resources(apis.client, version)
            if "/" not in each.name
        }
        unknown = [f"{kind} of {version or 'no apiVersion'}" for version, kind in sorted(wanted - known.keys())]
        if unknown:
            raise UserError.of(unknown, "the cluster does not know")
        return cls({key: known[key] for key in wanted})

    def __getitem__(self, document: Document) -> Kind:
        """Return an object's kind."""
        return self.known[_key(document)]

    def cluster_wide(self) -> tuple[Kind, ...]:
        """Return the kinds that belong to no namespace, sorted."""
        return tuple(sorted(kind for kind in set(self.known.values()) if not kind.namespaced))


def _key(document: Document) -> tuple[str, str]:
    return str(document.get("apiVersion", "")), document["kind"]


def _resources(api_client: client.ApiClient, version: str) -> Iterable[client.V1APIResource]:
    group, _, number = version.rpartition("/")
    try:
        if not group:
            served = client.CoreV1Api(api_client).get_api_resources().resources if number == "v1" else ()
        else:
            served = client.CustomObjectsApi(api_client).get_api_resources(group, number).resources
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return ()
    return tuple(served)
