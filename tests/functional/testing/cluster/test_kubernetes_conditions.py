"""Conditions of a cluster's objects, against an API that answers over real HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from floe_testing import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition
from floe_testing.conditions import (
    Condition,
    deployment_available,
    job_complete,
    pod_ready,
    pods_ready,
    statefulset_ready,
)
from floe_testing.waiting.polling import HopelessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functional.testing.answering import Answers

    MakePod = Callable[..., client.V1Pod]

JOB = "/apis/batch/v1/namespaces/shop/jobs/import"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
STATEFULSET = "/apis/apps/v1/namespaces/shop/statefulsets/db"
SHORT = PollingConfig(timeout=1.0, interval=0.1)


def seen(condition: Condition[object]) -> str:
    """Return the state that an unmet condition tells."""
    state = condition()
    assert isinstance(state, Unmet), state
    return state.state


def job(*conditions: tuple[str, str, str], succeeded: int | None = None, active: int | None = 1) -> client.V1Job:
    """Return a Job with conditions, each a type, a reason and a message."""
    return client.V1Job(
        metadata=client.V1ObjectMeta(name="import"),
        spec=client.V1JobSpec(completions=2, template=client.V1PodTemplateSpec()),
        status=client.V1JobStatus(
            active=active,
            succeeded=succeeded,
            conditions=[
                client.V1JobCondition(type=kind, status="True", reason=reason, message=message)
                for kind, reason, message in conditions
            ],
        ),
    )


def deployment(
    *, observed: int = 2, updated: int = 2, available: int | None = 2, total: int = 2, reason: str = ""
) -> client.V1Deployment:
    """Return a Deployment of two replicas, in its second version."""
    condition = client.V1DeploymentCondition(type="Progressing", status="False", reason=reason, message="two hours")
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web", generation=2),
        spec=client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(), template=client.V1PodTemplateSpec()
        ),
        status=client.V1DeploymentStatus(
            observed_generation=observed,
            updated_replicas=updated,
            available_replicas=available,
            replicas=total,
            conditions=[condition],
        ),
    )


def statefulset(*, observed: int = 2, updated: int = 1, ready: int | None = 1) -> client.V1StatefulSet:
    """Return a StatefulSet of one replica, in its second version."""
    return client.V1StatefulSet(
        metadata=client.V1ObjectMeta(name="db", generation=2),
        spec=client.V1StatefulSetSpec(
            replicas=1,
            selector=client.V1LabelSelector(),
            template=client.V1PodTemplateSpec(),
            service_name="db",
        ),
        status=client.V1StatefulSetStatus(
            observed_generation=observed, updated_replicas=updated, ready_replicas=ready, replicas=1
        ),
    )


def test_ready_pod(server: Answers, pod: MakePod) -> None:
    """A pod that is Ready gives its node."""
    server.put_pods("shop", pod("web-0", ready=True))
    assert pod_ready(server.kube, "shop", "web-0")() == "node-1"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"waiting": {"reason": "ContainerCreating"}, "phase": "Pending"}, "Pending, web waiting (ContainerCreating)"),
        ({}, "Running, web running, not ready"),
        ({"terminated": {"exit_code": 3, "reason": "Error"}}, "Running, web ended with exit code 3 (Error)"),
        (
            {"phase": "Pending", "no_containers": True, "held_up": "0/3 nodes are available"},
            "Pending, 0/3 nodes are available",
        ),
        ({"phase": "Pending", "no_containers": True}, "Pending, no container yet"),
    ],
)
def test_pod_that_is_not_ready(server: Answers, pod: MakePod, fields: dict[str, object], state: str) -> None:
    """A pod that isn't Ready tells its phase, and what its containers or its scheduler say."""
    server.put_pods("shop", pod("web-0", **fields))
    assert seen(pod_ready(server.kube, "shop", "web-0")) == f"web-0: {state}"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"phase": "Succeeded"}, "Succeeded"),
        ({"phase": "Failed", "no_containers": True, "reason": "Evicted", "message": "low on memory"}, "low on memory"),
    ],
)
def test_pod_that_has_ended(server: Answers, pod: MakePod, fields: dict[str, object], state: str) -> None:
    """A pod that has ended won't be ready, which ends the wait at once."""
    server.put_pods("shop", pod("web-0", **fields))
    with pytest.raises(HopelessError, match=rf"^pod shop/web-0 has ended, and won't be ready: web-0: .*{state}"):
        wait_for_condition(pod_ready(server.kube, "shop", "web-0"))


def test_pod_that_is_not_there(server: Answers) -> None:
    """A pod that doesn't exist may yet; the timeout says which it was, and the command that shows more."""
    with pytest.raises(ConditionTimeoutError) as failure:
        wait_for_condition(pod_ready(server.kube, "shop", "web-0"), SHORT)
    assert str(failure.value).startswith("pod shop/web-0 is ready: not so after 1.")
    assert str(failure.value).endswith(
        "Last state seen: there is none of that name. Look closer with: kubectl --namespace shop describe pod web-0"
    )


