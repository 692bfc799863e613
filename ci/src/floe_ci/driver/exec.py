"""Runs a command in a container and streams what it prints: by the API's own websocket, without kubectl."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import websocket
from kubernetes.stream.ws_client import create_websocket, get_websocket_url

from floe_ci.driver.apis import CONNECTING, Apis
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENCE: Final = 20.0
"""Seconds that a stream may say nothing before it counts as broken."""
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_SHOWN: Final = 500


class CutError(RunError):
    """A stream that ended, or fell silent, before its command did."""


class Exec:
    """One command in a container."""

    def __init__(self, apis: Apis, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> None:
        """Prepare; nothing runs yet."""
        self._apis, self._pod, self._container, self._command = apis, pod, container, command
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        self.exit_code: int | None = None
        """The command's, once all that it printed has been read."""
        self._errors = b""

    def stdout(self, *, deadline: float | None = None) -> Iterator[bytes]:
        """Yield what it prints, in pieces, until it ends.

        Args:
            deadline: By the monotonic clock; None: it may take as long as it goes on to say something.

        Raises:
            CutError: The stream ended first, or fell silent.
            RunError: The API refuses it.
        """
        socket = self._opened()
        try:
            while self.exit_code is None:
                left = SILENCE if deadline is None else min(SILENCE, deadline - time.monotonic())
                if left <= 0:
                    msg = f"{self}: not over in time"
                    raise CutError(msg)
                socket.settimeout(left)
                code, data = socket.recv_data()
                if code == websocket.ABNF.OPCODE_CLOSE or not data:
                    if code == websocket.ABNF.OPCODE_CLOSE:
                        break
                    continue
                channel, said = data[0], data[1:]
                if channel == _STDOUT and said:
                    yield said
                elif channel == _STDERR:
                    self._errors = (self._errors + said)[-_SHOWN:]
                elif channel == _STATUS:
                    self.exit_code = _exit_code(said)
        except (websocket.WebSocketException, OSError) as error:
            msg = f"{self}: the stream broke: {error}"
            raise CutError(msg) from error
        finally:
            socket.close(timeout=0)
        if self.exit_code is None:
            msg = f"{self}: the stream ended before the command"
            raise CutError(msg)

    def run(self, *, deadline: float | None = None) -> bytes:
        """Run it to its end and return what it printed.

        Raises:
            RunError: It failed, or the stream broke.
        """
        said = b"".join(self.stdout(deadline=deadline))
        if self.exit_code:
            msg = f"{self}: exit code {self.exit_code}: {self.errors}"
            raise RunError(msg)
        return said

    @property
    def errors(self) -> str:
        """The last that it printed to standard error."""
        return self._errors.decode(errors="replace").strip()

    def __str__(self) -> str:
        """Return what is run, and where."""
        return f"{self._command[0]} in pod {self._pod}, container {self._container}"

    def _opened(self) -> Any:  # noqa: ANN401 - the library is not typed
        api_client = self._apis.client
        query = [("container", self._container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", part) for part in self._command]
        headers: dict[str, str] = {}
        api_client.update_params_for_auth(headers, query, ["BearerToken"])
        url = get_websocket_url(f"{api_client.configuration.host}{self._path}", query)
        websocket.setdefaulttimeout(CONNECTING)
        try:
            return create_websocket(api_client.configuration, url, headers)
        except websocket.WebSocketBadStatusException as error:
            msg = f"{self}: the API refuses it: {' '.join(str(error).split())}"
            if error.status_code >= 500:  # noqa: PLR2004 - the API's own trouble, which may pass
                raise CutError(msg) from error
            raise RunError(msg) from error
        except (websocket.WebSocketException, OSError) as error:
            msg = f"{self}: it can't be begun: {error}"
            raise CutError(msg) from error


def _exit_code(status: bytes) -> int:
    """Return the exit code that a command's status tells: the API gives it as the cause of a failure."""
    document = json.loads(status)
    if document.get("status") == "Success":
        return 0
    causes = (document.get("details") or {}).get("causes") or ()
    code = next((cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"), None)
    if code is None:
        raise CutError(str(document.get("message", "the command could not be run")))
    return int(code)
