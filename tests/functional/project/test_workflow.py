"""What the workflow runs, run here as it stands there."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what a step's command does, in the shell that a step has."""
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", command]
    return subprocess.run(
        shell,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.requirement("T052")
def test_security_job_is_green() -> None:
    """The job's commands succeed on this very code; a database of vulnerabilities may be out of reach here."""
    commands = [step["run"] for step in JOBS["security"]["steps"] if "run" in step]
    assert commands
    for command in commands:
        done = run(command, OFFLINE="1")
        assert done.returncode == 0, done.stdout
