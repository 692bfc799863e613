"""The checks of a commit, each shown something that it must refuse."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
OVERLAY = "k8s/base/redis"
IMAGES = "k8s/images/kustomization.yaml"
STRANGE = "    spec:\n      sidecars: []\n"
AWS_KEY = "AKIA" + "Z7X2QW4E5R6T8Y9U"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the project's checks and no code, which all checks pass."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", "ci/pyproject.toml", "testing/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (0, 0))  # older than what is installed, so that nothing is
    shutil.copytree(ROOT / "checks", tmp_path / "checks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / OVERLAY, tmp_path / OVERLAY)
    (tmp_path / IMAGES).parent.mkdir()
    shutil.copy(ROOT / IMAGES, tmp_path / IMAGES)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / ".gitignore").write_text(".venv\n.ruff_cache\n", encoding="utf-8")
    workflow(tmp_path, "echo checked")
    (tmp_path / "run").write_text('#!/bin/sh\necho "$1"\n', encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    return tmp_path


def git(folder: Path, *args: str) -> None:
    """Run Git in a folder."""
    subprocess.run(["git", *args], cwd=folder, check=True, timeout=60)


def make(folder: Path, target: str) -> tuple[int, str]:
    """Return the exit code of a target, and what it said."""
    command = ["make", "--no-print-directory", target]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=250
    )
    return done.returncode, done.stdout


def workflow(folder: Path, command: str) -> None:
    """Write a workflow that runs a command."""
    steps = f"    name: Check\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n      - run: {command}\n"
    guard = "concurrency:\n  group: ci-${{ github.ref }}\n  cancel-in-progress: true\n"
    head = f"name: ci\non:\n  pull_request:\npermissions: {{}}\n{guard}jobs:\n  check:\n"
    (folder / ".github" / "workflows").mkdir(parents=True, exist_ok=True)
    (folder / ".github" / "workflows" / "ci.yml").write_text(head + steps, encoding="utf-8")


@pytest.mark.parametrize("check", ["lint", "secrets", "workflows", "manifests"])
def test_what_is_right_passes(repository: Path, check: str) -> None:
    """A repository without a fault passes each check."""
    code, said = make(repository, check)
    assert code == 0, said


def test_a_faulty_script_is_refused(repository: Path) -> None:
    """A shell script, which is told by its first line, is checked as well as Python is."""
    (repository / "run").write_text("#!/bin/sh\necho $1\n", encoding="utf-8")
    code, said = make(repository, "lint")
    assert code != 0
    assert "SC2086" in said


@pytest.mark.requirement("T052")
@pytest.mark.parametrize("name", ["tracked.yaml", "new.yaml"])
def test_a_secret_is_refused(repository: Path, name: str) -> None:
    """A key to a service is found in a file that Git knows, and in one that is yet to be added."""
    (repository / name).write_text(f"key: {AWS_KEY}\n", encoding="utf-8")
    if name == "tracked.yaml":
        git(repository, "add", name)
    code, said = make(repository, "secrets")
    assert code != 0
    assert f"{name}:1" in said
    assert AWS_KEY not in said


def test_a_made_up_password_is_none(repository: Path) -> None:
    """The passwords that tests make up by the project's convention are no secrets."""
    (repository / "test.yaml").write_text("password: hunter22-long\nurl: postgres://u:secret@h\n", encoding="utf-8")
    code, said = make(repository, "secrets")
    assert code == 0, said


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo ${{ github.event.pull_request.title }}", "potentially untrusted"),  # actionlint
        ("echo ${{ matrix.tier }}", 'property "tier" is not defined'),  # actionlint
        ("echo $GITHUB_REF_NAME", "SC2086"),  # shellcheck, by way of actionlint
        ("echo ${{ secrets.TOKEN }}", "template-injection"),  # zizmor
    ],
)
def test_a_faulty_workflow_is_refused(repository: Path, command: str, reason: str) -> None:
    """A workflow that strangers can make run what they like, or that can't work, is found."""
    workflow(repository, command)
    code, said = make(repository, "workflows")
    assert code != 0
    assert reason in said


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (f"{OVERLAY}/statefulset.yaml", "    spec:\n", STRANGE, "'sidecars' was unexpected"),
        (f"{OVERLAY}/statefulset.yaml", "apps/v1", "apps/v1beta1", "has no StatefulSet in apps/v1beta1"),
        (f"{OVERLAY}/kustomization.yaml", "service.yaml", "missing.yaml", "missing.yaml"),
    ],
)
def test_a_manifest_that_no_cluster_takes_is_refused(
    repository: Path, file: str, old: str, new: str, reason: str
) -> None:
    """A field, a version or a file that is not there is found, and told without a traceback."""
    text = (repository / file).read_text(encoding="utf-8")
    assert old in text
    (repository / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    code, said = make(repository, "manifests")
    assert code != 0
    assert OVERLAY in said
    assert reason in said
    assert "Traceback" not in said


def test_an_example_that_no_cluster_takes_is_refused(repository: Path) -> None:
    """The manifests of the examples, which nothing renders, are looked at as they are."""
    (repository / "examples").mkdir()
    manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: orders}\nspec: {ports: [{port: http}]}\n"
    (repository / "examples" / "orders.yaml").write_text(manifest, encoding="utf-8")
    code, said = make(repository, "manifests")
    assert code != 0
    assert "examples/orders.yaml: Service orders: spec.ports.0.port" in said


def test_a_licence_is_allowed_by_name_only(tmp_path: Path) -> None:
    """Each licence that is allowed is that of something installed, and without it the check fails."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pip-licenses"]
    allowed: str = table["allow-only"]
    command = [str(TOOLS / "pip-licenses"), "--format=json", "--ignore-packages", *table["ignore-packages"]]
    listed = subprocess.run(
        [*command, f"--allow-only={allowed}"], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert listed.returncode == 0, listed.stderr
    found = {name for package in json.loads(listed.stdout) for name in package["License"].split("; ")}
    assert set(allowed.split(";")) == found
    fewer = allowed.replace("LGPL-3.0-only;", "")
    refused = subprocess.run(
        [*command, f"--allow-only={fewer}"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 1
    assert "LGPL-3.0-only" in refused.stderr


def test_hooks_are_the_same_checks() -> None:
    """The hooks of pre-commit run each check of `make checks`, and no other."""
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    database = subprocess.run(
        ["make", "--print-data-base", "--dry-run", "clean"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    (checks,) = (line.partition(": ")[2].split() for line in database.splitlines() if line.startswith("checks: "))
    assert [hook["entry"] for hook in local["hooks"]] == [f"make {check}" for check in checks]


def test_a_hook_refuses_what_its_check_refuses(repository: Path) -> None:
    """The hook for secrets, run over what is staged, fails with what its check says."""
    shutil.copy(ROOT / ".pre-commit-config.yaml", repository)
    (repository / "key.txt").write_text(f"key = {AWS_KEY}\n", encoding="utf-8")
    git(repository, "add", ".")
    command = [str(TOOLS / "prek"), "run", "secrets"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 1
    assert "key.txt:1" in done.stdout
