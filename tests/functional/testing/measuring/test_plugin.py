"""Performance in a session of pytest: measured, compared, written down and shown."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from floe_testing.measuring.models import read_performance

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.requirement("REQ-650")

PLUGINS = ("-p", "floe_testing.results.plugin", "-p", "floe_testing.measuring.plugin", "-p", "no:cacheprovider")
BASELINE = '[tool.floe-testing.performance]\nbaseline = "baselines.json"\n'
TESTS = """
import pytest

@pytest.fixture
def prepared():
    sum(range(3_000_000))
    yield

def test_good(prepared): pass
def test_bad(): assert 0
@pytest.mark.skip
def test_skipped(): pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Return what runs a module of tests, with a table of the configuration and a file of baselines."""
    for name in [name for name in os.environ if name.startswith("FLOE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("FLOE_RESULTS_DIR", str(pytester.path / "results"))

    def run(
        tests: str, *arguments: str, table: str = "", baselines: dict[str, float] | None = None
    ) -> pytest.RunResult:
        # Here, and not above: pytest sets it anew for the call. The session is to be no part of this test.
        monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        pytester.makepyfile(test_it=tests)
        pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{table}")
        if baselines is not None:
            text = json.dumps({"version": 1, "seconds": baselines})
            (pytester.path / "baselines.json").write_text(text, encoding="utf-8")
        return pytester.runpytest_inprocess(*PLUGINS, *arguments)

    return run


@pytest.mark.requirement("REQ-650.1")
def test_file(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds each test with its outcome, its phases and what it needed, and which run it was."""
    monkeypatch.setenv("FLOE_RUN_ID", "abc")
    monkeypatch.setenv("FLOE_TIER", "unit")
    run(TESTS)
    found = read_performance(pytester.path / "results" / "performance.json")
    good, bad, skipped = found.tests
    assert (found.run_id, found.tier) == ("abc", "unit")
    assert [(test.id, test.outcome) for test in found.tests] == [
        ("test_it.py::test_good", "passed"),
        ("test_it.py::test_bad", "failed"),
        ("test_it.py::test_skipped", "skipped"),
    ]
    assert good.seconds.setup > good.seconds.call
    assert good.cpu_seconds.setup > good.cpu_seconds.call
    assert found.seconds >= sum(test.seconds.total for test in (good, bad, skipped))
    assert good.peak_memory_bytes
    assert good.baseline_seconds is None


@pytest.mark.requirement("REQ-650.5")
def test_section(run: Callable[..., pytest.RunResult]) -> None:
    """The terminal shows the totals, and the slowest tests first."""
    result = run(TESTS)
    result.stdout.fnmatch_lines(
        ["*= performance =*", "3 tests in * s: * s of CPU, at most * MiB", "*test_it.py::test_good"]
    )


