"""`floe-ci shell` and `floe-ci status`: into what is up, and what that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from floe_ci import held_cluster
from floe_ci.cli import main

from tests.unit.ci.test_held_cluster import held, record

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-648")


@pytest.fixture
def runner() -> CliRunner:
    """Return what runs the command line in this process."""
    return CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a state folder and a cache of the test's own: there may be services up on this machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_nothing_is_up(runner: CliRunner, tmp_path: Path) -> None:
    """Where no cluster is up the shell is refused, with what brings one up."""
    refused = runner.invoke(main, ["shell", "--source", str(tmp_path)])
    assert refused.exit_code == 2
    assert "`floe-ci up --on dagger` brings one up where an engine or a container runtime is" in refused.stderr
    assert "nothing is up" in runner.invoke(main, ["status"]).stdout
    assert json.loads(runner.invoke(main, ["status", "--json"]).stdout) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [(["sh", "-c", 'test "$KUBECONFIG" = "$0/kubeconfig"'], 0), (["false"], 1), (["sh", "-c", "kill -9 $$"], 137)],
)
def test_command(runner: CliRunner, tmp_path: Path, command: list[str], code: int) -> None:
    """A command finds the cluster in its environment, and its exit code is the shell's."""
    there = record(tmp_path)
    with held(there.name):
        held_cluster.write(there)
        done = runner.invoke(main, ["shell", "--source", str(tmp_path), "--", *command, str(tmp_path)])
    assert done.exit_code == code, done.output


def test_command_that_is_not_there(runner: CliRunner, tmp_path: Path) -> None:
    """A command that can't be started is an error of one line."""
    there = record(tmp_path)
    with held(there.name):
        held_cluster.write(there)
        refused = runner.invoke(main, ["shell", "--source", str(tmp_path), "--", "no-such-command"])
    assert refused.exit_code == 2
    assert refused.stderr == "floe-ci: no-such-command: No such file or directory\n"


def test_status_of_a_cluster_that_does_not_answer(runner: CliRunner, tmp_path: Path) -> None:
    """A cluster whose size can't be told is listed all the same."""
    there = record(tmp_path)
    with held(there.name):
        held_cluster.write(there)
        said = runner.invoke(main, ["status"]).stdout
        (listed,) = json.loads(runner.invoke(main, ["status", "--json"]).stdout)
    assert f"{there.name}: on dagger, tier integration, for {tmp_path}" in said
    assert (listed["name"], listed["memory_bytes"]) == (there.name, None)
