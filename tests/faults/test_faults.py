"""What a run comes to on its worst day: fault by fault, in a cluster that is there, with what is left of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from faulted import LONGEST, Row, Started, first_line
from repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from faulted import Place

pytestmark = pytest.mark.timeout(1200)

SERVICE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: web, image: "{image}", {more}}}]
"""
QUOTA = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: 1}}}\n"
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: nowhere, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: keeps}
spec:
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
  containers: [{name: web, image: "floe.local/runner:dev", volumeMounts: [{name: data, mountPath: /data}]}]
"""
OURS = "floe.local/runner:dev"
AT_ONCE: Final = 4
"""Runs at a time, of those whose fault harms no other."""
SHORT = "[tool.floe-ci.timeouts]\nservices = 30\n"
OPTIONS = 'pytest-args = ["-p", "no:cacheprovider"]\n'


def service(more: str, image: str = OURS) -> str:
    """Return the manifest of a service."""
    return SERVICE.format(image=image, more=more)


@dataclass(frozen=True)
class Fault:
    """One fault, and what has to come of it."""

    name: str
    what: str
    code: int
    said: str
    """What the summary's first cause, or else its headline, has to match."""
    keyword: str = "passes"
    manifest: str = ""
    tier: str = ""
    """Further lines of the tier's table."""
    more: str = ""
    """Further tables."""
    options: tuple[str, ...] = ()
    has: frozenset[str] = field(default_factory=frozenset)
    """Files that the results have to have."""


FROM_THE_START = (
    Fault(
        "runner-out-of-memory",
        "the tests take more memory than their container may",
        137,
        r"OOMKilled.*limit",
        "takes_memory",
        more='[tool.floe-ci.tiers.integration.resources]\nrunner = { memory = "128Mi" }\n',
    ),
    Fault(
        "service-out-of-memory",
        "a service takes more memory than it may",
        137,
        r"OOMKilled.*limit 48Mi",
        manifest=service(
            'command: [python, -c, "held = [bytes([1]) * (1 << 20) for _ in range(400)]"], '
            "resources: {limits: {memory: 48Mi}}, readinessProbe: {exec: {command: [python, -c, '1 / 0']}}"
        ),
    ),
    Fault(
        "deadline",
        "the tests take longer than they may as a whole",
        124,
        "longer than 10 s",
        "waits",
        options=("--timeout", "10"),
    ),
    Fault("test-hangs", "one test hangs", 1, "Timeout", "waits", more="[tool.floe-ci.timeouts]\ntest = 5\n"),
    Fault("segfault", "the test process breaks with a segmentation fault", 3, "SIGSEGV", "segfault"),
    Fault("pytest-breaks", "a plugin breaks pytest", 3, "plugin", tier='paths = ["tests/internal"]\n'),
    Fault(
        "collection-error",
        "a test module can't be imported",
        2,
        "nowhere_to_be_found",
        tier='paths = ["tests/collection"]\n',
    ),
    Fault("no-test", "no test is collected", 5, "Nothing ran", tier='paths = ["tests/none"]\n'),
    Fault(
        "image-missing",
        "the image of a service is not there",
        3,
        "(ImagePullBackOff|not found)",
        manifest=service("", "IMAGE-missing"),
    ),
    Fault(
        "pull-refused",
        "the registry of an image refuses",
        3,
        "(ImagePullBackOff|refused)",
        manifest=service("", "localhost:9/web:dev"),
    ),
    Fault(
        "crash-loop",
        "a service ends again and again",
        3,
        "CrashLoopBackOff",
        manifest=service('command: [python, -c, "1 / 0"]'),
    ),
    Fault(
        "never-ready",
        "a service never becomes ready",
        3,
        "web.*0 of 1 ready",
        manifest=service(
            "command: [python, -m, http.server], readinessProbe: {exec: {command: [python, -c, '1 / 0']}}"
        ),
        more=SHORT,
    ),
    Fault("claim-pending", "a volume is never made", 3, "pod keeps: not ready", manifest=CLAIM, more=SHORT),
    Fault(
        "quota",
        "the namespace's quota is used up",
        3,
        "exceeded quota",
        manifest=QUOTA + "---\n" + service("command: [python, -m, http.server]"),
        more="[tool.floe-ci.timeouts]\nservices = 60\n",
    ),
    Fault(
        "results-full",
        "the tests write more results than their volume may hold",
        3,
        "evicted",
        "fills_results",
        more='[tool.floe-ci.tiers.integration.resources]\nrunner = { storage = "64Mi" }\n',
    ),
)


