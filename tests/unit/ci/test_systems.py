"""What works where the operating system has less than Linux."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
# First what others wrote: it has its own ways on Windows, which can't be taken here.
import anyio._backends._asyncio, click, dagger.mod, jinja2, kubernetes, multiprocessing.pool, psutil, pydantic, yaml
import importlib, importlib.metadata, os, signal, sys
from pathlib import Path

class Lacks:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty"}:
            raise ModuleNotFoundError(f"there is no {name} here", name=name)

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules.pop(name, None)
for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "getuid", "geteuid", "killpg", "setsid"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
sys.meta_path.insert(0, Lacks())
sys.platform = "win32"
for name in ("build_runner", "bundle", "doctor", "init", "results", "test", "up"):
    importlib.import_module(f"floe_ci.cli.{name}")
for name in ("choice", "cluster", "container", "dagger", "held", "kind"):
    importlib.import_module(f"floe_ci.places.{name}")
# What commands and places import when it comes to it.
for name in ("bundling", "held_cluster", "origin", "publish"):
    importlib.import_module(f"floe_ci.{name}")

from floe_ci import held_cluster
from floe_ci.errors import UserError
from floe_ci.request import RunRequest
assert held_cluster.usable(Path()) is None
try:
    held_cluster.up(RunRequest(), None)
except UserError as error:
    print(error)

from floe_ci.folder import RunFolder
folder = RunFolder.take(Path("results"), run_id="1", tier="unit", place="cluster")
folder.write("summary.md", "text")
folder.end(verdict="passed")
folder.release()
print(folder.path.joinpath("run.json").read_text())
"""


def test_nothing_is_needed_that_windows_lacks(tmp_path: Path) -> None:
    """What a run in Dagger or in a cluster is made of is imported, and leaves results, without what only Unix has."""
    command = [sys.executable, "-c", PROGRAM]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"state": "ended"' in done.stdout
    assert "a cluster that stays needs what Windows lacks" in done.stdout
