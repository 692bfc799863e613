"""The table of timeouts, and what comes of it."""

import pytest

from floe_testing.contract import ENV_TIMEOUTS, TIMEOUTS
from floe_testing.waiting.timeouts import Timeouts, WrongTimeoutError

pytestmark = pytest.mark.requirement("REQ-646")

SLOW_TEST = """
import threading

def test_that_hangs():
    threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no timeout of the surrounding run be seen."""
    for variable in (*ENV_TIMEOUTS.values(), "PYTEST_TIMEOUT"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.requirement("REQ-646.3")
def test_table() -> None:
    """A run has an hour, a test five minutes, a service ten, a probe half a minute, a migration five minutes."""
    assert Timeouts().model_dump() == {"job": 3600, "test": 300, "services": 600, "probe": 30, "migration": 300}


def test_model_has_the_table() -> None:
    """The model's fields are the table's entries, with their defaults, and each has a variable."""
    assert Timeouts().model_dump() == TIMEOUTS
    assert set(ENV_TIMEOUTS) == set(TIMEOUTS)


@pytest.mark.parametrize("name", TIMEOUTS)
def test_environment_changes_an_entry(name: str) -> None:
    """A variable changes its entry and no other; one that is empty changes nothing."""
    changed = Timeouts.from_environment({ENV_TIMEOUTS[name]: "7"}).model_dump()
    assert changed == TIMEOUTS | {name: 7}
    assert Timeouts.from_environment({ENV_TIMEOUTS[name]: ""}) == Timeouts()


def test_every_wrong_variable_is_told() -> None:
    """No timeout is endless or nothing: the message names each variable that says so, with what it says."""
    wrong = {"FLOE_TIMEOUT_JOB": "0", "FLOE_TIMEOUT_PROBE": "inf", "FLOE_TIMEOUT_TEST": "60"}
    with pytest.raises(WrongTimeoutError) as refused:
        Timeouts.from_environment(wrong)
    assert "FLOE_TIMEOUT_JOB=0: " in str(refused.value)
    assert "FLOE_TIMEOUT_PROBE=inf: " in str(refused.value)
    assert "FLOE_TIMEOUT_TEST" not in str(refused.value)


@pytest.mark.requirement("REQ-646.2")
def test_a_test_that_hangs_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that takes longer than the table allows fails, and the message says how long it had."""
    monkeypatch.setenv("FLOE_TIMEOUT_TEST", "1")
    pytester.makepyfile(SLOW_TEST)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "floe_testing.plugin", "-p", "timeout")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Timeout (>1.0s)*"])


@pytest.mark.parametrize("how", ["option", "ini", "environment", "nothing"])
def test_table_yields_to_pytests_own_configuration(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What pytest-timeout is told by option, file or variable counts, and the table where it is told nothing."""
    monkeypatch.setenv("FLOE_TIMEOUT_TEST", "70")
    if how == "ini":
        pytester.makeini("[pytest]\ntimeout = 80")
    if how == "environment":
        monkeypatch.setenv("PYTEST_TIMEOUT", "80")
    config = pytester.parseconfigure(*(["--timeout=80"] if how == "option" else []))
    assert config._env_timeout == (70 if how == "nothing" else 80)  # type: ignore[attr-defined]  # noqa: SLF001 - what pytest-timeout goes by


def test_wrong_timeout_is_told_without_a_traceback(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout that is none ends pytest with a usage error that names the variable."""
    monkeypatch.setenv("FLOE_TIMEOUT_TEST", "never")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *FLOE_TIMEOUT_TEST=never: *"])


def test_without_pytest_timeout(pytester: pytest.Pytester) -> None:
    """Where pytest-timeout is not installed, there is no limit and no error."""
    pytester.makepyfile("def test_quick(timeouts):\n    assert timeouts.migration == 300")
    pytester.runpytest_inprocess("-p", "no:timeout").assert_outcomes(passed=1)
