"""What `dagger up` opens: a tier's services, in a cluster of the session's own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def copy_of_module(dagger: Dagger, folder: Path) -> None:
    """Make a copy of this module, for `dagger up` takes the one that it is called in, with one small service."""
    subprocess.run(["git", "clone", "--quiet", str(dagger.root), str(folder)], check=True)
    table = folder / "pyproject.toml"
    text = table.read_text(encoding="utf-8")
    changed = re.sub(r"(\[tool\.floe-ci\.tiers\.integration\]\n)services = .*", r'\1services = ["redis"]', text)
    assert changed != text
    table.write_text(changed, encoding="utf-8")
    given = dict(zip(OPTIONS[::2], OPTIONS[1::2], strict=True))
    names = {"REGISTRY": given.get("--registry", ""), "NODEIMAGE": given.get("--node-image", "")}
    lines = [f"FLOE_CI_SERVICES_{name}={value}\n" for name, value in names.items() if value]
    (folder / ".env").write_text("".join(lines), encoding="utf-8")


@pytest.mark.long
@pytest.mark.requirement("REQ-645", "REQ-637.4")
def test_services_are_open_on_this_machine(dagger: Dagger, tmp_path: Path) -> None:
    """`dagger up` opens a service under its own port, prints the password that it takes, and ends with Ctrl-C."""
    module = tmp_path / "module"
    copy_of_module(dagger, module)
    command = [dagger.command, "--progress=plain", "up"]
    with subprocess.Popen(command, cwd=module, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        try:
            assert up.stdout
            told = []
            for line in up.stdout:
                told.append(line)
                if "ready http://localhost:6379" in line:
                    break
            found = re.search(r"FLOE_REDIS_PASSWORD=(\S+)", "".join(told))
            assert found, "".join(told)[-3000:]
            with socket.create_connection(("localhost", 6379), timeout=10) as redis:
                redis.sendall(f"AUTH {found[1]}\r\nPING\r\n".encode())
                answers = redis.makefile()
                assert [answers.readline(), answers.readline()] == ["+OK\n", "+PONG\n"]
            up.send_signal(signal.SIGINT)
            up.communicate(timeout=60)
        finally:
            up.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", 6379), timeout=10)
