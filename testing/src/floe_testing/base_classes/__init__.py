"""Classes to inherit tests from: each is thin over the fixtures, and a test without one is as good."""

from floe_testing.base_classes.adapter import AdapterTestBase
from floe_testing.base_classes.integration import IntegrationTestBase
from floe_testing.base_classes.plugin import PluginTestBase

__all__ = ["AdapterTestBase", "IntegrationTestBase", "PluginTestBase"]
