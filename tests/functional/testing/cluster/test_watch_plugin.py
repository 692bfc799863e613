"""The watch as pytest runs it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubernetes.client import V1Pod

    from tests.functional.testing.answering import Answers

    MakePod = Callable[..., V1Pod]

pytestmark = pytest.mark.requirement("REQ-642")

CRASHING: dict[str, Any] = {"waiting": {"reason": "CrashLoopBackOff"}, "labels": {"app.kubernetes.io/name": "web-api"}}
SUITE = """
import pytest
from floe_testing import PollingConfig, wait_for_condition

@pytest.fixture
def web_client():
    return "of the service web"

def test_waits():
    wait_for_condition(lambda: False, PollingConfig(timeout=20))

def test_needs_web(web_client):
    pass

class TestNeedsWeb:
    required_services = [("web", 80)]

    def test_is_there(self):
        pass

def test_needs_nothing():
    pass
"""


@pytest.fixture(autouse=True)
def _cluster(server: Answers, pod: MakePod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cluster whose namespace has one pod, well at first and crashing from the second look."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    # What the client read of that variable when it was imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("FLOE_NAMESPACE", "ns")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    server.put_pods("ns", pod("web-0", **CRASHING))
    path = "/api/v1/namespaces/ns/pods"
    crashing = server.objects[path]
    server.put_pods("ns", pod("web-0", ready=True))
    server.objects[path] = [server.objects[path], crashing]


def run(pytester: pytest.Pytester, suite: str, *arguments: str) -> pytest.RunResult:
    """Run a suite with this plugin and no other."""
    pytester.makepyfile(suite)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_suite_whose_service_breaks(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """The test that waits fails with the reason, later ones that need the service don't begin, and others pass."""
    result = run(pytester, SUITE, "-rA", *workers)
    result.assert_outcomes(failed=1, errors=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E   *PodFailedError: pod web-0, container web: CrashLoopBackOff in namespace ns *",
            "PASSED *::test_needs_nothing",
            "ERROR *::test_needs_web - Failed: pod web-0, container web: CrashLoopBackOff *",
            "ERROR *::TestNeedsWeb::test_is_there - Failed: pod web-0, container web: CrashLoopBackOff *",
        ],
    )


def test_failed_test_shows_the_pods(pytester: pytest.Pytester) -> None:
    """A test that fails for another reason to see shows the pods that failed meanwhile."""
    result = run(pytester, "def test_reads():\n    raise ConnectionResetError")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ConnectionResetError*", "*- pods that failed -*", "pod web-0, container web: CrashLoopBackOff in *"]
    )


def test_expected_failure_disturbs_nobody(pytester: pytest.Pytester) -> None:
    """A test that says which failure it expects goes on, and so do those after it."""
    suite = """
    def test_lets_it_crash(pod_watcher):
        with pod_watcher.expecting("web-api"):
            pass

    def test_needs_web(web_client):
        pass
    """
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef web_client(): pass")
    run(pytester, suite).assert_outcomes(passed=2)


def test_watch_can_be_turned_off(server: Answers, pytester: pytest.Pytester) -> None:
    """With the option, the cluster is not asked, and who needs the watch is told why there is none."""
    result = run(pytester, "def test_a(): pass\ndef test_b(pod_watcher): pass", "--no-pod-watch")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the pods are not watched: FLOE_NAMESPACE is not set, or --no-pod-watch is"])
    assert not server.asked


def test_no_namespace_no_watch(server: Answers, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no namespace is named, no cluster is asked, though there is a kubeconfig."""
    monkeypatch.delenv("FLOE_NAMESPACE")
    run(pytester, "def test_a(): pass").assert_outcomes(passed=1)
    assert not server.asked


def test_collecting_watches_nothing(server: Answers, pytester: pytest.Pytester) -> None:
    """Where tests are only listed, no cluster is asked."""
    assert run(pytester, "def test_a(): pass", "--collect-only").ret == pytest.ExitCode.OK
    assert not server.asked


def test_cluster_that_refuses(server: Answers, pytester: pytest.Pytester) -> None:
    """Where the pods may not be listed, tests run without a watch, and the summary says so."""
    server.objects["/api/v1/namespaces/ns/pods"] = HTTPStatus.FORBIDDEN
    result = run(pytester, "def test_a(): pass\ndef test_b(pod_watcher): pass")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["the pods are not watched: *Forbidden*", "The pods of ns were not watched: *Forbidden*"]
    )
