"""Where a service is: what the environment says, else Kubernetes DNS, else a port-forward. A test never knows which."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_testing.contract import ENV_NAMESPACE, service_variable
from floe_testing.errors import FloeTestingError, NamespaceUnreadableError
from floe_testing.extras import extra
from floe_testing.services.place import Place
from floe_testing.waiting.polling import Unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT: Final = "environment"
KUBERNETES_DNS: Final = "Kubernetes DNS"
PORT_FORWARD: Final = "port-forward"


class ServiceNotFoundError(FloeTestingError):
    """No way leads to a service; the message tells what was tried, and why each way failed."""


@dataclass(frozen=True)
class Address:
    """Where a service takes connections."""

    host: str
    port: int
    how: str
    """What led there: the environment, Kubernetes DNS or a port-forward."""

    def __str__(self) -> str:
        """Return host and port, and what led there, for messages."""
        return f"{self.host}:{self.port} ({self.how})"


def locate(service: str, port: int, namespace: str | None = None, environ: Mapping[str, str] | None = None) -> Address:
    """Return where a service takes connections; whether it does so now is not asked.

    A port-forward stays open until the session ends. Each connection through it goes to a pod that is ready then.

    Args:
        service: Its name: that of its variables, and of its Kubernetes Service, unless a ConfigMap labelled
            `floe.dev/connection` in the namespace names another.
        port: The port of the Kubernetes Service; where the environment names another, that one counts.
        namespace: Where to look in Kubernetes; what `FLOE_NAMESPACE` says, or else `floe-test`.
        environ: The variables; those of this process unless given.

    Raises:
        ServiceNotFoundError: Tells what was tried, and why each way failed.
    """
    return find(Place.here(environ, namespace), service, port)


def find(place: Place, service: str, port: int) -> Address:
    """Return where a service is, seen from a place; see `locate`."""
    ways: tuple[Callable[[Place, str, int], Address | Unmet], ...] = (by_environment, by_dns, by_port_forward)
    tried = []
    for way in ways:
        found = way(place, service, port)
        if isinstance(found, Address):
            return found
        tried.append(found.state)
    message = f"no way leads to {service}: {'; '.join(tried)}"
    raise ServiceNotFoundError(message)


def by_environment(place: Place, service: str, port: int) -> Address | Unmet:
    """Return the address that the environment gives."""
    host, number = (service_variable(service, end) for end in ("HOST", "PORT"))
    if not place.environ.get(host):
        return Unmet(f"{host} is not set")
    text = place.environ.get(number) or str(port)
    found = as_port(text)
    return Address(place.environ[host], found, ENVIRONMENT) if found else Unmet(f"{number} is no port: {text!r}")


def by_dns(place: Place, service: str, port: int) -> Address | Unmet:
    """Return the name of the Kubernetes Service, if it resolves here."""
    name = f"{service}.{place.namespace}.svc"
    if not place.in_pod:
        return Unmet("Kubernetes DNS is for pods, and this is none")
    try:
        socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Unmet(f"{name} does not resolve ({error.strerror or error})")
    return Address(name, port, KUBERNETES_DNS)


def by_port_forward(place: Place, service: str, port: int) -> Address | Unmet:
    """Return this machine's end of a port-forward to the Kubernetes Service."""
    try:
        told = as_port(place.connections.get(service_variable(service, "PORT"), ""))
        return forward(place, service, told or port)
    except (NamespaceUnreadableError, ServiceNotFoundError) as error:
        return Unmet(f"no port-forward: {error}")


def as_port(text: str) -> int | None:
    """Return the port that a text names, if it names one."""
    number = int(text) if text.isascii() and text.isdecimal() else 0
    return number if number in range(1, 65536) else None


def forward(place: Place, service: str, port: int) -> Address:
    """Return this machine's end of a port-forward to any port of the Kubernetes Service.

    Raises:
        ServiceNotFoundError: The cluster has no such Service, or that has no such port; or no cluster may be used.
        NamespaceUnreadableError: The cluster can't be asked.
    """
    if not place.cluster_is_allowed:
        message = f"{ENV_NAMESPACE} is not set, and no cluster is used that nobody named"
        raise ServiceNotFoundError(message)
    with extra("kubernetes"):
        from floe_testing.cluster.portforward import PortForwardError, port_forwards  # noqa: PLC0415 - an extra

    name = place.connections.get(service_variable(service, "HOST"), service).partition(".")[0]
    try:
        opened = port_forwards.open(place.namespace, name, port)
    except PortForwardError as error:
        raise ServiceNotFoundError(str(error)) from error
    return Address(opened.host, opened.port, PORT_FORWARD)
