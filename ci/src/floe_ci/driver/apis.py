"""What the driver talks to one cluster through: the API's clients, and kubectl."""

from __future__ import annotations

import shlex
from http import HTTPStatus
from typing import TYPE_CHECKING

import urllib3
from kubernetes import client

from floe_ci.driver.kubectl import kubectl

if TYPE_CHECKING:
    from collections.abc import Sequence


class Apis:
    """The clients for one cluster, all of them for the same."""

    def __init__(self, api_client: client.ApiClient | None = None, kubectl_options: Sequence[str] = ()) -> None:
        """Open them.

        Args:
            api_client: Knows the cluster; None: the one that was loaded for the whole process.
            kubectl_options: Name the same cluster to kubectl; none: kubectl's own default.
        """
        self.core = client.CoreV1Api(api_client)
        self.apps = client.AppsV1Api(api_client)
        self.batch = client.BatchV1Api(api_client)
        self.discovery = client.DiscoveryV1Api(api_client)
        self._options = tuple(kubectl_options)

    def kubectl(self, *args: str, stdin: str | None = None, timeout: float = 120) -> bytes:
        """Run kubectl against the cluster and return what it printed.

        Raises:
            RunError: It failed or took more than `timeout` seconds; the message holds the command, to be pasted.
        """
        return kubectl(*self._options, *args, stdin=stdin, timeout=timeout)

    def command(self, *args: str) -> str:
        """Return a kubectl command to be pasted into a shell."""
        return shlex.join(("kubectl", *self._options, *args))


def is_passing(error: Exception) -> bool:
    """Tell whether a failure of the API may pass by itself: it gave no answer, or one that says to come again."""
    if isinstance(error, client.ApiException):
        return error.status == HTTPStatus.TOO_MANY_REQUESTS or bool(error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return isinstance(error, urllib3.exceptions.HTTPError)
