"""What a run owns in somebody else's cluster: it is made anew, carries the run's label, and is deleted by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.driver import deploy
from floe_ci.driver.apis import CALL
from floe_ci.errors import RunError, UserError
from floe_ci.existing.kinds import Kind
from floe_ci.manifests import Manifests
from floe_ci.shards import run_tags

if TYPE_CHECKING:
    import threading

    from kubernetes import client
    from kubernetes.dynamic import Resource

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.existing.kinds import Kinds
    from floe_ci.manifests import Document

GONE: Final = 300.0
"""Seconds until the cluster has deleted everything in the namespace."""


def refuse_other_namespaces(manifests: Manifests, kinds: Kinds, own: str = "") -> None:
    """Refuse manifests that name another namespace than the run's own, which takes every object.

    Raises:
        UserError: Some do; every one is named.
    """
    named = [
        f"{each['kind']} {each['metadata']['name']} ({each['metadata']['namespace']})"
        for each in manifests.documents
        if kinds[each].namespaced and each["metadata"].get("namespace") not in {None, "", own}
    ]
    if named:
        what = "the manifests name a namespace, and the run has one of its own"
        msg = f"{what}: leave it out of {', '.join(named)}, or have the files of add-ons in the tier's addons"
        raise UserError(msg)


def claim(apis: Apis, spec: RunSpec, manifests: Manifests, kinds: Kinds, stop: threading.Event | None = None) -> None:
    """Make the run's namespace, and its objects that belong to none.

    They are created and not applied: an apply would take over what is there already and somebody else's.

    Raises:
        RunError: One of them is there already, or the cluster refuses.
        Stopped: It was told to stop.
    """
    namespace: Document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": spec.namespace}}
    wide = [each for each in manifests.documents if not kinds[each].namespaced]
    for document in Manifests((namespace, *wide)).labelled(deploy.labels(spec.run_id)).documents:
        apis.create(document, manager=deploy.MANAGER, stop=stop)


def delete(  # noqa: PLR0913 - what, and for how long
    apis: Apis, run_id: str, kinds: Kinds, *, shards: int = 1, timeout: float = GONE, hurry: bool = False
) -> None:
    """Delete everything with the run's label that belongs to no namespace; with a namespace goes what is in it.

    Args:
        apis: The cluster's.
        run_id: Whose objects.
        kinds: The kinds of the run's objects.
        shards: How many it has; what their tests make has labels of their own.
        timeout: Seconds until the cluster must have deleted them.
        hurry: The cluster is only told, and not waited for.

    Raises:
        RunError: The cluster refuses, or something is left; the message says what holds it, and how to delete it by
            hand.
    """

    def left() -> list[str]:
        return [
            f"{kind} {name}"
            for key, kind in owned_kinds(kinds).items()
            if apis.knows(_document_of(key))  # what an add-on brought goes with it
            for name in apis.find(_resource(apis, key), selector(run_id, shards))
        ]

    def tell() -> None:
        for key in filter(lambda each: apis.knows(_document_of(each)), owned_kinds(kinds)):
            apis.delete_by_label(_resource(apis, key), selector(run_id, shards))

    def observe() -> str | None:
        there = left()
        return f"there still is {', '.join(there)}" if there else None

    def look() -> str:
        return "\n".join(said for each in owned_namespaces(apis, run_id, shards) for said in blocked(each))

    try:
        apis.ask("what the run made", tell, timeout=min(timeout, CALL))
        if not hurry:
            apis.wait_until("the end of what the run made", observe, timeout=timeout, interval=1, look=look)
    except RunError as error:
        by_hand = delete_command(apis, run_id, kinds, shards)
        msg = f"the cluster is not as it was: {error}\ndelete what is left with `{by_hand}`"
        raise RunError(msg) from error


def delete_command(apis: Apis, run_id: str, kinds: Kinds, shards: int = 1) -> str:
    """Return the command that deletes what the run made."""
    return apis.command("delete", *_which(run_id, kinds, shards), "--ignore-not-found")


def look_command(apis: Apis, run_id: str, kinds: Kinds, shards: int = 1) -> str:
    """Return the command that shows what is left of it."""
    return apis.command("get", *_which(run_id, kinds, shards))


def owned_kinds(kinds: Kinds) -> dict[tuple[str, str], Kind]:
    """Return the kinds of what a run may own, by `apiVersion` and `kind`: namespaces, and what belongs to none."""
    return {("v1", "Namespace"): Kind("", "namespaces", namespaced=False), **kinds.cluster_wide()}


def owned_namespaces(apis: Apis, run_id: str, shards: int = 1) -> list[client.V1Namespace]:
    """Return the run's namespaces: its own, and those that its tests have made.

    Raises:
        RunError: The cluster doesn't say.
    """
    return list(apis.ask("namespaces", lambda: apis.core.list_namespace(label_selector=selector(run_id, shards)).items))


def blocked(namespace: client.V1Namespace) -> list[str]:
    """Return what the cluster says of a namespace that does not end."""
    conditions = namespace.status.conditions or ()
    return [condition.message for condition in conditions if condition.status == "True" and condition.message]


def selector(run_id: str, shards: int = 1) -> str:
    """Return what selects the objects of a run, and of what its shards' tests have made."""
    labels = deploy.labels(run_id)
    if shards > 1:
        del labels[contract.LABEL_RUN_ID]
        tags = ",".join(run_tags(run_id, shards))
        return ",".join(
            (*(f"{name}={value}" for name, value in labels.items()), f"{contract.LABEL_RUN_ID} in ({tags})")
        )
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _which(run_id: str, kinds: Kinds, shards: int) -> tuple[str, str]:
    return ",".join(dict.fromkeys(map(str, owned_kinds(kinds).values()))), f"--selector={selector(run_id, shards)}"


def _resource(apis: Apis, key: tuple[str, str]) -> Resource:
    return apis.resource(_document_of(key))


def _document_of(key: tuple[str, str]) -> Document:
    version, kind = key
    return {"apiVersion": version, "kind": kind}
