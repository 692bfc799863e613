"""Performance as pytest's plugin: measured where results are asked for, or a baseline is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from floe_testing.errors import FloeTestingError
from floe_testing.results.plugin import results_dir

if TYPE_CHECKING:
    from pathlib import Path

    from floe_testing.measuring.measure import Comparison

_UPDATE: Final = "--update-baselines"
_WORDS: Final = (b"floe-testing", b"performance")
"""Of the table's name, in whatever way it is written."""


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
    file, baselines, comparison = None, dict[str, float](), None
    if update or _may_be_configured(config.rootpath):
        file, baselines, comparison = _read(config.rootpath, update=update)
    if not (folder or file):
        return
    from floe_testing.measuring.measure import Measuring  # noqa: PLC0415 - not where nobody asks
    from floe_testing.measuring.session import Reporting  # noqa: PLC0415 - as above

    config.pluginmanager.register(Measuring(comparison), "floe-measuring")
    if not hasattr(config, "workerinput"):
        reporting = Reporting(folder, file, baselines, update=update)
        config.pluginmanager.register(reporting, "floe-performance")


def _read(root: Path, *, update: bool) -> tuple[Path | None, dict[str, float], Comparison | None]:
    """Return the file of the baselines, what it holds, and what compares with that; nothing where there is no file."""
    from floe_testing.measuring import config as settings  # noqa: PLC0415 - it needs pydantic
    from floe_testing.measuring.baselines import read_baselines  # noqa: PLC0415 - as above
    from floe_testing.measuring.measure import Comparison  # noqa: PLC0415 - not where nobody asks
    from floe_testing.settings import read_settings  # noqa: PLC0415 - as above

    try:
        wanted = read_settings(settings.PerformanceConfig, settings.TABLE, root)
        if not wanted.baseline:
            if update:
                message = f'{_UPDATE} needs a file: [tool.floe-testing.performance] baseline = "tests/baselines.json"'
                raise pytest.UsageError(message)
            return None, {}, None
        file = root / wanted.baseline
        baselines = read_baselines(file)
    except FloeTestingError as error:
        raise pytest.UsageError(str(error)) from None
    return file, baselines, None if update else Comparison(wanted, baselines)


def _may_be_configured(root: Path) -> bool:
    # To look for words is all that this costs those who compare nothing.
    try:
        text = (root / "pyproject.toml").read_bytes()
    except OSError:
        return False
    return all(word in text for word in _WORDS)
