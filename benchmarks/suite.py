"""Measures the audit and the trace of a suite of 10,000 tests, or the audit of one that is there, against other tools.

`README.md` says what is measured, how to run this, and what came of it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

TESTS_PER_MODULE = 20
REQUIREMENTS = 200
RULES_OF_RUFF = "PT,S,B"
"""What ruff has of tests, of security and of likely bugs."""
TIERS = ("unit", "unit", "unit", "integration", "e2e")
"""Which tier each fifth of the modules is of."""

PYPROJECT = """\
[project]
name = "orders"
version = "1"

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "--strict-markers"]
markers = ["unit: a tier", "integration: a tier", "e2e: a tier"]

[tool.floe-testing.traceability]
specs = ["specs/*/spec.md"]
"""

HEADER = '''\
"""Orders: part {module}."""

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

pytestmark = pytest.mark.{tier}

LIMIT = {module}


@dataclass
class Order:
    """An order."""

    number: int
    lines: list[tuple[str, int]] = field(default_factory=list)
    placed: date = date(2024, 2, 29)

    def total(self) -> int:
        return sum(price for _, price in self.lines)


@pytest.fixture
def order() -> Order:
    """Return an order of two lines."""
    return Order({module}, [("pen", 3), ("ink", 4)])


@pytest.fixture
def stored(order: Order, tmp_path: Path) -> Path:
    """Return the file that an order is kept in."""
    path = tmp_path / f"order-{{order.number}}.json"
    path.write_text(json.dumps({{"number": order.number, "lines": order.lines, "placed": order.placed.isoformat()}}))
    return path


def read(path: Path) -> Order:
    """Return the order that a file keeps."""
    content = json.loads(path.read_text())
    lines = [(name, price) for name, price in content["lines"]]
    return Order(content["number"], lines, date.fromisoformat(content["placed"]))

'''

FUNCTIONS = (
    '''
@pytest.mark.requirement("{requirement}")
def test_total_{test}(order: Order) -> None:
    """The total is the sum of the lines, and follows them."""
    assert order.total() == 7
    order.lines.append(("paper", {test}))
    assert order.total() == 7 + {test}
    order.lines.clear()
    assert order.total() == 0
    assert order.number == LIMIT
''',
    '''
@pytest.mark.requirement("{requirement}")
@pytest.mark.parametrize(("name", "price"), [("pen", {test}), ("ink", 2), ("paper", 3)])
def test_line_{test}(order: Order, name: str, price: int) -> None:
    """A line counts whatever it is of."""
    order.lines = [(name, price)]
    expected = {{"number": order.number, "total": price}}
    assert {{"number": order.number, "total": order.total()}} == expected
    assert [each for each, _ in order.lines] == [name]
''',
    '''
@pytest.mark.requirement("{requirement}")
def test_round_trip_{test}(order: Order, stored: Path) -> None:
    """What was stored comes back."""
    again = read(stored)
    assert again == order
    assert again.placed.isoformat() == "2024-02-29"
    with pytest.raises(FileNotFoundError, match="order-{test}"):
        read(stored.with_name("order-{test}-gone.json"))
    for name, price in again.lines:
        assert price in {{3, 4}}, name
''',
    '''
class TestOrder{test}:
    """Orders of one kind."""

    @pytest.fixture
    def empty(self) -> Order:
        """Return an order without lines."""
        return Order({test})

    @pytest.mark.requirement("{requirement}")
    def test_empty_{test}(self, empty: Order, monkeypatch: pytest.MonkeyPatch) -> None:
        """An order without lines costs nothing."""
        monkeypatch.setenv("ORDERS_CURRENCY", "EUR")
        assert empty.total() == 0
        assert empty.lines == []
        assert empty.number == {test}, f"order {{empty.number}} is not {test}"
''',
)


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    processor: float
    """Seconds of processor time, of its processes together; it tells what a busy machine does not blur."""
    megabytes: float
    """The most that it and its processes held together; what they share counts for each of them."""


def main() -> None:
    """Generate the suite, run each command in turn, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="Warm runs of each command; the least counts.")
    parser.add_argument("--repository", type=Path, help="Measure the audit of this one, and tell medians.")
    parser.add_argument("--folder", default="tests", help="Where the tests of --repository are.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        if arguments.repository is not None:
            measure(arguments.repository.resolve(), arguments.folder, root, arguments.runs)
            return
        modules = generate(root / "orders", arguments.tests)
        print(f"{arguments.tests} tests in {modules} modules, {len(os.sched_getaffinity(0))} cores")
        compare(root, arguments.runs)


def measure(repository: Path, folder: str, place: Path, runs: int) -> None:
    """Print what the audit of a repository's tests costs, cold and warm, and what ruff costs for the same folder."""
    report = place / "report.json"
    environment = environment_of(place)
    audit = [sys.executable, "-m", "floe_testing", "audit", str(repository / folder), "--root", str(repository)]
    audit += ["--fail-on", "never", "--format", "json", "--output", str(report)]
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--exit-zero", "--quiet", "--statistics"]
    commands = {
        "audit, cold": [*audit, "--no-cache"],
        "audit, warm": audit,
        "ruff check, cold": [*ruff, "--select", RULES_OF_RUFF, str(repository / folder)],
    }
    run(audit, repository, environment)
    looked_at = json.loads(report.read_text(encoding="utf-8"))["summary"]
    files = dict.fromkeys(commands, looked_at["modules"])
    files["ruff check, cold"] = sum(1 for _ in (repository / folder).rglob("*.py"))
    print(f"{looked_at['tests']} tests in {looked_at['modules']} modules, {len(os.sched_getaffinity(0))} cores")
    print(f"{'':30}{'wall':>8}{'CPU':>8}{'memory':>10}")
    each: dict[str, float] = {}
    for name, command in commands.items():
        turns = [run(command, repository, environment) for _ in range(runs)]
        show(name, Cost(*(median(values) for values in zip(*map(astuple, turns), strict=True))))
        each[name] = median(turn.processor for turn in turns) / files[name]
    warm, other = each["audit, warm"], each["ruff check, cold"]
    print(f"warm, {warm * 1e3:.2f} ms of CPU a file, {warm / other:.2f} of ruff's {other * 1e3:.2f} ms (bar: 1.5)")


def environment_of(place: Path) -> dict[str, str]:
    """Return an environment with caches of its own, in which what Python compiles is kept."""
    environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache"), "COLUMNS": "200"}
    # Warm is: with what Python compiled the time before, pytest's rewritten assertions among it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def generate(root: Path, tests: int) -> int:
    """Write a repository with this many tests, and a specification whose requirements they meet."""
    modules = -(-tests // TESTS_PER_MODULE)
    ids = [f"001-FR-{number:03}" for number in range(1, REQUIREMENTS + 1)]
    write(root / "pyproject.toml", PYPROJECT)
    write(
        root / "specs" / "001" / "spec.md",
        "# Orders\n\n" + "".join(f"- **{each}**: Orders MUST work.\n" for each in ids),
    )
    for module in range(modules):
        tier = TIERS[module % len(TIERS)]
        text = HEADER.format(module=module, tier=tier)
        for test in range(module * TESTS_PER_MODULE, min((module + 1) * TESTS_PER_MODULE, tests)):
            text += FUNCTIONS[test % len(FUNCTIONS)].format(test=test, requirement=ids[test % len(ids)]) + "\n"
        write(root / "tests" / tier / f"part_{module % 25}" / f"test_orders_{module}.py", text)
    return modules


def compare(root: Path, runs: int) -> None:
    """Print what the audit, the trace and the collection cost, cold and warm."""
    repository = root / "orders"
    environment = environment_of(root)
    commands = {
        "audit": [sys.executable, "-m", "floe_testing.audit", "--fail-on", "never"],
        "trace": [sys.executable, "-m", "floe_testing.traceability"],
        "ruff check": [sys.executable, "-m", "ruff", "check", "--no-cache", "--exit-zero", "--select", RULES_OF_RUFF],
        "pytest --collect-only": [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
    }
    print(f"{'':30}{'wall':>8}{'CPU':>8}{'memory':>10}")
    warm: dict[str, Cost] = {}
    for name, command in commands.items():
        show(f"{name}, cold", run(command, repository, environment))
        turns = [run(command, repository, environment) for _ in range(runs)]
        warm[name] = Cost(
            min(each.seconds for each in turns),
            min(each.processor for each in turns),
            max(each.megabytes for each in turns),
        )
        show(f"{name}, warm", warm[name])
    audit, trace, ruff, collection = warm.values()
    seconds, processor = audit.seconds + trace.seconds, audit.processor + trace.processor
    print(
        f"audit and trace, warm: {seconds:.2f} s, {seconds / collection.seconds:.2f} of the collection; "
        f"{processor:.2f} s of CPU, {processor / collection.processor:.2f} of its CPU (bars: 5 s, 0.33, 500 MB)"
    )
    print(
        f"audit, warm: {audit.processor / ruff.processor:.2f} of ruff's CPU, which looks at the same files (bar: 1.5)"
    )


def show(name: str, cost: Cost) -> None:
    """Print what a command took."""
    print(f"{name:30}{cost.seconds:6.2f} s{cost.processor:6.2f} s{cost.megabytes:7.0f} MB")


def run(command: list[str], folder: Path, environment: dict[str, str]) -> Cost:
    """Run a command to its end; one that fails ends the benchmark with what it said."""
    started, before = time.monotonic(), processor_time()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        peak = [0]
        watcher = threading.Thread(target=watch, args=(process, peak))
        watcher.start()
        output, _ = process.communicate()
        seconds = time.monotonic() - started
        watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited with {process.returncode}:\n{output}")
    return Cost(seconds, processor_time() - before, peak[0] / 2**20)


def processor_time() -> float:
    """Return the processor time of all commands that have ended, and of what they started."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def watch(process: subprocess.Popen[str], peak: list[int]) -> None:
    """Keep the most memory that a process and its descendants hold, looking 50 times a second."""
    page = os.sysconf("SC_PAGE_SIZE")
    while process.poll() is None:
        held = sum(resident(each) * page for each in descendants(process.pid))
        peak[0] = max(peak[0], held)
        time.sleep(0.02)


def descendants(number: int) -> list[int]:
    """Return the ids of a process and of those that it started."""
    found = [number]
    for each in found:
        try:
            children = Path(f"/proc/{each}/task/{each}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def resident(number: int) -> int:
    """Return how many pages of memory a process holds, 0 once it has ended."""
    try:
        return int(Path(f"/proc/{number}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
