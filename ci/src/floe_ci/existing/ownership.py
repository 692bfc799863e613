"""What a run owns in somebody else's cluster: it is made anew, carries the run's label, and is deleted by it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from kubernetes import client

from floe_ci.driver import deploy
from floe_ci.driver.apis import API_ERRORS, is_passing
from floe_ci.driver.apis import told as describe
from floe_ci.driver.kinds import Kind
from floe_ci.driver.poll import persist, wait_until
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.driver.kinds import Kinds

NAMESPACES: Final = Kind("", "namespaces", namespaced=False)
GONE: Final = 300.0
"""Seconds until the cluster has deleted everything in the namespace."""


def refuse_other_namespaces(manifests: Manifests, kinds: Kinds) -> None:
    """Refuse manifests that name a namespace: the run's own takes every object.

    Raises:
        UserError: Some do; every one is named.
    """
    named = [
        f"{each['kind']} {each['metadata']['name']} ({each['metadata']['namespace']})"
        for each in manifests.documents
        if kinds[each].namespaced and each["metadata"].get("namespace")
    ]
    if named:
        what = "the manifests name a namespace, and the run has one of its own"
        msg = f"{what}: leave it out of {', '.join(named)}"
        raise UserError(msg)


def claim(apis: Apis, spec: RunSpec, manifests: Manifests, kinds: Kinds) -> None:
    """Make the run's namespace, and its objects that belong to none.

    They are created and not applied: an apply would take over what is there already and somebody else's.

    Raises:
        RunError: One of them is there already.
    """
    metadata = client.V1ObjectMeta(name=spec.namespace, labels=deploy.labels(spec.run_id))
    try:
        apis.core.create_namespace(client.V1Namespace(metadata=metadata), field_manager=deploy.MANAGER)
    except client.ApiException as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        msg = f"namespace {spec.namespace} is there already, and not this run's; nothing in it was touched"
        raise RunError(msg) from error
    wide = Manifests(tuple(each for each in manifests.documents if not kinds[each].namespaced))
    for document in wide.labelled(deploy.labels(spec.run_id)).documents:
        apis.create(document, kinds[document], spec.namespace, deploy.MANAGER)


def delete(apis: Apis, run_id: str, kinds: Kinds) -> None:
    """Have everything with the run's label deleted that belongs to no namespace; with a namespace goes what is in it.

    Raises:
        RunError: The cluster refuses; the message says how to delete it by hand.
    """
    try:
        for kind in (NAMESPACES, *kinds.cluster_wide()):
            for name in persist(lambda kind=kind: apis.labelled(kind, selector(run_id)), is_passing):  # type: ignore[misc]
                persist(lambda kind=kind, name=name: apis.delete(kind, name), is_passing)  # type: ignore[misc]
    except (RunError, *API_ERRORS) as error:
        raise RunError(_left(error, apis, delete_command(run_id, kinds))) from error


def wait_until_gone(apis: Apis, run_id: str, kinds: Kinds) -> None:
    """Wait until the cluster has deleted all that it was told to.

    Raises:
        RunError: Something is left; the message says what holds it, and how to delete it by hand.
    """

    def observe() -> str | None:
        left = [
            f"{kind}/{name}"
            for kind in (NAMESPACES, *kinds.cluster_wide())
            for name in apis.labelled(kind, selector(run_id))
        ]
        return f"there still is {', '.join(left)}" if left else None

    def look() -> str:
        return "\n".join(said for each in owned_namespaces(apis, run_id) for said in blocked(each))

    try:
        wait_until(
            "the end of what the run made", observe, timeout=GONE, interval=1, is_passing=is_passing, look=look
        )
    except (RunError, *API_ERRORS) as error:
        raise RunError(_left(error, apis, delete_command(run_id, kinds))) from error


def delete_command(run_id: str, kinds: Kinds) -> tuple[str, ...]:
    """Return kubectl's arguments that delete what the run made."""
    which = ",".join(dict.fromkeys(["namespaces", *map(str, kinds.cluster_wide())]))
    return ("delete", which, f"--selector={selector(run_id)}", "--ignore-not-found")


def owned_namespaces(apis: Apis, run_id: str) -> list[client.V1Namespace]:
    """Return the run's namespaces: its own, and those that its tests have made."""
    return list(apis.core.list_namespace(label_selector=selector(run_id)).items)


def blocked(namespace: client.V1Namespace) -> list[str]:
    """Return what the cluster says of a namespace that does not end."""
    conditions = namespace.status.conditions or ()
    return [condition.message for condition in conditions if condition.status == "True" and condition.message]


def selector(run_id: str) -> str:
    """Return what selects the objects of a run."""
    return ",".join(f"{name}={value}" for name, value in deploy.labels(run_id).items())


def _left(error: Exception, apis: Apis, command: tuple[str, ...]) -> str:
    told = error if isinstance(error, RunError) else f"its API failed: {describe(error)}"
    return f"the cluster is not as it was: {told}\ndelete what is left with `{apis.command(*command)}`"
