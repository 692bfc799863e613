"""The ready-made checks of the network: each can fail, and says of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.base_classes.network import NetworkChecks, NetworkError, connections_opened
from floe_testing.base_classes.policies import NoPodError, own_pod, policies_not_enforced
from floe_testing.conditions import Condition
from floe_testing.services import ServiceRequirement
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import V1Pod

    from tests.functional.testing.answering import Answers

    MakePod = Callable[..., V1Pod]

pytestmark = pytest.mark.requirement("REQ-643")

SUITE = """
import pytest
from floe_testing.base_classes.network import NetworkChecks
from floe_testing.services import ServiceRequirement

WEB = ServiceRequirement(name="web", port={port})

@pytest.fixture
def kube():
    return "the cluster"

@pytest.fixture
def namespace():
    return "a namespace"

class TestNetwork(NetworkChecks):
    required_services = (WEB,)
    http = {{"web": "/health"}}
    {more}
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all services on this machine."""
    monkeypatch.setattr("floe_testing.base_classes.network.host", lambda _: "127.0.0.1")
    monkeypatch.setattr("floe_testing.base_classes.network.SOON", PollingConfig(timeout=1))


@pytest.fixture
def in_pod(server: Answers, pod: MakePod, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a pod of the cluster, whose listener is this test's server."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("FLOE_NAMESPACE", "ns")
    monkeypatch.setattr("socket.gethostname", lambda: "runner")
    monkeypatch.setattr("floe_testing.base_classes.policies.SOON", PollingConfig(timeout=1))
    monkeypatch.setattr("floe_testing.base_classes.policies._PORT", server.port)
    own = pod("runner")
    own.spec.containers[0].image, own.metadata.namespace = "floe.local/runner:dev", "ns"
    listening = pod("listener", ready=True)
    listening.status.pod_ip = "127.0.0.1"
    server.put_pods("ns", own)
    server.put_pods("mine", listening)


def enforce(server: Answers, monkeypatch: pytest.MonkeyPatch, *, until_allowed: bool) -> None:
    """Let connections be blocked from the first policy on, until the second or for ever."""

    def tcp_open(host: str, port: int, probe: float) -> Condition[bool]:
        def look(_: float) -> bool:
            names = [each["metadata"]["name"] for each in server.made]
            return "deny" not in names or (until_allowed and "allow" in names)

        return Condition(f"{host}:{port}", look, probe=probe)

    monkeypatch.setattr("floe_testing.base_classes.policies.tcp_open", tcp_open)


def run(pytester: pytest.Pytester, port: int, more: str = "") -> pytest.RunResult:
    """Run the checks against a port of this machine."""
    pytester.makepyfile(SUITE.format(port=port, more=more))
    return pytester.runpytest_inprocess("-rA", "-p", "no:cacheprovider")


@pytest.mark.requirement("REQ-643.1", "REQ-643.2", "REQ-643.3")
@pytest.mark.usefixtures("here")
def test_sound_network(server: Answers, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check is a test for each of its services, and passes where the network does what it must."""
    server.objects["/health"] = "well"
    monkeypatch.setattr("floe_testing.base_classes.network.policies_not_enforced", lambda *_: None)
    result = run(pytester, server.port)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED *::TestNetwork::test_name_resolves[[]web[]]",
            "PASSED *::TestNetwork::test_connection_is_taken[[]web[]]",
            "PASSED *::TestNetwork::test_http_is_answered[[]web[]]",
            "PASSED *::TestNetwork::test_connection_is_reused[[]web[]]",
            "PASSED *::TestNetwork::test_policy_is_enforced",
        ]
    )


