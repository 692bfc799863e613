"""`floe-ci doctor` tells the truth, wherever it is."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import engine_probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Dagger, Done, Existing

NOWHERE = """
apiVersion: v1
kind: Config
current-context: kind-gone
clusters: [{name: gone, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: gone, user: {token: gone}}]
contexts: [{name: kind-gone, context: {cluster: gone, user: gone}}]
"""


ENGINE = os.environ.get(engine_probe.ENGINE_VARIABLE)


@pytest.fixture
def doctor(floe_ci: Callable[..., Done], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return what asks the doctor, on a machine with nothing but Python and what the test gives it."""

    def ask(*commands: str, **environment: str) -> dict[str, Any]:
        (tmp_path / "bin").mkdir()
        for command in commands:
            (tmp_path / "bin" / command).symlink_to(str(shutil.which(command)))
        with pytest.MonkeyPatch.context() as machine:
            for name in (engine_probe.ENGINE_VARIABLE, "KUBECONFIG"):
                machine.delenv(name, raising=False)
            for name, value in {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **environment}.items():
                machine.setenv(name, value)
            done = floe_ci("doctor", "--json")
        assert done.code == 0, done.errors
        return dict(json.loads(done.output))

    return ask


def states(told: dict[str, Any], place: str) -> dict[str, str]:
    """Return the state of each thing that a place needs."""
    return {each["what"]: each["state"] for each in told["places"][place]["findings"] if each["needed"]}


def usable(told: dict[str, Any]) -> set[str]:
    """Return the places that can be used."""
    return {name for name, place in told["places"].items() if place["usable"]}


def test_nothing(doctor: Callable[..., dict[str, Any]]) -> None:
    """Where there is nothing, a run has services on this machine, and what the other places lack is told."""
    told = doctor()
    assert usable(told) == {"local"}
    assert told["default"]["place"] == "local"
    assert states(told, "dagger") == {"container runtime": "missing"}
    assert states(told, "cluster") == {"kubectl": "missing"}
    assert all(each["remedy"] for place in ("dagger", "cluster") for each in told["places"][place]["findings"])


@pytest.mark.skipif(not ENGINE, reason="the engine here is one that a container runtime starts")
def test_engine_only(dagger: Dagger, doctor: Callable[..., dict[str, Any]]) -> None:
    """Where an engine answers, a run uses it, without a container runtime."""
    assert dagger.command
    told = doctor(**{engine_probe.ENGINE_VARIABLE: str(ENGINE)})
    assert usable(told) == {"dagger", "local"}
    assert told["default"] == {"place": "dagger", "why": f"the Dagger engine {ENGINE} answers"}


def test_unreachable_engine(doctor: Callable[..., dict[str, Any]]) -> None:
    """Where the engine that is named doesn't answer, that is told, and a run has services on this machine."""
    told = doctor(**{engine_probe.ENGINE_VARIABLE: "tcp://127.0.0.1:9"})
    assert usable(told) == {"local"}
    assert states(told, "dagger") == {"Dagger engine": "broken"}
    assert told["default"]["place"] == "local"
    assert "tcp://127.0.0.1:9 does not answer" in told["default"]["why"]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")
def test_kubeconfig_to_nowhere(
    doctor: Callable[..., dict[str, Any]], floe_ci: Callable[..., Done], tmp_path: Path
) -> None:
    """Where a kubeconfig names a cluster that is gone, the cluster is broken, and a run in it says the same."""
    config = tmp_path / "config"
    config.write_text(NOWHERE)
    told = doctor("kubectl", KUBECONFIG=str(config))
    assert usable(told) == {"local"}
    assert states(told, "cluster") == {"kubectl": "here", "cluster": "broken"}
    (detail,) = [each["detail"] for each in told["places"]["cluster"]["findings"] if each["state"] == "broken"]
    assert "context kind-gone: https://127.0.0.1:9 does not answer" in detail
    images = ("--image", "runner:1", "--images", "floe.local/dagster=dagster:1")
    results = ("--results", str(tmp_path / "results"))
    run = floe_ci("test", "--on", "cluster", "--kubeconfig", str(config), *images, *results)
    assert run.code == 2
    assert detail in run.output


@pytest.mark.timeout(900)
def test_kind_cluster(existing: Existing, doctor: Callable[..., dict[str, Any]]) -> None:
    """Beside a Kind cluster that answers, it can be used, and is still not what a run takes without being asked."""
    version = json.loads(existing.kubectl("version", "--output", "json"))["serverVersion"]["gitVersion"]
    told = doctor("kubectl", KUBECONFIG=str(existing.kubeconfig))
    assert usable(told) == {"cluster", "local"}
    assert told["default"]["place"] == "local"
    assert states(told, "cluster") == {"kubectl": "here", "cluster": "here"}
    (detail,) = [each["detail"] for each in told["places"]["cluster"]["findings"] if each["what"] == "cluster"]
    assert detail.startswith(f"context kind-floe: Kubernetes {version} at https://localhost:")
