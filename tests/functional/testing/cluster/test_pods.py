"""What is taken for a failure of a pod, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from floe_testing.cluster.pods import Failure, failures

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import V1Pod

    MakePod = Callable[..., V1Pod]

pytestmark = pytest.mark.requirement("REQ-642")

ENDED = datetime(2026, 1, 2, tzinfo=UTC)
KILLED = {"exit_code": 137, "reason": "OOMKilled", "finished_at": ENDED}


@pytest.mark.parametrize("reason", ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName"])
def test_container_that_waits_in_vain(pod: MakePod, reason: str) -> None:
    """A container that crashes again and again, or whose image can't be had, has failed."""
    assert list(failures(pod("web-0", waiting={"reason": reason}))) == [Failure("web-0", "web-0", "web", reason)]


@pytest.mark.parametrize("where", ["terminated", "last_terminated"])
def test_container_out_of_memory(pod: MakePod, where: str) -> None:
    """A container that was killed for its memory has failed, also where another runs in its place."""
    found = list(failures(pod("web-0", **{where: KILLED})))
    assert found == [Failure("web-0", "web-0", "web", "OOMKilled", ENDED)]


def test_cause_comes_first(pod: MakePod) -> None:
    """Of a container that is killed for its memory until it isn't started any more, the kill is told first."""
    found = failures(pod("web-0", waiting={"reason": "CrashLoopBackOff"}, last_terminated=KILLED))
    assert [each.reason for each in found] == ["OOMKilled", "CrashLoopBackOff"]


def test_evicted_pod(pod: MakePod) -> None:
    """A pod that was evicted has failed as a whole."""
    (found,) = failures(pod("web-0", phase="Failed", reason="Evicted", no_containers=True))
    assert str(found) == "pod web-0: Evicted"


@pytest.mark.parametrize(
    "fields",
    [
        {"ready": True},
        {"waiting": {"reason": "ContainerCreating"}},
        {"terminated": {"exit_code": 1, "reason": "Error"}},
        {"last_terminated": {"exit_code": 137, "reason": "Error"}},
        {"phase": "Failed", "no_containers": True, "reason": "Shutdown"},
        {"deleted": True, "waiting": {"reason": "CrashLoopBackOff"}},
        {"labels": {"batch.kubernetes.io/job-name": "j"}, "waiting": {"reason": "CrashLoopBackOff"}},
    ],
)
def test_no_failure(pod: MakePod, fields: dict[str, object]) -> None:
    """A start, a crash that is tried again, and a pod that is deleted on purpose are no failures."""
    assert not list(failures(pod("web-0", **fields)))


def test_job_whose_image_is_missing(pod: MakePod) -> None:
    """A Job tries crashes again, but an image that it can't have is a failure."""
    found = pod("web-0", labels={"batch.kubernetes.io/job-name": "j"}, waiting={"reason": "ErrImagePull"})
    assert [each.reason for each in failures(found)] == ["ErrImagePull"]
