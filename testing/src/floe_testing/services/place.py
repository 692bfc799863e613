"""What this process knows before it asks for any one service: its environment, and the cluster it was told to use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from floe_testing.contract import ENV_NAMESPACE, ENV_SERVICES_DIR
from floe_testing.errors import NamespaceUnreadableError
from floe_testing.extras import MissingExtraError, extra

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_NAMESPACE = "floe-test"
"""Where services are, unless the environment says otherwise."""


def default_namespace(environ: Mapping[str, str] | None = None) -> str:
    """Return the namespace that the environment names, or else `floe-test`."""
    return (os.environ if environ is None else environ).get(ENV_NAMESPACE) or DEFAULT_NAMESPACE


@dataclass(frozen=True)
class Place:
    """Where this process looks for services."""

    environ: Mapping[str, str]
    namespace: str

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None, namespace: str | None = None) -> Self:
        """Return the place of these variables, or of this process's own."""
        environ = os.environ if environ is None else environ
        return cls(environ, namespace or default_namespace(environ))

    @property
    def in_pod(self) -> bool:
        """Whether this process runs in a pod, where the names of Kubernetes Services resolve."""
        return bool(self.environ.get("KUBERNETES_SERVICE_HOST"))

    @property
    def cluster_is_allowed(self) -> bool:
        """Whether this process was told to use a cluster: that there is a kubeconfig is no leave to."""
        return bool(self.environ.get(ENV_NAMESPACE))

    @property
    def connections(self) -> Mapping[str, str]:
        """The variables that a pod of the tests would have in the namespace, passwords included; read once.

        Nothing in a pod, whose environment has them, and where no cluster may be used.

        Raises:
            NamespaceUnreadableError: There is no cluster, it doesn't answer, or it refuses.
        """
        if isinstance(self._answer, NamespaceUnreadableError):
            raise self._answer
        return self._answer

    @cached_property
    def _answer(self) -> Mapping[str, str] | NamespaceUnreadableError:
        if self.in_pod or not self.cluster_is_allowed:
            return {}
        try:
            with extra("kubernetes"):
                from floe_testing.cluster.connections import read_connections  # noqa: PLC0415 - an extra
            return read_connections(self.namespace)
        except MissingExtraError as error:
            return NamespaceUnreadableError(str(error))
        except NamespaceUnreadableError as error:
            return error


def advice(place: Place | None = None) -> str:
    """Return what to do where a service is missing, in this place: the run's own, or one that nobody prepared."""
    place = place or Place.here()
    if place.in_pod or place.environ.get(ENV_SERVICES_DIR):
        return (
            "If this run should have it, name it in the tier's services, as in "
            '[tool.floe-ci.tiers.integration] services = ["postgres"].'
        )
    return (
        "Start services on this machine with `floe-ci up --on local`, or run the tests with `floe-ci test`, which does "
        "so itself. To use a service that runs already, set its variables; for those of a cluster, FLOE_NAMESPACE and "
        "KUBECONFIG."
    )