def start(  # noqa: PLR0913 - where, what, and how
    place: Place,
    repository: Repository,
    results: Path,
    fault: Fault,
    *options: str,
    kubeconfig: str = "",
    environment: Mapping[str, str] | None = None,
) -> Started:
    """Start a run for a fault."""
    image = place.image.replace(":faults", ":missing")
    if fault.manifest:
        repository.write("service.yaml", fault.manifest.replace("IMAGE-missing", image))
    names = '["service.yaml"]' if fault.manifest else "[]"
    # The image has other tests, of which some would be selected too.
    paths = fault.tier or 'paths = ["tests/integration/test_faults.py"]\n'
    table = f"[tool.floe-ci.tiers.integration]\nmanifests = {names}\n{paths}{fault.more}"
    repository.write("pyproject.toml", table)
    selected = () if fault.tier else ("--keyword", fault.keyword)
    process = subprocess.Popen(
        place.argv(results, *selected, *fault.options, *options, kubeconfig=kubeconfig),
        cwd=repository.folder,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Started(process, results, time.monotonic())


def stop(started: Started) -> None:
    """Kill a run that still goes on, and close its pipes."""
    if started.process.poll() is None:
        started.process.kill()
    started.process.communicate(timeout=60)


@pytest.fixture
def begin(place: Place, repository: Repository, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Yield what starts a run for a fault; one that still goes on in the end is killed."""
    with ExitStack() as stack:
        numbers = count()

        def begun(
            fault: Fault, *options: str, kubeconfig: str = "", environment: Mapping[str, str] | None = None
        ) -> Started:
            results = tmp_path / f"results-{next(numbers)}"
            started = start(place, repository, results, fault, *options, kubeconfig=kubeconfig, environment=environment)
            stack.callback(stop, started)
            return started

        yield begun


def end(  # noqa: PLR0913, PLR0917 - where, what, and how long
    place: Place, started: Started, name: str, what: str, since: float | None = None, leaving: float = 100
) -> Row:
    """Wait for a run's end, and `leaving` seconds until nothing is left of it; return its row."""
    exit_code = started.results / "exit-code"
    there = None
    while started.process.poll() is None:
        if there is None and exit_code.exists():
            there = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            started.process.communicate(timeout=0.2)
        assert time.monotonic() - started.began < LONGEST
    seconds = (there or time.monotonic()) - (since or started.began)
    verdict = json.loads((started.results / "run.json").read_text())["verdict"]
    files = sorted(str(each.relative_to(started.results)) for each in started.results.rglob("*") if each.is_file())
    left = place.left(started.run_id, leaving)
    return Row(
        name,
        what,
        first_line(started.results),
        verdict,
        started.process.returncode,
        tuple(files),
        round(seconds, 1),
        left,
    )


@pytest.fixture(scope="module")
def rows(
    place: Place, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Row]]]:
    """Yield what comes of each fault that is there from the start, several at a time: most of each is waiting."""
    chosen = [
        item.callspec.params["fault"]
        for item in request.session.items
        if item.originalname == "test_fault_from_the_start"
    ]

    def row(fault: Fault) -> Row:
        folder = tmp_path_factory.mktemp(fault.name)
        started = start(place, Repository(folder / "repository"), folder / "results", fault)
        try:
            return end(place, started, fault.name, fault.what)
        finally:
            stop(started)

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield {fault.name: pool.submit(row, fault) for fault in chosen}
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("fault", FROM_THE_START, ids=lambda fault: fault.name)
def test_fault_from_the_start(fault: Fault, rows: Mapping[str, Future[Row]], record: Callable[[Row], None]) -> None:
    """A fault that is there from the start ends with its verdict and its first cause, and leaves nothing."""
    row = rows[fault.name].result(LONGEST)
    record(row)
    assert row.exit_code == fault.code, row
    assert re.search(fault.said, row.seen), row
    assert {"summary.md", "junit.xml", "events.txt"} <= {*row.results}
    assert not row.left


