"""Pods are watched, and whoever looks knows them as they were told last."""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import watched
from floe_ci.driver.poll import wait_until
from floe_ci.driver.watched import WatchedPods
from floe_ci.errors import RunError
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import ApiServer

PODS = "/api/v1/namespaces/ns/pods"


def listing(*names: str) -> client.V1PodList:
    """Return a list of pods."""
    items = [client.V1Pod(metadata=client.V1ObjectMeta(name=name, uid=name, resource_version="1")) for name in names]
    return client.V1PodList(items=items)


def answering(api: ApiServer, answers: Iterable[object]) -> None:
    """Have the cluster give these answers, one for each time that it is asked."""
    given = iter(answers)
    api.objects[PODS] = lambda: next(given)


def wait_for(pods: WatchedPods, *names: str) -> None:
    """Wait until these pods are there, and no others."""

    def observe() -> str | None:
        found = sorted(pod.metadata.name for pod in pods.all())
        return None if found == sorted(names) else str(found)

    wait_until("pods", observe, timeout=30, interval=0.01)


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause take long."""
    monkeypatch.setattr(watched, "AGAIN", 0.01)
    monkeypatch.setattr(watched, "GLANCE", 0.01)


def test_pods_come_and_go(api: ApiServer) -> None:
    """Pods that the cluster tells of are there, and those that it knows no more are gone."""
    forgotten = HTTPStatus.GONE
    answering(api, chain([listing("a", "b"), listing("c"), forgotten, listing("b", "c")], repeat(listing("b", "c"))))
    with WatchedPods(api.apis, "ns") as pods:
        wait_for(pods, "b", "c")
        assert pods.is_gone(listing("a").items[0])
        assert not pods.is_gone(listing("b").items[0])


def test_refusal_is_told(api: ApiServer) -> None:
    """Whoever waits for news is told that the cluster refuses to tell."""
    answering(api, repeat(HTTPStatus.FORBIDDEN))
    with WatchedPods(api.apis, "ns") as pods:
        pods.look(0)  # there is always something new in the beginning
        with pytest.raises(RunError, match="pods: the cluster refused it"):
            pods.look(30)


@pytest.mark.parametrize("answer", [HTTPStatus.FORBIDDEN, client.V1Pod()], ids=["refused", "nonsense"])
def test_goes_on(api: ApiServer, answer: object) -> None:
    """Who reads logs beside a run goes on, whatever the cluster answered for a while."""
    answering(api, chain([answer, answer], repeat(listing("a"))))
    with WatchedPods(api.apis, "ns", goes_on=True) as pods:
        wait_for(pods, "a")