def test_nobody_asks(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody asks for results or baselines, nothing is measured, shown or written."""
    monkeypatch.delenv("FLOE_RESULTS_DIR")
    result = run(
        "def test_off(request): assert not request.config.pluginmanager.has_plugin('floe-measuring')",
        table="[tool.other]\n",
    )
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*= performance =*")
    assert not list(pytester.path.rglob("performance.json"))


def test_baselines_are_written(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """`--update-baselines` writes what tests that passed took, and keeps what is known of others."""
    result = run(
        TESTS, "--update-baselines", table=BASELINE, baselines={"other.py::test": 7.0, "test_it.py::test_bad": 3}
    )
    written = json.loads((pytester.path / "baselines.json").read_text(encoding="utf-8"))["seconds"]
    assert list(written) == ["other.py::test", "test_it.py::test_bad", "test_it.py::test_good"]
    assert (written["other.py::test"], written["test_it.py::test_bad"]) == (7.0, 3)
    assert 0 <= written["test_it.py::test_good"] < 1
    result.stdout.fnmatch_lines(["baselines of 1 tests written to *baselines.json"])


def test_no_baselines_yet(run: Callable[..., pytest.RunResult]) -> None:
    """Where the file is not there yet, the section says how to write it."""
    result = run("def test_good(): pass", table=BASELINE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["there are no baselines in *; --update-baselines writes them"])


SLOW = "def test_slow(): sum(range(2_000_000))"
STRICT = BASELINE + "tolerance = { floor = 0.001 }\n"
FAST = {"test_it.py::test_slow": 0.001}


@pytest.mark.requirement("REQ-650.6")
def test_slower_is_a_warning(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A test that is slower than its baseline passes, and stands out in the section and in the file."""
    result = run(SLOW, table=STRICT, baselines=FAST)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SLOWER test_it.py::test_slow: * s, baseline 0.001 s"])
    (test,) = read_performance(pytester.path / "results" / "performance.json").tests
    assert (test.slower, test.baseline_seconds, test.outcome) == (True, 0.001, "passed")


@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "1"]], ids=["alone", "xdist"])
def test_slower_is_a_failure(
    arguments: list[str], run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    """Where that is wanted, a test that is slower than its baseline fails and says why, also in `junit.xml`."""
    result = run(SLOW, *arguments, table=f'{STRICT}on-slower = "fail"\n', baselines=FAST)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*its baseline is 0.001 s. Tolerated are 1.5 times as much, or 0.001 s more.*"])
    assert "its baseline is" in (pytester.path / "results" / "junit.xml").read_text(encoding="utf-8")
    (test,) = read_performance(pytester.path / "results" / "performance.json").tests
    assert (test.slower, test.outcome) == (True, "failed")


def test_within_tolerance(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A test that is slower by less than is tolerated passes."""
    result = run(SLOW, table=f'{BASELINE}on-slower = "fail"\ntolerance = {{ floor = 30 }}\n', baselines=FAST)
    assert result.ret == 0
    (test,) = read_performance(pytester.path / "results" / "performance.json").tests
    assert not test.slower


def test_updating_does_not_compare(run: Callable[..., pytest.RunResult]) -> None:
    """With `--update-baselines`, no test fails for being slower than it was."""
    assert run(SLOW, "--update-baselines", table=f'{STRICT}on-slower = "fail"\n', baselines=FAST).ret == 0


@pytest.mark.parametrize(
    ("arguments", "table", "text", "message"),
    [
        ([], "[tool.floe-testing.performance]\nbaselin = 1\n", None, "unknown key; did you mean 'baseline'?"),
        (["--update-baselines"], "", None, "--update-baselines needs a file"),
        ([], BASELINE, "[]", "is no file of baselines; `pytest --update-baselines` writes one"),
        ([], BASELINE, '{"version": 1, "seconds": {"a": -1, "b": "x"}}', "seconds.a: * seconds.b: "),
    ],
)
def test_wrong_input(  # noqa: PLR0913, PLR0917 - what is parametrized, and fixtures
    arguments: list[str],
    table: str,
    text: str | None,
    message: str,
    run: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
) -> None:
    """What is wrong with the table or the file is told before a test runs, without a traceback."""
    if text is not None:
        (pytester.path / "baselines.json").write_text(text, encoding="utf-8")
    result = run("def test_good(): pass", *arguments, table=table)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    printed = " ".join(result.stderr.str().split())
    positions = [printed.find(part.strip()) for part in message.split("*")]
    assert -1 not in positions, printed
    assert "Traceback" not in printed


def test_xdist(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """With pytest-xdist, the figures are those of the workers, and each test says which one it ran in."""
    run(TESTS, "-p", "xdist", "-n", "1")
    good, _, _ = read_performance(pytester.path / "results" / "performance.json").tests
    assert good.worker == "gw0"
    assert good.peak_memory_bytes
    assert good.cpu_seconds.setup > good.cpu_seconds.call


def test_results_that_cannot_be_written(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A file that can't be written is told in the section, and the tests' results are what they are."""
    (pytester.path / "results" / ".performance.json.new").mkdir(parents=True)
    result = run("def test_good(): pass")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*Is a directory*performance.json.new*"])


@pytest.mark.parametrize(
    ("changes", "why"), [({}, None), ({"FLOE_NAMESPACE": "floe", "KUBECONFIG": "none"}, "cluster: ")]
)
def test_cluster(
    changes: dict[str, str],
    why: str | None,
    run: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Metrics are asked for where the tests have a namespace; a cluster that does not answer fails no test."""
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "none")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert run("def test_good(): pass").ret == 0
    found: Any = read_performance(pytester.path / "results" / "performance.json").metrics_problem
    assert (found or "").startswith(why or "")
    assert (found is None) is (why is None)