def test_runner_is_deleted(place: Place, begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """Tests whose pod is deleted are infrastructure's fault, said at once, and what the tests told is kept."""
    started = begin(Fault("runner-deleted", "", 3, "", keyword="passes or waits"))
    started.wait_for("tests: 1 of 2")
    now = time.monotonic()
    place.kubectl(
        "--namespace",
        started.namespace,
        "delete",
        "pod",
        "--selector=batch.kubernetes.io/job-name",
        "--grace-period=0",
        "--force",
    )
    row = end(place, started, "runner-deleted", "the tests' pod is deleted", now)
    record(row)
    assert row.exit_code == 3, row
    assert "pod was deleted" in row.seen or "pod is gone" in row.seen
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("step", ["services ready …", "tests: 1 of 2"], ids=["services", "tests"])
def test_signal(
    number: signal.Signals, step: str, place: Place, begin: Callable[..., Started], record: Callable[[Row], None]
) -> None:
    """A signal ends the run with results within seconds, and nothing of it is left."""
    at = "services" if step.startswith("services") else "tests"
    never = service("command: [python, -m, http.server], readinessProbe: {exec: {command: [python, -c, '1 / 0']}}")
    started = begin(Fault("", "", 0, "", keyword="passes or waits", manifest=never if at == "services" else ""))
    started.wait_for(step)
    now = time.monotonic()
    started.process.send_signal(number)
    row = end(place, started, f"{number.name.lower()}-{at}", f"{number.name} during the {at}", now)
    record(row)
    assert row.exit_code == 128 + number, row
    assert row.seconds <= 7.5, row
    assert not row.left


@pytest.mark.parametrize(("runs", "name"), [(2, "two-at-once"), (8, "eight-at-once")])
def test_at_once(
    runs: int, name: str, place: Place, begin: Callable[..., Started], record: Callable[[Row], None]
) -> None:
    """Runs at once in one cluster all pass, and nothing of any is left."""
    fault = Fault(name, f"{runs} runs at once", 0, "")
    begun = [begin(fault) for _ in range(runs)]
    rows = [end(place, each, fault.name, fault.what) for each in begun]
    record(max(rows, key=lambda row: row.seconds))
    assert [row.exit_code for row in rows] == [0] * runs
    assert not any(row.left for row in rows)


NODE = """\
apiVersion: v1
kind: Pod
metadata: {{name: harm, namespace: default}}
spec:
  hostPID: true
  restartPolicy: Never
  containers:
    - name: harm
      image: "{image}"
      securityContext: {{privileged: true, runAsUser: 0}}
      command: [nsenter, --target=1, --mount, --uts, --ipc, --net, --pid, --, sh, -c, {script}]
"""
"""Does something as root on the node."""
DOWN: Final = 45
"""Seconds that the kubelet is away: the node counts as not ready by then."""


@pytest.fixture
def on_node(place: Place, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Yield what runs a script on the node; what is left of it is removed when the node is ready again."""
    manifest = tmp_path / "harm.yaml"

    def harm(script: str) -> None:
        manifest.write_text(NODE.format(image=place.image, script=json.dumps(script)), encoding="utf-8")
        place.kubectl("apply", "--filename", str(manifest))

    yield harm
    place.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=110s")
    place.kubectl("delete", "--filename", str(manifest), "--force", "--grace-period=0", "--ignore-not-found")


@pytest.mark.parametrize(
    ("name", "what", "script"),
    [
        (
            "kubelet-stopped",
            f"the node's kubelet is away for {DOWN} s",
            f"systemctl stop kubelet; systemd-run --on-active={DOWN} systemctl start kubelet",
        ),
        (
            "api-restarted",
            "the API server is killed, and starts again",
            "pkill -KILL kube-apiserver",
        ),
    ],
)
def test_node_recovers(  # noqa: PLR0913, PLR0917 - the fault, and what is needed to see what comes of it
    name: str,
    what: str,
    script: str,
    place: Place,
    begin: Callable[..., Started],
    record: Callable[[Row], None],
    on_node: Callable[[str], None],
) -> None:
    """Where a part of the cluster is away for a while, the run goes on, and every test is told."""
    started = begin(Fault(name, "", 0, "", keyword="passes or lasts"))
    started.wait_for("tests: 1 of 2")
    now = time.monotonic()
    on_node(script)
    row = end(place, started, name, what, now)
    record(row)
    assert row.exit_code == 0, row
    told = (started.results / "junit.xml").read_text()
    assert all(f'name="{test}"' in told for test in ("test_passes", "test_lasts"))
    assert not row.left


PRESSED: Final = 40
"""Seconds for which the node says that its disk is full."""
PRESSURE: Final = f"""\
cd /var/lib/kubelet; cp config.yaml /run/config.yaml
sed -i 's/nodefs.available: .*/nodefs.available: "99%"/' config.yaml
echo 'evictionPressureTransitionPeriod: 5s' >> config.yaml
systemctl restart kubelet
systemd-run --on-active={PRESSED} sh -c 'cp /run/config.yaml /var/lib/kubelet/config.yaml; systemctl restart kubelet'
"""
"""Has the kubelet take a disk that is one hundredth full for a full one, and evict pods; then as it was."""


def test_disk_of_the_node_is_full(
    place: Place, begin: Callable[..., Started], record: Callable[[Row], None], on_node: Callable[[str], None]
) -> None:
    """Tests whose pod is evicted from a full node are infrastructure's fault, said with the node's own words."""
    started = begin(Fault("node-full", "", 3, "", keyword="passes or waits"))
    started.wait_for("tests: 1 of 2")
    now = time.monotonic()
    on_node(PRESSURE)
    row = end(place, started, "node-full", "the node's disk is full, and the kubelet evicts pods", now)
    place.kubectl("wait", "--for=condition=DiskPressure=False", "node", "--all", "--timeout=110s")
    record(row)
    assert row.exit_code == 3, row
    assert "evicted" in row.seen
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left


SET_BACK: Final = """\
import os, threading, time
import time_machine

def set_back(file=os.environ["SET_BACK_WITH"], waiting=threading.Event()):
    while not os.path.exists(file):
        waiting.wait(0.05)
    time_machine.travel(time.time() - 120, tick=True).start()
    with open(f"{file}.back", "w") as back:
        print(time.time(), file=back)

threading.Thread(target=set_back, daemon=True).start()
"""
"""Sets the clock of a Python process back by two minutes as soon as a file is there."""


def test_clock_is_set_back(
    place: Place, begin: Callable[..., Started], record: Callable[[Row], None], tmp_path: Path
) -> None:
    """A run whose machine's clock is set back while its tests run passes, and no duration of it is negative."""
    (tmp_path / "sitecustomize.py").write_text(SET_BACK, encoding="utf-8")
    clock = tmp_path / "clock"
    environment = {"PYTHONPATH": str(tmp_path), "SET_BACK_WITH": str(clock)}
    before = time.time()
    started = begin(Fault("clock-back", "", 0, "", keyword="passes or lasts"), environment=environment)
    started.wait_for("tests: 1 of 2")
    now = time.monotonic()
    clock.touch()
    row = end(place, started, "clock-back", "the machine's clock is set back by two minutes", now)
    record(row)
    assert row.exit_code == 0, row
    measured = json.loads((started.results / "timings.json").read_text())
    assert measured["total_seconds"] > 0
    assert all(step["seconds"] >= 0 for step in measured["steps"])
    assert float(clock.with_suffix(".back").read_text()) < before
    assert not row.left


def test_no_names(place: Place, begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """Where the cluster's DNS is gone, the test that asks it fails, and the others have their verdicts."""
    scale = ("--namespace", "kube-system", "scale", "deployment/coredns")
    place.kubectl(*scale, "--replicas=0")
    try:
        named = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 8000}]}\n"
        started = begin(Fault("no-dns", "", 1, "", keyword="passes or finds", manifest=named))
        row = end(place, started, "no-dns", "the cluster's DNS is gone")
    finally:
        place.kubectl(*scale, "--replicas=1")
        place.kubectl("--namespace", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=110s")
    record(row)
    assert row.exit_code == 1, row
    assert "test_finds" in row.seen
    assert not row.left


class Proxy(threading.Thread):
    """Stands between a run and its cluster's API, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        """Listen on a port of its own."""
        super().__init__(daemon=True)
        self._to, self._open = (host, port), list[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        """Lead each connection on."""
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and take no new ones."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_connection_cut(
    place: Place, begin: Callable[..., Started], record: Callable[[Row], None], tmp_path: Path
) -> None:
    """A cluster that can't be reached any more is told of, with what the tests had told, and what is left is named."""
    text = Path(place.kubeconfig).read_text()
    server = re.search(r"server: (\S+)", text)
    assert server
    there = urlsplit(server[1])
    proxy = Proxy(there.hostname or "", there.port or 443)
    proxy.start()
    config = tmp_path / "kubeconfig"
    config.write_text(text.replace(server[1], f"https://localhost:{proxy.port}"), encoding="utf-8")
    started = begin(Fault("connection-cut", "", 3, "", keyword="passes or waits"), kubeconfig=str(config))
    started.wait_for("tests: 1 of 2")
    now = time.monotonic()
    proxy.cut()
    try:
        # It can't delete anything any more.
        row = end(place, started, "connection-cut", "the connection to the API is cut for good", now, leaving=1)
        record(row)
    finally:
        place.kubectl("delete", "namespace", started.namespace, "--wait=false", "--ignore-not-found")
        place.kubectl("delete", "clusterroles,clusterrolebindings", f"--selector=floe.dev/run-id={started.run_id}")
    assert row.exit_code == 3, row
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert started.namespace in (started.results / "summary.md").read_text() + row.seen
