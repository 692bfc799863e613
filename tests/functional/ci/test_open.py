"""`floe-ci results open` opens the page of a run in the reader's browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from floe_ci.ends import End
from floe_ci.folder import RunFolder
from floe_ci.results import finish
from floe_ci.steps import Timings

TIMEOUT = 60


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a folder in which a run has left its results."""
    folder = RunFolder.take(tmp_path / "results" / "unit", run_id="abc", tier="unit", place="local")
    finish(folder, "unit", "abc", End(exit_code=0), Timings(), None)
    return tmp_path


def opened(repository: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Open the page of the unit tier, on a machine without a screen."""
    away = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
    environment = {name: value for name, value in os.environ.items() if name not in away}
    return subprocess.run(
        [sys.executable, "-m", "floe_ci", "results", "open", "unit"],
        cwd=repository,
        env=environment | variables,
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def test_browser_is_given_the_page(repository: Path) -> None:
    """The reader's browser is given the page's address, and where it lies is printed."""
    browser = repository / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {repository}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    told = opened(repository, BROWSER=f"{browser} %s")
    page = repository / "results" / "unit" / "report.html"
    assert (repository / "opened").read_text(encoding="utf-8").strip() == page.as_uri()
    assert (told.stdout, told.stderr) == ("results/unit/report.html\n", "")


def test_no_browser(repository: Path) -> None:
    """Where there is no browser the page's place is printed all the same."""
    told = opened(repository, PATH=str(Path(sys.executable).parent / "nowhere"))
    assert told.stdout == "results/unit/report.html\n"
    assert told.stderr == "floe-ci: there is no browser here: open this file where one is\n"


def test_help_imports_no_template_engine(repository: Path) -> None:
    """The command line starts without what only the page of a run needs."""
    code = "import sys; from floe_ci.cli import main, results; print('jinja2' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, check=True, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert told.stdout == "False\n"
