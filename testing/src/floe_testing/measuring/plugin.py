"""Performance as pytest's plugin: measured where results are asked for, or a baseline is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from floe_testing.errors import FloeTestingError
from floe_testing.results.plugin import results_dir

if TYPE_CHECKING:
    from pathlib import Path

_UPDATE: Final = "--update-baselines"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("floe").addoption(
        _UPDATE,
        action="store_true",
        help="write what the tests that pass take into the file of the baselines, instead of comparing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Measure, where somebody wants to know.

    Raises:
        pytest.UsageError: The configuration, or the file of the baselines, is wrong.
    """
    folder = results_dir()
    update = bool(config.getoption(_UPDATE))
    if not (folder or update or _is_configured(config.rootpath)):
        return
    from floe_testing.measuring import config as settings  # noqa: PLC0415 - not where nobody asks
    from floe_testing.measuring.baselines import read_baselines  # noqa: PLC0415 - as above
    from floe_testing.measuring.measure import Measuring  # noqa: PLC0415 - as above
    from floe_testing.measuring.session import Reporting  # noqa: PLC0415 - as above
    from floe_testing.settings import read_settings  # noqa: PLC0415 - as above

    try:
        wanted = read_settings(settings.PerformanceConfig, settings.TABLE, config.rootpath)
        if update and not wanted.baseline:
            message = f'{_UPDATE} needs a file: [tool.floe-testing.performance] baseline = "tests/baselines.json"'
            raise pytest.UsageError(message)
        file = config.rootpath / wanted.baseline if wanted.baseline else None
        baselines = read_baselines(file) if file else {}
    except FloeTestingError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Measuring(wanted, {} if update else baselines), "floe-measuring")
    if not hasattr(config, "workerinput") and (folder or file):
        reporting = Reporting(folder, file, baselines, update=update)
        config.pluginmanager.register(reporting, "floe-performance")


def _is_configured(root: Path) -> bool:
    # To look for a word is all that this costs those who don't measure.
    try:
        return b"tool.floe-testing.performance" in (root / "pyproject.toml").read_bytes()
    except OSError:
        return False
