"""What the services of a run are told of each other: the manifests' own settings, with addresses of this machine."""

from __future__ import annotations

import random
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from floe_ci import contract
from floe_ci.catalog import per_shard
from floe_ci.errors import RunError, UserError
from floe_ci.growth import PerShard, grown, setting
from floe_ci.local.probes import HOST
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from floe_ci.catalog import Service

PORTS: Final = range(20_000, 32_768)
"""Below those that the kernel gives to outgoing connections, one of which could take a port before its service does."""


@dataclass(frozen=True)
class Site:
    """Where the services of a run are, and how they are reached."""

    folder: Path
    """Of this run alone, and removed after it."""
    manifests: Manifests
    """The services', as they are applied to a cluster."""
    ports: Mapping[str, int]
    """The port of each Kubernetes Service, on this machine."""
    passwords: Mapping[str, str]
    services: tuple[Service, ...]

    @classmethod
    def plan(cls, services: Iterable[Service], folder: Path, shards: int = 1) -> Site:
        """Choose free ports and new passwords for services, which take what so many shards ask of them.

        Limits are a cluster's: here it is their settings alone that grow.
        """
        chosen = tuple(services)
        manifests = Manifests(tuple(document for each in chosen for document in each.manifests.documents))
        settings = {name: PerShard(settings=each.settings) for name, each in per_shard(chosen).items()}
        manifests = grown(manifests, shards, settings)
        names = [name for each in chosen for name in each.ports]
        keys = manifests.credential_keys(contract.CREDENTIALS_SECRET)
        passwords = {key: secrets.token_urlsafe(24) for key in keys}
        return cls(folder, manifests, dict(zip(names, free_ports(len(names)), strict=True)), passwords, chosen)

    @property
    def variables(self) -> dict[str, str]:
        """How the tests reach the services, passwords included."""
        connections = self.manifests.connection_configmaps(contract.LABEL_CONNECTION)
        return {key: value for name in connections for key, value in self.settings(name).items()} | dict(self.passwords)

    def variables_of(self, service: Service) -> dict[str, str]:
        """Return the variables of a service and of those that it needs, and the passwords that it asks for."""
        known = {service.name, *service.description.needs}
        settings: dict[str, str] = {}
        for each in (each for each in self.services if each.name in known):
            for name in each.manifests.connection_configmaps(contract.LABEL_CONNECTION):
                settings |= self.settings(name)
        asked = service.manifests.credential_keys(contract.CREDENTIALS_SECRET)
        return settings | {key: self.passwords[key] for key in asked}

    def settings(self, configmap: str) -> dict[str, str]:
        """Return the entries of a ConfigMap; a Service's host and port are those of this machine.

        Raises:
            UserError: No service brings that ConfigMap.
        """
        for document in self.manifests.documents:
            if document["kind"] == "ConfigMap" and document["metadata"]["name"] == configmap:
                return self._here(document["data"])
        service = configmap.removesuffix("-connection")
        msg = f"services: one of them needs '{service}' too; add it to the tier's services"
        raise UserError(msg)

    def number(self, workload: str, name: str) -> int:
        """Return a number among the settings that the manifests give to a workload.

        Raises:
            LookupError: They give it none of that name.
        """
        found = setting(self.manifests, workload, name)
        if found is None:
            raise LookupError(workload, name)
        return found

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Return the variables that a manifest gives to a container."""
        variables: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            variables |= self.settings(source["configMapRef"]["name"])
        for variable in container.get("env", ()):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            variables[variable["name"]] = self.passwords[reference["key"]] if reference else variable["value"]
        return variables

    def _here(self, data: Mapping[str, str]) -> dict[str, str]:
        changed = dict(data)
        for key, value in data.items():
            if key.endswith("_HOST") and value in self.ports:
                changed[key] = HOST
                changed[f"{key.removesuffix('_HOST')}_PORT"] = str(self.ports[value])
        return changed


_GIVEN: Final[set[int]] = set()
"""The ports that this process has given: who got one may not listen yet."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at, and that this process has not given before.

    Raises:
        RunError: There are not as many.
    """
    found: list[int] = []
    candidates = iter(random.sample(PORTS, len(PORTS)))
    while len(found) < count:
        port = next(candidates, None)
        if port is None:
            msg = f"no {count} free ports between {PORTS.start} and {PORTS.stop}"
            raise RunError(msg)
        with socket.socket() as probe, suppress(OSError):
            if port not in _GIVEN:
                probe.bind((HOST, port))
                found.append(port)
    _GIVEN.update(found)
    return found
