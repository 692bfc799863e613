"""A tests' pod that waits for its order: it is there before the tests are known, and each runs but one order.

The keeper unpacks the tests, which the runner finds as it would in its image: where they belong, and read-only. The
order, by which the runner starts the test process, goes through a pipe with a name: nothing of it is left to be read.
That it succeeded the runner tells where the reporter tells of tests, for a node takes a second to notice. A failure is
told by the node, which knows by then what else ended; that the process has ended the runner tells then too, for what it
told of tests before may come after what the node says.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from floe_ci import contract
from floe_ci.driver.execute import run

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from floe_ci.driver.execute import Container

APP: Final = "/app"
"""Where the tests are."""
ORDER_DIR: Final = "/floe-order"
EVENTS: Final = f"{contract.RESULTS_DIR}/.floe-events.jsonl"
"""The file to which the tests' reporter writes what happens, a line each."""
SUCCEEDED: Final = '{"event": "succeeded"}'
"""The line there by which the runner tells that the test process succeeded."""
ENDED: Final = '{"event": "process ended"}'
"""The last line there otherwise: nothing more is told after it."""
HEARD: Final = 10.0
"""Seconds for which that line is waited for when the node says that the process has ended."""
MEMORY: Final = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Where a container reads how many of its processes were killed for the memory they took, by the kernel's version 2 of
control groups and by version 1."""
WAIT: Final = f"""\
import json, os, signal, subprocess
from contextlib import suppress
running = None
def end(number, _):
    if running is None:
        os._exit(128 + number)
    running.send_signal(number)
signal.signal(signal.SIGTERM, end)
os.mkfifo("{ORDER_DIR}/order")
with open("{ORDER_DIR}/order") as order:
    order = json.load(order)
for path, text in order.get("files", {{}}).items():
    with open(path, "w") as file:
        file.write(text)
running = subprocess.Popen(order["command"], env={{**os.environ, **order["environment"]}})
code = running.wait()
last = '{ENDED}'
for path in {MEMORY}:
    with suppress(OSError), open(path) as memory:
        if code == 0 and "oom_kill 0\\n" in memory.readlines():
            last = '{SUCCEEDED}'
with suppress(OSError), open("{EVENTS}", "a") as events:
    print(file=events)
    print(last, file=events)
os._exit(code if code >= 0 else 128 - code)
"""
"""What the runner does: wait for its order, carry it out, and tell of its end: that it succeeded, if none of it was
killed."""
TAKE: Final = f"""\
tests=$1 order=$2
shift 2
[ "$tests" = 0 ] || head --bytes="$tests" | tar --extract --gzip --directory {APP}
"$@" < /dev/null
until [ -p {ORDER_DIR}/order ]; do sleep 0.1; done
head --bytes="$order" > {ORDER_DIR}/order
"""
"""What the keeper does with what is sent: the tests, then the order, each of so many bytes; a command comes between."""
SENDING: Final = 120.0
"""Seconds that it may take."""


class Ends:
    """What pods have told of the ends of their test processes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._succeeded: dict[str, bool] = {}
        self._noticed: dict[str, float] = {}
        self.changed: Callable[[], object] = lambda: None
        """Is called when there is news."""

    def take(self, pod: str, line: str) -> bool:
        """Take a line of a pod's, if it is of its end; return whether it is."""
        if line not in {SUCCEEDED, ENDED}:
            return False
        self._succeeded[pod] = line == SUCCEEDED
        self.changed()
        return True

    def is_told(self, pod: str) -> bool:
        """Tell whether a pod's tests have ended, as it told itself."""
        return pod in self._succeeded

    def has_succeeded(self, pod: str) -> bool:
        """Tell whether a pod's tests have succeeded, as it told itself."""
        return self._succeeded.get(pod, False)

    def is_whole(self, pod: str) -> bool:
        """Tell of a process that has ended whether all that it told has come; after `HEARD` seconds no more will."""
        now = time.monotonic()
        return pod in self._succeeded or now - self._noticed.setdefault(pod, now) >= HEARD


def have_wait(pod: dict[str, Any], runner: dict[str, Any], keeper: dict[str, Any], *, with_tests: bool) -> None:
    """Have a pod wait for its order.

    Args:
        pod: Its specification.
        runner: Its container that runs the tests.
        keeper: The one that lives on.
        with_tests: Whether the tests come with the order, rather than in the image.
    """
    runner["command"], runner["args"] = ["python3", "-c", WAIT], []
    shared = {"order": ORDER_DIR} | ({"app": APP} if with_tests else {})
    for name, path in shared.items():
        mount = {"name": name, "mountPath": path}
        is_read_only = {"readOnly": True} if name == "app" else {}
        runner["volumeMounts"] = [*(runner.get("volumeMounts") or ()), mount | is_read_only]
        keeper["volumeMounts"] = [*(keeper.get("volumeMounts") or ()), mount]
    pod["volumes"] = [*(pod.get("volumes") or ()), *({"name": name, "emptyDir": {}} for name in shared)]


def send(  # noqa: PLR0913 - what is sent, and to whom
    keeper: Container,
    tests: bytes,
    command: Sequence[str],
    environment: Mapping[str, str],
    stop: threading.Event | None = None,
    *,
    files: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> float:
    """Give a waiting pod its order.

    Args:
        keeper: Its container that takes it.
        tests: The tests and what is beside them, as a compressed tar archive; empty: the image has them.
        command: What the runner runs.
        environment: Variables beside those that the runner has.
        stop: Ends it when it is set.
        files: What the runner writes before, by its path there.
        before: What the keeper runs before; if it fails, the order is not given.

    Returns:
        When the tests began, as a time of `time.monotonic`.

    Raises:
        Broken: It did not take all of it.
        Stopped: It was told to stop.
    """
    order = json.dumps(
        {"command": list(command), "environment": dict(environment), "files": dict(files or {})}
    ).encode()
    take = ("/bin/sh", "-euc", TAKE, "sh", str(len(tests)), str(len(order)), *before)
    run(keeper, take, tests + order, timeout=SENDING, stop=stop)
    return time.monotonic()
