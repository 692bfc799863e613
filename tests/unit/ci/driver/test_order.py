"""A tests' pod that waits for its order, with the processes that it has in a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pytest
from floe_ci import contract
from floe_ci.driver import order
from floe_ci.repository import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['PRICE'], os.environ['OWN']]))"


@pytest.fixture
def tests(tmp_path: Path) -> bytes:
    """Return packed tests, more of them than a pipe holds."""
    source = tmp_path / "source"
    (source / "tests").mkdir(parents=True)
    (source / "tests/test_a.py").write_text("def test_a(): ...", encoding="utf-8")
    (source / "tests/data").write_bytes(bytes(range(256)) * 4096)
    return archive(source, ("tests/test_a.py", "tests/data"))


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """Return the folder that stands for a pod's root."""
    for name in (order.APP, order.ORDER_DIR, contract.RESULTS_DIR, *(PurePath(each).parent for each in order.MEMORY)):
        (tmp_path / f"pod{name}").mkdir(parents=True, exist_ok=True)
    return tmp_path / "pod"


def there(pod: Path, script: str) -> str:
    """Return a script as it is in that folder."""
    for name in (order.APP, order.ORDER_DIR, contract.RESULTS_DIR, *order.MEMORY):
        script = script.replace(name, f"{pod}{name}")
    return script


@contextmanager
def runner(pod: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the runner, which waits."""
    command = [sys.executable, "-c", there(pod, order.WAIT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"OWN": "yes", "PRICE": "none"}) as running:
        try:
            yield running
        finally:
            running.kill()


def take(
    pod: Path, tests: bytes, asked: bytes, sent: bytes, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Have the keeper take what is sent, and run a command before."""
    command = ["/bin/sh", "-euc", there(pod, order.TAKE), "sh", str(len(tests)), str(len(asked)), *before]
    return subprocess.run(command, input=sent, capture_output=True, timeout=60, check=False)


def test_order(pod: Path, tests: bytes) -> None:
    """The tests are where they belong when the runner becomes their process; of its order nothing is left."""
    asked = json.dumps({"command": [sys.executable, "-c", TELL, "-k", "a b"], "environment": {"PRICE": "5 €"}}).encode()
    with runner(pod) as running:
        done = take(pod, tests, asked, tests + asked)
        said, _ = running.communicate(timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(said) == [["-k", "a b"], "5 €", "yes"]
    assert (pod / "app/tests/data").read_bytes() == bytes(range(256)) * 4096
    assert [path.name for path in (pod / "floe-order").iterdir() if path.is_file()] == []


def test_command_before_that_fails(pod: Path, tests: bytes) -> None:
    """Where the command that comes before fails, what it says is told, and the runner waits on."""
    with runner(pod) as running:
        done = take(pod, tests, b"{}", tests + b"{}", (sys.executable, "-c", "import sys; sys.exit(f'no{input()}')"))
        assert running.poll() is None
    assert done.returncode == 1
    assert b"EOFError" in done.stderr


def test_tests_that_are_cut(pod: Path, tests: bytes) -> None:
    """Of tests that do not come whole none is run: the runner waits on."""
    with runner(pod) as running:
        done = take(pod, tests, b"{}", tests[: len(tests) // 2])
        assert done.returncode != 0
        assert running.poll() is None


def test_end_while_it_waits(pod: Path) -> None:
    """A runner that is not needed any more ends when it is told to."""
    with runner(pod) as running:
        assert running.stdout
        subprocess.run(["sh", "-c", f"until [ -p {pod}/floe-order/order ]; do :; done"], check=True, timeout=60)
        running.terminate()
        assert running.wait(60) == 143


@pytest.mark.parametrize(
    ("script", "memory", "code", "told"),
    [
        ("pass", "oom 0\noom_kill 0\noom_group_kill 0\n", 0, [order.SUCCEEDED]),
        ("raise SystemExit(1)", "oom_kill 0\n", 1, [order.ENDED]),
        ("pass", "oom 1\noom_kill 1\noom_group_kill 0\n", 0, [order.ENDED]),
        ("pass", None, 0, [order.ENDED]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "oom_kill 0\n", 137, [order.ENDED]),
    ],
)
@pytest.mark.parametrize("file", order.MEMORY, ids=["v2", "v1"])
def test_end_is_told(  # noqa: PLR0913, PLR0917 - a case is five
    pod: Path, file: str, script: str, memory: str | None, code: int, told: list[str]
) -> None:
    """The runner ends with the code of the tests, and tells that, or of success, if none was killed for memory."""
    if memory is not None:
        Path(there(pod, file)).write_text(memory, encoding="utf-8")
    events = Path(there(pod, order.EVENTS))
    events.write_text('{"event": "half a li', encoding="utf-8")
    asked = json.dumps({"command": [sys.executable, "-c", script], "environment": {}}).encode()
    with runner(pod) as running:
        assert take(pod, b"", asked, asked).returncode == 0
        assert running.wait(60) == code
    assert events.read_text(encoding="utf-8").splitlines()[1:] == told


def test_end_while_the_tests_run(pod: Path) -> None:
    """A runner that is told to end passes that on to the tests, and ends with their code."""
    script = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('there', flush=True); signal.pause()"
    asked = json.dumps({"command": [sys.executable, "-c", script], "environment": {}}).encode()
    with runner(pod) as running:
        assert take(pod, b"", asked, asked).returncode == 0
        assert running.stdout
        assert running.stdout.readline() == "there\n"
        running.terminate()
        assert running.wait(60) == 7
