"""Results as pytest's plugin: `--junitxml`, and what `FLOE_RESULTS_DIR` asks for."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from floe_testing.contract import ENV_RESULTS_DIR, REQUIREMENT_PROPERTY
from floe_testing.results.output import RunningOutput, Watch

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from floe_testing.results.junit import StreamingLog

REQUIREMENT: Final = REQUIREMENT_PROPERTY
"""The marker, and the property of a test case in `junit.xml`."""
TERMINATED: Final = 128 + signal.SIGTERM


def results_dir() -> Path | None:
    """Return the folder that this session leaves its files in, or None where nobody asked for any."""
    # A pytest that a test starts would write over the results of the one that it is a test of.
    if "PYTEST_CURRENT_TEST" in os.environ or not os.environ.get(ENV_RESULTS_DIR):
        return None
    return Path(os.environ[ENV_RESULTS_DIR])


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the log that streams in the place of pytest's own."""
    if hasattr(config, "workerinput"):
        return
    folder = results_dir()
    path = config.getoption("xmlpath", None) or (folder and folder / "junit.xml")
    if path:
        _replace_log(config, str(path))
    if path or folder:
        config.pluginmanager.register(Termination(), "floe-termination")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make properties of the requirements that tests name."""
    for item in items:
        named = dict.fromkeys(str(one) for mark in item.iter_markers(REQUIREMENT) for one in mark.args)
        item.user_properties.extend((REQUIREMENT, one) for one in named)


def _replace_log(config: pytest.Config, path: str) -> None:
    try:
        from _pytest.junitxml import xml_key  # noqa: PLC0415 - pytest's own affair, which it may change

        from floe_testing.results.junit import StreamingLog  # noqa: PLC0415 - as above
    except ImportError as error:
        config.issue_config_time_warning(
            pytest.PytestWarning(f"junit.xml is written at the session's end only: {error}"), stacklevel=2
        )
        return
    output = RunningOutput(config.pluginmanager)
    log = StreamingLog(
        path,
        config.option.junitprefix,
        config.getini("junit_suite_name"),
        config.getini("junit_logging"),
        config.getini("junit_duration_report"),
        config.getini("junit_family"),
        config.getini("junit_log_passing_tests"),
        output=output.read,
    )
    if xml_key in config.stash:
        config.pluginmanager.unregister(config.stash[xml_key])
    config.stash[xml_key] = log
    config.pluginmanager.register(log)
    config.pluginmanager.register(Following(log, output), "floe-results")


class Following:
    """Keeps the running test's output up to date in the log."""

    def __init__(self, log: StreamingLog, output: RunningOutput) -> None:
        """Take the log, and the reader of what the test prints."""
        self._output = output
        self._watch = Watch(log.refresh)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Read the output of this test from now on, and look after it."""
        if self._output.item is None:
            self._watch.start()
        self._output.item = item

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Look no more, before the log is finished."""
        self._watch.stop()


class Termination:
    """Takes SIGTERM for Ctrl-C: fixtures are torn down, and results are complete."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Listen while tests run, unless somebody else does."""
        ours = (
            threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if ours:
            signal.signal(signal.SIGTERM, self._terminate)
        try:
            return (yield)
        finally:
            if ours:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @staticmethod
    def _terminate(number: int, frame: FrameType | None) -> None:
        del frame
        # The second one ends the process.
        signal.signal(number, signal.SIG_DFL)
        pytest.exit("terminated (SIGTERM)", returncode=TERMINATED)
