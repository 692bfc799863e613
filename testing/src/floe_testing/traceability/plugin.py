"""A pytest option: show after a run which requirements are verified."""

from typing import Final

import pytest

_OPTION: Final = "--requirement-coverage"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("floe").addoption(
        _OPTION,
        action="store_true",
        help="after the run, show which requirements the tests that ran have verified",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run if asked to."""
    if config.getoption(_OPTION):
        from floe_testing.traceability.summary import CoverageSummary  # noqa: PLC0415 - not where nobody asks

        config.pluginmanager.register(CoverageSummary(), "floe-requirement-coverage")
