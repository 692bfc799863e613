"""Kubernetes namespaces that tests make: labelled with their run, deleted after, and found when a test process died."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from kubernetes.client import ApiException, CoreV1Api, V1Namespace, V1ObjectMeta

from floe_testing.cluster.api_errors import REQUEST_TIMEOUT, explain
from floe_testing.cluster.conditions import asking
from floe_testing.contract import LABEL_RUN_ID
from floe_testing.errors import FloeTestingError
from floe_testing.isolation.labels import labels, selector
from floe_testing.isolation.naming import Made
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition

_REMAINING = re.compile(r"(?P<plural>[a-z0-9-]+)\.(?P<group>[a-z0-9.-]*) has \d+ resource instances")
"""How a namespace's status names what is left in it: `configmaps. has 1 resource instances`."""
_TEST = "floe.dev/test"
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY})
"""How an API answers who has no right to something, and what a policy of the cluster is against."""
_LIMIT: Final = {"_request_timeout": REQUEST_TIMEOUT}


class NamespaceRefusedError(FloeTestingError):
    """The cluster makes, or deletes, no namespace for a test."""


class NamespaceStuckError(FloeTestingError):
    """Namespaces were told to go, and did not."""


@dataclass(frozen=True)
class Namespace:
    """A namespace that a test made."""

    name: str
    made: Made


@dataclass(frozen=True)
class Blocker:
    """An object that a namespace can't go without."""

    what: str
    """Its kind and name: `configmaps/kept`."""
    finalizers: tuple[str, ...]
    """What has to let go of it; none where it merely takes its time."""

    def __str__(self) -> str:
        """Return it in a few words."""
        held = f"waits for its finalizer {', '.join(self.finalizers)}" if self.finalizers else "has not ended yet"
        return f"{self.what} {held}"


def create(api: CoreV1Api, name: str, run_id: str, test: str) -> None:
    """Make a namespace with the labels of a run, and a note of the test that it is for.

    Raises:
        NamespaceRefusedError: The cluster refuses.
        ConditionTimeoutError: The API was busy all the time.
    """
    metadata = V1ObjectMeta(name=name, labels=labels(run_id), annotations={_TEST: test})
    _tell(f"namespace {name} is made", lambda: api.create_namespace(V1Namespace(metadata=metadata), **_LIMIT))


def made_by_tests(api: CoreV1Api, run_id: str | None = None) -> list[Namespace]:
    """List the namespaces that tests of a run made, or of any run."""
    found = api.list_namespace(label_selector=selector(run_id), _request_timeout=REQUEST_TIMEOUT).items
    return [
        Namespace(each.metadata.name, Made(each.metadata.labels[LABEL_RUN_ID], each.metadata.creation_timestamp))
        for each in found
    ]


def delete(api: CoreV1Api, name: str) -> None:
    """Have a namespace deleted, with all that is in it. One that is gone already is no error.

    Raises:
        NamespaceRefusedError: The cluster refuses.
        ConditionTimeoutError: The API was busy all the time.
    """
    _tell(f"namespace {name} is told to go", lambda: api.delete_namespace(name, **_LIMIT))


def _tell(description: str, command: Callable[[], object]) -> None:
    """Give the API a command, again where it was busy; what an earlier try has done already is done."""

    def look(_: float) -> bool:
        try:
            command()
        except ApiException as error:
            if error.status in _REFUSED:
                message = (
                    f"the cluster refused that {description}: {explain(error)}. The tests' account needs the right to "
                    "make and to delete namespaces, and no policy of the cluster may be against it"
                )
                raise NamespaceRefusedError(message) from error
            # A conflict says of a namespace that it is there, or on its way out: names are never used twice.
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise
        return True

    wait_for_condition(asking(description, look, None, "get namespaces", ""), PollingConfig(interval=0.3))


def wait_until_gone(api: CoreV1Api, names: Iterable[str], timeout: float = 120.0) -> None:
    """Wait until namespaces that were told to go are gone.

    A cluster takes its time: five seconds for one that is empty.

    Raises:
        NamespaceStuckError: One was not, after `timeout` seconds. It names the objects and their finalizers.
    """
    left = set(names)

    def look(_: float) -> bool | Unmet:
        left.intersection_update(each.name for each in made_by_tests(api))
        return not left or Unmet(f"still there: {', '.join(sorted(left))}")

    gone = asking("the namespaces are gone", look, None, f"get namespaces --selector {selector()}", "")
    try:
        wait_for_condition(gone, PollingConfig(timeout=timeout, interval=0.3))
    except ConditionTimeoutError as error:
        stuck = "\n".join(_why(api, name) for name in sorted(left))
        message = f"{error}\n{stuck}"
        raise NamespaceStuckError(message) from error


def blockers(api: CoreV1Api, name: str) -> list[Blocker]:
    """Return what keeps a namespace from going: objects that remain in it, and finalizers of its own.

    Raises:
        kubernetes.client.ApiException: There is no such namespace, or what is in it may not be listed.
    """
    namespace = api.read_namespace(name, _request_timeout=REQUEST_TIMEOUT)
    own = tuple(namespace.metadata.finalizers or ())
    found = [Blocker(f"namespace/{name}", own)] if own else []
    for remaining in _REMAINING.finditer(" ".join(_conditions(namespace))):
        objects = _list(api, name, remaining["plural"], remaining["group"])
        found += [
            Blocker(f"{remaining['plural']}/{each['metadata']['name']}", tuple(each["metadata"].get("finalizers", ())))
            for each in objects
        ]
    return found


def _why(api: CoreV1Api, name: str) -> str:
    """Return what is known of a stuck namespace: the objects, or else what its status says."""
    try:
        namespace = api.read_namespace(name, _request_timeout=REQUEST_TIMEOUT)
    except ApiException as error:
        return f"namespace {name}: {explain(error)}"
    said = list(_conditions(namespace)) or ["no reason given"]
    try:
        reasons = [str(each) for each in blockers(api, name)] or said
    except ApiException as error:
        reasons = [*said, f"what is in it can't be listed: {explain(error)}"]
    test = (namespace.metadata.annotations or {}).get(_TEST, "unknown")
    return f"namespace {name}, made by {test}: {'; '.join(reasons)}"


def _conditions(namespace: V1Namespace) -> Iterator[str]:
    return (each.message for each in namespace.status.conditions or () if each.status == "True")


def _list(api: CoreV1Api, namespace: str, plural: str, group: str) -> list[dict[str, Any]]:
    """Return the objects of a kind, of whatever group, as plain data."""
    prefix = f"/apis/{group}/{_get(api, f'/apis/{group}')['preferredVersion']['version']}" if group else "/api/v1"
    items: list[dict[str, Any]] = _get(api, f"{prefix}/namespaces/{namespace}/{plural}")["items"]
    return items


def _get(api: CoreV1Api, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.api_client.call_api(
        path,
        "GET",
        header_params={"Accept": "application/json"},
        response_type="object",
        auth_settings=["BearerToken"],
        _return_http_data_only=True,
        _request_timeout=REQUEST_TIMEOUT,
    )
    return answer
