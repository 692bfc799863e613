"""The pytest plugin, by entry point: markers and fixtures."""

from importlib import import_module

import pytest

PLUGINS = (
    "floe_testing.fixtures.up",
    "floe_testing.fixtures.run",
    "floe_testing.fixtures.postgres",
    "floe_testing.fixtures.minio",
    "floe_testing.fixtures.polaris",
    "floe_testing.fixtures.duckdb",
    "floe_testing.fixtures.dagster",
    "floe_testing.fixtures.kube",
    "floe_testing.fixtures.restart",
    "floe_testing.fixtures.services",
    "floe_testing.fixtures.namespace",
    "floe_testing.fixtures.watcher",
    "floe_testing.fixtures.timeouts",
    "floe_testing.results.plugin",
    "floe_testing.measuring.plugin",
    "floe_testing.traceability.plugin",
)

MARKERS = (
    "requirement(id): the requirement that a test shows to be met, as REQ-642",
    "journey(name): what users do from end to end, and this test does",
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the parts of this plugin."""
    _leave_as_written(pluginmanager)
    # In `pytest_plugins` each would cost a search through the entry points of all packages, for one of its name.
    for name in PLUGINS:
        if not (pluginmanager.is_blocked(name) or pluginmanager.has_plugin(name)):
            pluginmanager.register(import_module(name), name)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def _leave_as_written(pluginmanager: pytest.PytestPluginManager) -> None:
    """Have pytest import this package as Python does: nothing in it asserts, and to rewrite it takes half the start."""
    # pytest has no public way to say so. In a version that keeps it elsewhere, the start takes longer.
    marked = getattr(pluginmanager.rewrite_hook, "_must_rewrite", None)
    known = getattr(pluginmanager.rewrite_hook, "_marked_for_rewrite_cache", None)
    if isinstance(marked, set) and isinstance(known, dict):
        marked.discard(__package__)
        known.clear()
