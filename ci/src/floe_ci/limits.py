"""Limits of what runs in a cluster: processors, memory and volumes, as a tier's table sets them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from floe_ci.errors import UserError, suggest
from floe_ci.manifests import Document, Manifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal

    from floe_ci.config import Resources

RUNNER: Final = "runner"
"""What the tests' own container is called in the table."""
_RESULTS: Final = "results"
"""Its volume."""
_CLAIM: Final = "PersistentVolumeClaim"
_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", _CLAIM})


def amount(quantity: str) -> Decimal | None:
    """Return how much a quantity of Kubernetes is, such as `512Mi`; None where it is none, or nothing."""
    from kubernetes.utils import parse_quantity  # noqa: PLC0415 - a run on this machine needs none of it

    try:
        return parse_quantity(quantity) or None
    except ValueError:
        return None


def limited(
    services: Manifests, job: Manifests, limits: Mapping[str, Resources], where: str
) -> tuple[Manifests, Manifests]:
    """Return the manifests of the services and of the tests' Job with the limits of a tier.

    Args:
        services: The services'.
        job: The tests'; empty where there are none.
        limits: By the name of a workload or a claim; `runner` are the tests.
        where: The table, for messages.

    Raises:
        UserError: A name is that of nothing; all such are told.
    """
    known = {each["metadata"]["name"] for each in services.documents if each["kind"] in _KINDS}
    wrong = [
        f"{where}.{name}: nothing of the tier is called so; {suggest(name, known | {RUNNER})}"
        for name in limits
        if name not in known | {RUNNER}
    ]
    if wrong:
        raise UserError.of(wrong, "tool.floe-ci")
    return (
        Manifests(tuple(_limited(each, limits.get(each["metadata"]["name"])) for each in services.documents)),
        Manifests(tuple(_of_tests(each, limits.get(RUNNER)) for each in job.documents)),
    )


def _limited(document: Document, limits: Resources | None) -> Document:
    if limits is None or document["kind"] not in _KINDS:
        return document
    changed = deepcopy(document)
    if document["kind"] == _CLAIM:
        _set_size([changed], limits)
        return changed
    _set_size(changed["spec"].get("volumeClaimTemplates") or (), limits)
    pod = changed["spec"]["template"]["spec"]
    _set_volumes((each for each in pod.get("volumes") or () if (each.get("emptyDir") or {}).get("sizeLimit")), limits)
    for container in pod["containers"]:
        _set(container, limits)
    return changed


def _of_tests(document: Document, limits: Resources | None) -> Document:
    if limits is None or document["kind"] != "Job":
        return document
    changed = deepcopy(document)
    pod = changed["spec"]["template"]["spec"]
    _set_volumes((each for each in pod.get("volumes") or () if each["name"] == _RESULTS), limits)
    for container in pod["containers"]:
        if container["name"] == RUNNER:
            _set(container, limits)
    return changed


def _set(container: dict[str, Any], limits: Resources) -> None:
    """Limit a container; what it asks for is never more than it may have."""
    for name, quantity in (("cpu", limits.cpu), ("memory", limits.memory)):
        if quantity is None:
            continue
        resources = container["resources"] = container.get("resources") or {}
        resources["limits"] = {**(resources.get("limits") or {}), name: quantity}
        asked = resources.get("requests") or {}
        if name in asked and (amount(str(asked[name])) or 0) > (amount(quantity) or 0):
            resources["requests"] = {**asked, name: quantity}


def _set_size(claims: Iterable[dict[str, Any]], limits: Resources) -> None:
    for claim in claims:
        if limits.storage:
            resources = claim["spec"]["resources"] = claim["spec"].get("resources") or {}
            resources["requests"] = {**(resources.get("requests") or {}), "storage": limits.storage}


def _set_volumes(volumes: Iterator[dict[str, Any]], limits: Resources) -> None:
    for volume in volumes:
        if limits.storage:
            volume["emptyDir"] = {**(volume.get("emptyDir") or {}), "sizeLimit": limits.storage}
