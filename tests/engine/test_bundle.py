"""Runs with no way out: from a bundle, and from a closed registry that was filled from one."""

from __future__ import annotations

import base64
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from floe_ci.bundle_file import Contents

import image_registry
from tests.engine.conftest import ROOT, SMALL, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from repositories import Done
    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.requirement("REQ-647")]

USER = "ci"
PASSWORD = "hunter2"  # noqa: S105 - of a registry that the test starts
HASHED = "$2b$05$.zF2x8ISN2/FiHFjLQCZlOgqz58P/dc8JVvsRyUPBXW.ufyrt.coy"  # pragma: allowlist secret
LACKING = '["pytest", "six"]\npackages = ["libpq5"]'
OWN_SERVICE = ROOT / "examples" / "own-service"
CHART = """
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: second}, ports: [{port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: second}}
  template:
    metadata: {labels: {app: second}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: greeter
          image: floe.local/greeter:dev
          args: [python, greeter.py, 0.0.0.0, "8080"]
          env: [{name: GREETER_TOKEN, valueFrom: {secretKeyRef: {name: floe-credentials, key: GREETER_TOKEN}}}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
"""
SECOND = """
import os
from urllib.request import Request, urlopen

def test_second_greets():
    token = os.environ["GREETER_TOKEN"]
    with urlopen(Request("http://second:8080", headers={"Authorization": f"Bearer {token}"}), timeout=10) as answer:
        assert answer.read() == b"hello"
"""
UNIT = "def test_unit():\n    assert 1 + 1 == 2\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a repository with one service."""
    made = Repository(tmp_path_factory.mktemp("small"))
    for path, text in SMALL.items():
        made.write(path, text)
    made.write("tests/unit/test_it.py", UNIT)
    return made


