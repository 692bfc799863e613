"""A registry of images and charts on this machine: Debian's, as a process of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from floe_ci.local.site import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(folder: Path, *, users: Path | None = None) -> Iterator[str]:
    """Serve an empty registry, whose files are in `folder`, and yield its host; where there is no program, skip.

    Args:
        folder: For all that it keeps.
        users: Who may ask it, in the form of Apache's `htpasswd`; None: everybody.
    """
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("there is no docker-registry on PATH: it is Debian's package of that name")
    (port,) = free_ports(1)
    host = f"127.0.0.1:{port}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": host},
        **({"auth": {"htpasswd": {"realm": "closed", "path": str(users)}}} if users else {}),
    }
    (folder / "registry.yml").write_text(json.dumps(settings))
    log = folder / "registry.log"
    with (
        log.open("w") as output,
        subprocess.Popen([program, "serve", str(folder / "registry.yml")], stdout=output, stderr=output) as process,
    ):
        try:
            _wait_until_answers(host, process, log, wanted=401 if users else 200)
            yield host
        finally:
            process.terminate()


def _wait_until_answers(
    host: str, process: subprocess.Popen[bytes], log: Path, wanted: int, timeout: float = 30
) -> None:
    """Wait until a registry answers: that it serves, or that it wants a password."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            assert urlopen(f"http://{host}/v2/", timeout=5).status == wanted
        except HTTPError as answer:
            assert answer.code == wanted  # noqa: PT017 - another answer is another exception
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"no registry after {timeout} s:\n{log.read_text()[-2000:]}"
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
            continue
        return
