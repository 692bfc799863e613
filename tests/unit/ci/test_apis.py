"""What the driver talks to one cluster through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3
from floe_ci.driver.apis import Apis, is_passing
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ANSWER = urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("c"), "/api", ConnectionError("refused"))


def test_every_call_names_the_cluster(stand_in: Callable[[str], None], calls: Callable[[], list[str]]) -> None:
    """Each call of kubectl says which cluster is meant, and so is whoever pastes a command."""
    stand_in("")
    apis = Apis(kubectl_options=("--context", "a b"))
    apis.kubectl("get", "pods")
    assert calls() == ["--context a b get pods"]
    assert apis.command("get", "pods") == "kubectl --context 'a b' get pods"


@pytest.mark.parametrize(
    "error",
    [NO_ANSWER, client.ApiException(status=503), client.ApiException(status=500), client.ApiException(status=429)],
    ids=["no answer", "unavailable", "internal error", "too many"],
)
def test_failure_that_may_pass(error: Exception) -> None:
    """An API that doesn't answer, has trouble of its own, or asks to come again, may answer the next time."""
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [client.ApiException(status=401), client.ApiException(status=404), client.ApiException(status=0), ValueError()],
    ids=["credentials", "not found", "certificate", "something else"],
)
def test_failure_that_stays(error: Exception) -> None:
    """What the cluster refuses, it refuses the next time too."""
    assert not is_passing(error)