@pytest.mark.requirement("REQ-643.6")
@pytest.mark.usefixtures("here")
def test_broken_network(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is out of reach fails the checks of its connection and of HTTP, and not that of its name."""
    monkeypatch.setattr(
        "floe_testing.base_classes.network.wait_for_condition",
        lambda condition, _=None: condition() or pytest.fail("no"),
    )
    monkeypatch.setattr("floe_testing.base_classes.network.policies_not_enforced", lambda *_: None)
    run(pytester, 1).assert_outcomes(passed=2, failed=3)


@pytest.mark.requirement("REQ-643.6")
def test_name_that_does_not_resolve(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that doesn't resolve fails, and the message has the name that a pod would use."""
    monkeypatch.setattr(
        "floe_testing.base_classes.network.wait_for_condition", lambda condition: pytest.fail(condition.description)
    )
    pytester.makepyfile(SUITE.format(port=80, more=""))
    result = pytester.runpytest_inprocess("-k", "test_name_resolves", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*web.*.svc resolves*"])


@pytest.mark.requirement("REQ-643.5")
@pytest.mark.usefixtures("here")
def test_connections_are_not_reused(server: Answers, pytester: pytest.Pytester) -> None:
    """A server that closes each connection fails the check, which says how many it took."""
    server.objects["/health"] = "well"
    server.hangs_up = True
    pytester.makepyfile(SUITE.format(port=server.port, more=""))
    result = pytester.runpytest_inprocess("-k", "test_connection_is_reused", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NetworkError: 20 requests to web opened 20 connections; one is enough"])


def test_connections_are_counted(server: Answers) -> None:
    """What is counted is what the server sees: one connection for all, or one for each where it hangs up."""
    server.objects["/"] = "well"
    assert connections_opened("127.0.0.1", server.port, "/", 5) == server.connections == 1
    server.hangs_up = True
    assert connections_opened("127.0.0.1", server.port, "/", 5) == server.connections - 1 == 5


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("", "XFAIL *::test_policy_is_enforced - *they are only accepted*"),
        ("policies_required = True", "*NetworkError: they are only accepted"),
    ],
)
def test_cluster_without_policies(
    server: Answers, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, more: str, line: str
) -> None:
    """A cluster that enforces no policies never passes: that is reported, or a failure where they are required."""
    server.objects["/health"] = "well"
    monkeypatch.setattr("floe_testing.base_classes.network.policies_not_enforced", lambda *_: "they are only accepted")
    result = run(pytester, server.port, more)
    result.assert_outcomes(passed=4, **{"failed" if more else "xfailed": 1})
    result.stdout.fnmatch_lines([line])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("problem", "outcome"), [(None, {"failed": 1}), ("they are only accepted", {"xfailed": 1})])
def test_service_that_must_be_blocked(
    server: Answers,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    problem: str | None,
    outcome: dict[str, int],
) -> None:
    """A service in reach that must not be is a failure, unless the cluster blocks nothing at all, which is told."""
    monkeypatch.setattr("floe_testing.base_classes.network.policies_not_enforced", lambda *_: problem)
    pytester.makepyfile(SUITE.format(port=server.port, more="blocked = (WEB,)"))
    pytester.runpytest_inprocess("-k", "test_service_is_blocked", "-p", "no:cacheprovider").assert_outcomes(**outcome)


@pytest.mark.usefixtures("here")
def test_service_that_is_blocked(pytester: pytest.Pytester) -> None:
    """A service that is out of reach, as it must be, passes."""
    pytester.makepyfile(SUITE.format(port=1, more="blocked = (WEB,)"))
    pytester.runpytest_inprocess("-k", "test_service_is_blocked", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_checks_without_services_are_left_out() -> None:
    """A check for which there is no service is no test; a subclass that has one brings it back."""

    class Names(NetworkChecks):
        required_services = (ServiceRequirement(name="web", port=80, namespace="ns"),)

    class Pages(Names):
        http = {"web": "/"}  # noqa: RUF012 - as a user writes it

    assert Names.test_http_is_answered is None
    assert callable(Names.test_name_resolves)
    assert callable(Pages.test_http_is_answered)


def test_http_of_an_unknown_service() -> None:
    """A path for a service that is not required is a mistake, told when the class is made."""
    with pytest.raises(NetworkError, match=r"Shop.http names shop, not among its required_services"):
        type("Shop", (NetworkChecks,), {"http": {"shop": "/"}})


@pytest.mark.usefixtures("in_pod")
def test_policies_that_do_nothing(server: Answers) -> None:
    """A cluster in which a denied connection is still taken enforces nothing, and what was seen says so."""
    problem = policies_not_enforced(server.kube, "mine")
    assert problem is not None
    assert problem.startswith("This cluster doesn't enforce network policies: it accepted one that denies")
    listener, deny = server.made
    assert listener["spec"]["containers"][0]["image"] == "floe.local/runner:dev"
    assert listener["spec"]["nodeName"] == "node-1"
    assert deny["spec"] == {
        "podSelector": {"matchLabels": listener["metadata"]["labels"]},
        "policyTypes": ["Ingress"],
        "ingress": [],
    }


@pytest.mark.requirement("REQ-643.4")
@pytest.mark.usefixtures("in_pod")
def test_policies_that_block(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that blocks a denied connection, and takes it when a second policy allows it, enforces policies."""
    enforce(server, monkeypatch, until_allowed=True)
    assert policies_not_enforced(server.kube, "mine") is None
    (peer,) = server.made[2]["spec"]["ingress"][0]["from"]
    assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ns"}}}


@pytest.mark.usefixtures("in_pod")
def test_policies_that_block_everything(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that still blocks what a policy allows fails."""
    enforce(server, monkeypatch, until_allowed=False)
    with pytest.raises(ConditionTimeoutError):
        policies_not_enforced(server.kube, "mine")


def test_policies_are_checked_from_a_pod(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a pod, policies can't be checked, and the message says how to run the tests in one."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoPodError, match="floe-ci test --tier e2e"):
        own_pod(server.kube)
