"""`floe-ci doctor` tells what is here and what a run would use, and starts nothing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from floe_ci.places import Finding, choice
from floe_ci.places.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result
    from conftest import Somewhere

    Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def _chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "choose", lambda: Choice("local", "there is nothing else"))


def test_what_is_here(call: Call, somewhere: Somewhere) -> None:
    """Each place is told with its findings, and the last line is where a run would go and why."""
    told = call("doctor")
    assert told.exit_code == 0
    assert told.output.count("✓ thing: it is here") == 3
    assert "--on cluster  a cluster that is there: can be used" in told.output
    assert told.output.splitlines()[-1] == "`floe-ci test` runs on local: there is nothing else"
    assert not somewhere.requests


def test_what_is_missing(call: Call, somewhere: Somewhere) -> None:
    """What is missing stands with how to get it, and where a run has nowhere to go the exit code is 3."""
    somewhere.findings = [Finding("thing", "broken", "it does not answer", "start it")]
    told = call("doctor")
    assert told.exit_code == 3
    assert "  ✗ thing: it does not answer\n      start it" in told.output
    assert "can't be used" in told.output


def test_what_can_be_done_without(call: Call, somewhere: Somewhere) -> None:
    """A thing that is missing but not needed leaves its place usable."""
    somewhere.findings.append(Finding("service minio", "missing", "no package", needed=False))
    told = call("doctor")
    assert told.exit_code == 0
    assert "- service minio: no package" in told.output


def test_machines_are_told_the_same(call: Call, somewhere: Somewhere) -> None:
    """With --json all of it is one document."""
    assert somewhere.findings
    told = json.loads(call("doctor", "--json").stdout)
    assert told["default"] == {"place": "local", "why": "there is nothing else"}
    assert told["places"]["dagger"]["usable"] is True
    assert told["places"]["dagger"]["findings"][0]["what"] == "thing"


@pytest.mark.parametrize(
    ("pyproject", "reason"),
    [
        ("[tool.floe-ci]\ncoverag = []", "unknown key; did you mean 'coverage'?"),
        ("[project]\nname = 'a'", 'or add [tool.floe-ci.runner] install = ["."]; or run `uv lock`'),
        (
            "[tool.floe-ci.runner]\ninstall = ['-r x.txt']",
            "[tool.floe-ci.runner] install: x.txt: there is no such file",
        ),
        (
            "[tool.floe-ci.runner]\ninstall = ['a']",
            "[tool.floe-ci.tiers.unit] paths: tests/unit: there is no such file",
        ),
    ],
)
def test_repository_that_would_be_refused(
    call: Call, somewhere: Somewhere, tmp_path: Path, pyproject: str, reason: str
) -> None:
    """What of the repository would be refused is told with what to do, and the exit code is a refusal's."""
    (tmp_path / "pyproject.toml").write_text(pyproject)
    told = call("doctor", "--source", str(tmp_path))
    assert (told.exit_code, "the repository  would be refused" in told.output) == (2, True), somewhere
    assert reason in told.output


@pytest.mark.parametrize("name", ["pyproject.toml", "floe-ci.toml"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", "link to nothing"])
def test_what_is_no_file_would_be_refused(
    call: Call, somewhere: Somewhere, tmp_path: Path, name: str, kind: str
) -> None:
    """Whatever else stands under the name of a repository's file is told, as a run tells it."""
    match kind:
        case "pipe":
            os.mkfifo(tmp_path / name)
        case "folder":
            (tmp_path / name).mkdir()
        case _:
            (tmp_path / name).symlink_to(name if kind == "link to itself" else "nothing")
    told = call("doctor", "--source", str(tmp_path))
    assert (told.exit_code, "the repository  would be refused" in told.output) == (2, True), somewhere


def test_repository_that_can_be_tested(call: Call, somewhere: Somewhere, tmp_path: Path) -> None:
    """A repository that says what to install is fine, and a service that this machine can't run is told."""
    (tmp_path / "tests" / "e2e").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.e2e]\nservices = ["jaeger"]\n'
    )
    told = call("doctor", "--source", str(tmp_path))
    assert (told.exit_code, "the repository  can be tested" in told.output) == (0, True), somewhere
    assert "- jaeger of the tier e2e: jaeger is not in Python's package index" in told.output
    assert json.loads(call("doctor", "--json", "--source", str(tmp_path)).stdout)["repository"]["usable"] is True


@pytest.mark.usefixtures("somewhere")
@pytest.mark.parametrize("is_here", [True, False])
def test_helm(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_here: bool) -> None:  # noqa: FBT001 - a parameter
    """Where a tier has charts, the doctor tells whether Helm is here, without which a run in Dagger still does."""
    pytest.importorskip("uv", reason="there is no uv, as in the image of the test runner")
    (tmp_path / "tests" / "e2e").mkdir(parents=True)
    (tmp_path / "floe-ci.toml").write_text(
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.e2e]\ncharts = [{ path = "charts/app" }]\n'
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    if is_here:
        (tmp_path / "helm").write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / "helm").chmod(0o755)
    told = call("doctor", "--source", str(tmp_path))
    what = "--on cluster renders the charts of e2e with it"
    assert (f"✓ helm: {tmp_path / 'helm'}: {what}" if is_here else f"- helm: {what}") in told.output
    assert told.exit_code == 0
