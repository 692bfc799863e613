"""A tests' pod that waits for its order: it is there before the tests are known, and each runs but one order.

The keeper unpacks the tests, which the runner finds as it would in its image: where they belong, and read-only. The
order, by which the runner becomes the test process, goes through a pipe with a name: nothing of it is left to be read.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from floe_ci.driver.execute import run

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from floe_ci.driver.execute import Container

APP: Final = "/app"
"""Where the tests are."""
ORDER_DIR: Final = "/floe-order"
WAIT: Final = f"""\
import json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
os.mkfifo("{ORDER_DIR}/order")
with open("{ORDER_DIR}/order") as order:
    order = json.load(order)
os.execvpe(order["command"][0], order["command"], {{**os.environ, **order["environment"]}})
"""
"""What the runner does until it has its order."""
TAKE: Final = f"""\
[ "$1" = 0 ] || head --bytes="$1" | tar --extract --gzip --directory {APP}
until [ -p {ORDER_DIR}/order ]; do sleep 0.1; done
head --bytes="$2" > {ORDER_DIR}/order
"""
"""What the keeper does with what is sent: the tests, then the order, each of so many bytes."""
SENDING: Final = 120.0
"""Seconds that it may take."""


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


def send(
    keeper: Container,
    tests: bytes,
    command: Sequence[str],
    environment: Mapping[str, str],
    stop: threading.Event | None = None,
) -> float:
    """Give a waiting pod its order.

    Args:
        keeper: Its container that takes it.
        tests: The tests and what is beside them, as a compressed tar archive; empty: the image has them.
        command: What the runner becomes.
        environment: Variables beside those that the runner has.
        stop: Ends it when it is set.

    Returns:
        When the tests began, as a time of `time.monotonic`.

    Raises:
        Broken: It did not take all of it.
        Stopped: It was told to stop.
    """
    order = json.dumps({"command": list(command), "environment": dict(environment)}).encode()
    take = ("/bin/sh", "-euc", TAKE, "sh", str(len(tests)), str(len(order)))
    run(keeper, take, tests + order, timeout=SENDING, stop=stop)
    return time.monotonic()
