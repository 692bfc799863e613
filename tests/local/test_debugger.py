"""A debugger that attaches to a test beside services that are up, as an editor's does."""

from __future__ import annotations

import json
import socket
import sys
from typing import IO, TYPE_CHECKING, Any

import pytest
from floe_ci.local.site import free_ports

from floe_testing import Condition, PollingConfig, Unmet, wait_for_condition

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from conftest import Here

TEST = """
import os
def test_port():
    port = int(os.environ["FLOE_POSTGRES_PORT"])
    assert port
"""
LINE = 5
"""Where the breakpoint is, once the port is known."""


class Editor:
    """As much of an editor as a breakpoint takes: the Debug Adapter Protocol over a socket."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Begin; `stream` is the connection."""
        self._stream, self._number = stream, 0

    def send(self, command: str, **arguments: object) -> None:
        """Ask for something."""
        self._number += 1
        asked = {"seq": self._number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(asked).encode()
        self._stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._stream.flush()

    def wait_for(self, kind: str, name: str) -> dict[str, Any]:
        """Return the body of the next event, or answer to a command, of that name."""
        while True:
            length = int(self._stream.readline().split(b":")[1])
            assert self._stream.readline() == b"\r\n"
            message = json.loads(self._stream.read(length))
            if message["type"] == kind and message[{"event": "event", "response": "command"}[kind]] == name:
                assert message.get("success", True), message
                return dict(message.get("body") or {})


def connected(port: int) -> socket.socket:
    """Return a connection to the debugger, which takes the first for its editor's: nothing else looks before."""

    def look(_: float) -> socket.socket | Unmet:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError as error:
            return Unmet(str(error))

    return wait_for_condition(Condition("the debugger listens", look), PollingConfig(timeout=60))


@pytest.fixture
def waiting(here_kept: Here) -> Iterator[tuple[Here, subprocess.Popen[str], Editor]]:
    """Yield a pytest beside services that waits for a debugger, and the editor that has connected to it."""
    pyproject = here_kept.repository / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(', "minio"', ""))
    (here_kept.repository / "tests" / "test_port.py").write_text(TEST)
    code, said = here_kept.run("up", "--on", "local")
    assert code == 0, said
    (port,) = free_ports(1)
    debugger = ("debugpy", "--listen", str(port), "--wait-for-client", "-m", "pytest", "-p", "no:cacheprovider")
    with here_kept.start("exec", "--", sys.executable, "-m", *debugger, "tests/test_port.py") as process:
        try:
            with connected(port) as connection:
                yield here_kept, process, Editor(connection.makefile("rwb"))
        finally:
            process.kill()


def test_breakpoint_of_an_editor(waiting: tuple[Here, subprocess.Popen[str], Editor]) -> None:
    """An editor attaches, its breakpoint stops the test, and the service's address can be looked at there."""
    here, process, editor = waiting
    editor.send("initialize", adapterID="test", clientID="test")
    editor.wait_for("response", "initialize")
    editor.send("attach", justMyCode=False)
    editor.wait_for("event", "initialized")
    source = {"path": str(here.repository / "tests" / "test_port.py")}
    editor.send("setBreakpoints", source=source, breakpoints=[{"line": LINE}])
    assert editor.wait_for("response", "setBreakpoints")["breakpoints"][0]["verified"]
    editor.send("configurationDone")
    thread = editor.wait_for("event", "stopped")["threadId"]
    editor.send("stackTrace", threadId=thread)
    frame = editor.wait_for("response", "stackTrace")["stackFrames"][0]
    assert (frame["name"], frame["line"]) == ("test_port", LINE)
    editor.send("evaluate", expression="port", frameId=frame["id"])
    assert int(editor.wait_for("response", "evaluate")["result"]) > 0
    editor.send("continue", threadId=thread)
    editor.wait_for("event", "terminated")
    editor.send("disconnect")
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "1 passed" in said) == (0, True), said
