"""The pytest plugin, by entry point: markers and fixtures."""

import pytest

PLUGINS = (
    "testing.fixtures.run",
    "testing.fixtures.postgres",
    "testing.fixtures.minio",
    "testing.fixtures.polaris",
    "testing.fixtures.duckdb",
    "testing.fixtures.dagster",
    "testing.fixtures.kube",
    "testing.fixtures.restart",
    "testing.fixtures.services",
    "testing.fixtures.namespace",
    "testing.fixtures.watcher",
    "testing.fixtures.timeouts",
    "testing.results.plugin",
    "testing.measuring.plugin",
    "testing.traceability.plugin",
)

MARKERS = ("requirement(id): the requirement that a test shows to be met, as REQ-642",)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the parts of this plugin."""
    # In `pytest_plugins` each would cost a search through the entry points of all packages, for one of its name.
    for name in PLUGINS:
        pluginmanager.import_plugin(name)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
