"""What a run owns in somebody else's cluster: it is made anew, carries the run's label, and is deleted by it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import urllib3
from kubernetes import client

from floe_ci.driver import deploy
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.existing.kinds import Kinds

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
    if wide.documents:
        text = wide.labelled(deploy.labels(spec.run_id)).to_yaml()
        apis.kubectl("create", f"--field-manager={deploy.MANAGER}", "--filename", "-", stdin=text)


def delete(apis: Apis, run_id: str, kinds: Kinds) -> None:
    """Have everything with the run's label deleted that belongs to no namespace; with a namespace goes what is in it.

    Raises:
        RunError: The cluster refuses; the message says how to delete it by hand.
    """
    command = delete_command(run_id, kinds)
    try:
        apis.kubectl(*command, "--wait=false")
    except RunError as error:
        raise RunError(_left(error, apis, command)) from error


def wait_until_gone(apis: Apis, run_id: str, kinds: Kinds) -> None:
    """Wait until the cluster has deleted all that it was told to.

    Raises:
        RunError: Something is left; the message says what holds it, and how to delete it by hand.
    """
    command = delete_command(run_id, kinds)

    def observe() -> str | None:
        left = apis.kubectl("get", *command[1:], "--output", "name").decode().split()
        return f"there still is {', '.join(left)}" if left else None

    def look() -> str:
        return "\n".join(said for each in owned_namespaces(apis, run_id) for said in blocked(each))

    try:
        # Of kubectl nothing tells a moment's failure from a lasting one.
        wait_until(
            "the end of what the run made",
            observe,
            timeout=GONE,
            interval=1,
            is_passing=lambda error: isinstance(error, RunError),
            look=look,
        )
    except (RunError, client.ApiException, urllib3.exceptions.HTTPError) as error:
        raise RunError(_left(error, apis, command)) from error


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
    return f"the cluster is not as it was: {error}\ndelete what is left with `{apis.command(*command)}`"