@pytest.fixture(scope="module")
def bundle(
    dagger: Dagger, floe_ci: Callable[..., Done], small: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a bundle of that repository's integration tier."""
    made = tmp_path_factory.mktemp("bundle") / "bundle.tar"
    done = floe_ci("bundle", *dagger.options, "--output", str(made), where=small.folder)
    assert done.code == 0, done.errors[-3000:]
    assert done.output.splitlines()[-1] == str(made)
    return made


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[str]:
    """Yield an empty registry that asks for a password."""
    (tmp_path / "users").write_text(f"{USER}:{HASHED}\n")
    with image_registry.serving(tmp_path, users=tmp_path / "users") as registry:
        yield registry


@pytest.fixture
def known(closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return that registry, whose password Docker's configuration has."""
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {closed: {"auth": token}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return closed


def beside_registry(dagger: Dagger) -> list[str]:
    """Return the options of a run without `--registry`, for which a bundle stands."""
    options = list(dagger.options)
    if "--registry" in options:
        at = options.index("--registry")
        del options[at : at + 2]
    return options


def test_run_from_a_bundle(
    dagger: Dagger, bundle: Path, floe_ci: Callable[..., Done], small: Repository, tmp_path: Path
) -> None:
    """A run in Kind takes its nodes, tools, images and packages from a bundle, and the tests of today are run."""
    small.write("tests/integration/test_new.py", "def test_new():\n    assert 2 + 2 == 4\n")
    given = ["--bundle", str(bundle), *beside_registry(dagger)]
    where = ("--results", str(tmp_path / "results"), "--keyword", "answers or new")
    done = floe_ci("test", "--on", "dagger", *given, *where, where=small.folder)
    assert done.code == 0, done.errors[-3000:]
    junit = (tmp_path / "results" / "junit.xml").read_text()
    assert 'name="test_new"' in junit
    assert 'name="test_answers"' in junit


def test_all_that_is_lacking_is_told(
    dagger: Dagger, bundle: Path, floe_ci: Callable[..., Done], repository: Repository
) -> None:
    """Images, Debian packages and Python packages that a bundle lacks are told at once, before a cluster is started."""
    for path, text in SMALL.items():
        repository.write(path, text)
    repository.write("pyproject.toml", SMALL["pyproject.toml"].replace('["pytest"]', LACKING))
    repository.write("web.yaml", SMALL["web.yaml"].replace("floe.local/runner:dev", "registry.example.com/web:1.2"))
    given = ["--bundle", str(bundle), *beside_registry(dagger)]
    done = floe_ci("test", "--on", "dagger", *given, where=repository.folder)
    assert done.code == 2, done.errors[-3000:]
    assert "lacks what this run needs: 3 problems" in done.output
    assert "image registry.example.com/web:1.2" in done.output
    assert "Debian package libpq5 of [tool.floe-ci.runner] packages" in done.output
    assert re.search(r"Python packages: .*six", done.output)
    assert "create cluster" not in done.errors


def test_closed_registry_is_filled_and_used(
    bundle: Path, floe_ci: Callable[..., Done], small: Repository, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that asks for a password takes a bundle's images from who has it, and runs take them from there."""
    pushed = floe_ci("bundle", "push", str(bundle), f"{known}/floe")
    assert pushed.code == 0, pushed.errors[-3000:]
    names = [line.partition("@")[0] for line in pushed.output.splitlines()]
    assert len(names) == len(Contents.read(bundle).images)
    assert f"{known}/floe/library/python" in [name.rpartition(":")[0] for name in names]
    done = floe_ci("test", "--on", "dagger", "--tier", "unit", "--registry", f"{known}/floe", where=small.folder)
    assert done.code == 0, done.errors[-3000:]
    monkeypatch.setenv("DOCKER_CONFIG", str(small.folder))
    refused = floe_ci("bundle", "push", str(bundle), f"{known}/other")
    assert refused.code == 2, refused.errors[-3000:]
    assert f"the registry {known} does not take it" in refused.errors


def test_password_is_a_secret(  # noqa: PLR0913, PLR0917 - who asks, and for what
    dagger: Dagger,
    bundle: Path,
    floe_ci: Callable[..., Done],
    small: Repository,
    closed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A password that is a secret of Dagger's, and in no configuration, fills a registry and runs tests from it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(small.folder))
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", PASSWORD * 2)
    who = ("--registry-user", USER, "--registry-password", "env://REGISTRY_PASSWORD")
    pushed = floe_ci("bundle", "push", str(bundle), f"{closed}/floe", *who)
    assert pushed.code == 0, pushed.errors[-3000:]
    unit = ("test", "--tier", "unit", "--registry", f"{closed}/floe")
    done = floe_ci(*unit, "--on", "dagger", *who, where=small.folder)
    assert done.code == 0, done.errors[-3000:]
    called = dagger.call(*unit, *who, "export", "--path", str(tmp_path / "results"), where=small.folder)
    assert called.code == 0, called.errors[-3000:]
    assert (tmp_path / "results" / "exit-code").read_text(encoding="utf-8") == "0\n"
    refused = floe_ci("bundle", "push", str(bundle), f"{closed}/other", *who[:-1], "env://WRONG_PASSWORD")
    assert refused.code == 2, refused.errors[-3000:]
    told = (pushed, done, called, refused)
    assert [each for each in told if PASSWORD in each.output or PASSWORD in each.errors] == []


def test_own_service_and_chart(
    dagger: Dagger, floe_ci: Callable[..., Done], repository: Repository, tmp_path: Path
) -> None:
    """A cluster that stays takes from a bundle what the repository builds, and what its chart brings, as of then."""
    where, bundle = repository.folder, tmp_path / "bundle.tar"
    shutil.copytree(OWN_SERVICE, where, dirs_exist_ok=True)
    table = (OWN_SERVICE / "pyproject.toml").read_text(encoding="utf-8")
    charts = 'charts = [{ path = "charts/greeter", release = "second" }]'
    repository.write("pyproject.toml", table.replace('services = ["greeter"]', f'services = ["greeter"]\n{charts}'))
    repository.write("charts/greeter/Chart.yaml", "{apiVersion: v2, name: greeter, version: 0.1.0}\n")
    repository.write("charts/greeter/templates/second.yaml", CHART)
    repository.write("tests/integration/test_second.py", SECOND)
    made = floe_ci("bundle", *dagger.options, "--output", str(bundle), where=where, timeout=1200)
    assert made.code == 0, made.errors[-3000:]
    contents = Contents.read(bundle)
    assert (list(contents.built), contents.helm) == (["floe.local/greeter:dev"], True)
    given = ("--bundle", str(bundle), *beside_registry(dagger))
    up = floe_ci("up", "--on", "dagger", *given, where=where, timeout=1200)
    try:
        assert up.code == 0, up.errors[-3000:]
        done = floe_ci("test", "--on", "dagger", where=where)
        assert done.code == 0, done.errors[-3000:]
        repository.write("services/greeter/image/more.py", "")
        refused = floe_ci("test", "--on", "dagger", where=where)
        assert refused.code == 2, refused.errors[-3000:]
        assert "floe.local/greeter:dev as it would be built now: its folder has changed" in refused.output
    finally:
        ended = floe_ci("down", "--on", "dagger", where=where)
    assert ended.code == 0, ended.errors
