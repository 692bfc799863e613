"""What the driver talks to one cluster through: the API's clients, each call of which has its limit."""

from __future__ import annotations

import json
import shlex
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import urllib3
from kubernetes import client, config

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from floe_ci.driver.kinds import Kind
    from floe_ci.manifests import Document

CONNECTING: Final = 10.0
ANSWERING: Final = 30.0
"""Seconds until the API must have taken a connection, and until it must have answered."""


class BoundedClient(client.ApiClient):  # type: ignore[misc]  # the library is not typed
    """A client whose every call has a limit: none waits for ever for a cluster that says nothing any more."""

    def call_api(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the client has it
        """Call the API."""
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or (CONNECTING, ANSWERING)
        return super().call_api(*args, **kwargs)


class Apis:
    """The clients for one cluster, all of them for the same."""

    def __init__(self, settings: client.Configuration | None = None, kubectl_options: Sequence[str] = ()) -> None:
        """Open them.

        Args:
            settings: Know the cluster; None: the one that was loaded for the whole process.
            kubectl_options: Name the same cluster to kubectl, for commands to be pasted.
        """
        self.client = BoundedClient(settings)
        self.core = client.CoreV1Api(self.client)
        self.apps = client.AppsV1Api(self.client)
        self.batch = client.BatchV1Api(self.client)
        self.discovery = client.DiscoveryV1Api(self.client)
        self._options = tuple(kubectl_options)

    @classmethod
    def of_kubeconfig(cls, document: Mapping[str, Any]) -> Apis:
        """Return the clients for a kubeconfig's cluster."""
        settings = client.Configuration()
        config.load_kube_config_from_dict(dict(document), client_configuration=settings)
        settings.proxy = None  # the cluster is the engine's, or on this machine
        return cls(settings)

    def command(self, *args: str) -> str:
        """Return a kubectl command to be pasted into a shell."""
        return shlex.join(("kubectl", *self._options, *args))

    def apply(self, document: Document, kind: Kind, namespace: str, manager: str) -> None:
        """Apply one object, server-side.

        Raises:
            RunError: The cluster refuses it; the message names the object.
        """
        name = document["metadata"]["name"]
        query = [("fieldManager", manager), ("fieldValidation", "Strict"), ("force", "true")]
        path = f"{kind.path(namespace)}/{name}"
        self._call("PATCH", path, query, document, f"{document['kind']} {name}")

    def create(self, document: Document, kind: Kind, namespace: str, manager: str) -> None:
        """Create one object.

        Raises:
            RunError: The cluster refuses it, or has it already; the message names the object.
        """
        name = document["metadata"]["name"]
        query = [("fieldManager", manager), ("fieldValidation", "Strict")]
        self._call("POST", kind.path(namespace), query, document, f"{document['kind']} {name}")

    def labelled(self, kind: Kind, selector: str) -> list[str]:
        """Return the names of the objects with a label, of a kind that belongs to no namespace."""
        found = self._call("GET", kind.path(""), [("labelSelector", selector)], None, str(kind))
        return [each["metadata"]["name"] for each in found["items"]]

    def delete(self, kind: Kind, name: str) -> None:
        """Have an object deleted that belongs to no namespace; one that is gone already is no error.

        Raises:
            RunError: The cluster refuses.
        """
        self._call("DELETE", f"{kind.path('')}/{name}", [], None, f"{kind}/{name}")

    def _call(
        self, method: str, path: str, query: list[tuple[str, str]], body: Any, what: str  # noqa: ANN401 - JSON, which YAML is as well
    ) -> dict[str, Any]:
        kind = {"PATCH": "application/apply-patch+yaml", "POST": "application/json"}.get(method)
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if kind else {})
        try:
            response = self.client.call_api(
                path,
                method,
                query_params=query,
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _preload_content=False,
            )
        except client.ApiException as error:
            if method == "DELETE" and error.status == HTTPStatus.NOT_FOUND:
                return {}
            if is_passing(error):
                raise
            msg = f"the cluster refuses {what}: {said(error)}"
            raise RunError(msg) from error
        document: dict[str, Any] = json.loads(response.data)
        return document


def said(error: client.ApiException) -> str:
    """Return what the API says of why it refuses, in one line."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = f"{error.status or ''} {error.reason or ''}"
    return " ".join(str(message).split())


def told(error: Exception) -> str:
    """Return a failure of the API in one line."""
    if isinstance(error, client.ApiException):
        return f"{error.status or 'no answer'}: {said(error)}"
    return " ".join(str(error).split()) or type(error).__name__


API_ERRORS: Final = (client.ApiException, urllib3.exceptions.HTTPError, ssl.SSLError, OSError)
"""What a call of the API may fail with."""


def is_passing(error: Exception) -> bool:
    """Tell whether a failure of the API may pass by itself: it gave no answer, or one that says to come again."""
    if isinstance(error, client.ApiException):
        return error.status == HTTPStatus.TOO_MANY_REQUESTS or bool(error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return isinstance(error, (urllib3.exceptions.HTTPError, OSError))