def test_busy_api(server: Answers) -> None:
    """An API server that is busy is asked again."""
    server.objects["/api/v1/namespaces/shop/pods/web-0"] = HTTPStatus.SERVICE_UNAVAILABLE
    assert seen(pod_ready(server.kube, "shop", "web-0")) == "the API answered 503 Service Unavailable"


def test_api_that_refuses(server: Answers) -> None:
    """A refusal ends the wait: waiting gives nobody a right."""
    server.objects["/api/v1/namespaces/shop/pods/web-0"] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException, match="403"):
        wait_for_condition(pod_ready(server.kube, "shop", "web-0"))


def test_all_pods_are_ready(server: Answers, pod: MakePod) -> None:
    """Pods are ready when all are; those that have ended or are being deleted don't count."""
    server.put_pods(
        "shop",
        pod("web-0", ready=True),
        pod("web-1", ready=True),
        pod("web-2", phase="Failed"),
        pod("web-3", deleted=True),
    )
    assert pods_ready(server.kube, "shop", "app=web", count=2)() == ("web-0", "web-1")
    assert "labelSelector=app%3Dweb" in server.asked[-1]


def test_pod_that_is_missing_or_not_ready(server: Answers, pod: MakePod) -> None:
    """Pods are not ready when one isn't, or there are too few; the state tells of each that isn't."""
    server.put_pods("shop", pod("web-0", ready=True), pod("web-1"))
    assert seen(pods_ready(server.kube, "shop", "app=web")) == "1 ready of 2 | web-1: Running, web running, not ready"
    server.put_pods("shop", pod("web-0", ready=True), pod("web-1", ready=True, deleted=True))
    assert seen(pods_ready(server.kube, "shop", "app=web", count=2)) == "1 ready of 2"
    server.put_pods("shop")
    assert seen(pods_ready(server.kube, "shop", "app=web")) == "0 ready of 1"


def test_complete_job(server: Answers) -> None:
    """A Job that says so is complete; until then it tells how far it is."""
    server.objects[JOB] = [job(succeeded=1), job(("Complete", "", ""), succeeded=2, active=None)]
    condition = job_complete(server.kube, "shop", "import")
    assert seen(condition) == "1 of 2 completions, 1 active, 0 failed"
    assert condition() is True


@pytest.mark.parametrize("kind", ["Failed", "FailureTarget"])
def test_failed_job_ends_the_wait(server: Answers, kind: str) -> None:
    """A Job that has failed, or is about to, ends the wait at once, with its reason."""
    server.objects[JOB] = job((kind, "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    with pytest.raises(
        HopelessError,
        match=r"^job shop/import failed: BackoffLimitExceeded: Job has reached the specified backoff limit$",
    ):
        wait_for_condition(job_complete(server.kube, "shop", "import"))


def test_available_deployment(server: Answers) -> None:
    """A Deployment all of whose replicas are of the newest version and available gives their number."""
    server.objects[DEPLOYMENT] = deployment()
    assert deployment_available(server.kube, "shop", "web")() == 2


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (deployment(observed=1), "its controller has not seen the newest version yet"),
        (deployment(available=None), "0 of 2 available, 2 of the newest version, 2 in all"),
        (deployment(updated=1), "2 of 2 available, 1 of the newest version, 2 in all"),
        (deployment(total=3), "2 of 2 available, 2 of the newest version, 3 in all"),
        (
            deployment(observed=1, reason="ProgressDeadlineExceeded"),
            "its controller has not seen the newest version yet",
        ),
    ],
)
def test_deployment_that_rolls_out(server: Answers, found: client.V1Deployment, state: str) -> None:
    """A Deployment that still has older pods, or too few available ones, tells how many."""
    server.objects[DEPLOYMENT] = found
    assert seen(deployment_available(server.kube, "shop", "web")) == state


def test_stuck_deployment_ends_the_wait(server: Answers) -> None:
    """A Deployment whose own deadline has passed ends the wait, with what it says."""
    server.objects[DEPLOYMENT] = deployment(available=1, reason="ProgressDeadlineExceeded")
    with pytest.raises(HopelessError, match=r"^deployment shop/web is stuck: two hours$"):
        wait_for_condition(deployment_available(server.kube, "shop", "web"))


def test_statefulset(server: Answers) -> None:
    """A StatefulSet is ready when its newest version is seen, rolled out and ready."""
    server.objects[STATEFULSET] = [
        statefulset(observed=1),
        statefulset(updated=0),
        statefulset(ready=None),
        statefulset(),
    ]
    condition = statefulset_ready(server.kube, "shop", "db")
    assert seen(condition) == "its controller has not seen the newest version yet"
    assert seen(condition) == "1 of 1 ready, 0 of the newest version, 1 in all"
    assert seen(condition) == "0 of 1 ready, 1 of the newest version, 1 in all"
    assert condition() == 1
