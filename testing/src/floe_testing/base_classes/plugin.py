"""Whether a plugin is found, says what it is, and can do what its kind has to."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

import pytest
from packaging.version import InvalidVersion, Version

from floe_testing.base_classes.integration import IntegrationTestBase


class PluginTestBase(IntegrationTestBase):
    """Ready-made tests of a plugin that is installed.

    class TestDuckDB(PluginTestBase):
        plugin_type = "floe.compute"
        plugin_name = "duckdb"
        plugin_interface = ComputePlugin
    """

    must_declare = ("plugin_type", "plugin_name", "plugin_interface")

    plugin_type: ClassVar[str]
    """The entry point group that plugins of this kind are registered in."""
    plugin_name: ClassVar[str]
    """The entry point's name."""
    plugin_interface: ClassVar[type[Any]]
    """What plugins of this kind implement: an abstract base class, or a protocol that is checkable at run time."""

    def test_entry_point_discovery(self) -> None:
        """The plugin is registered once, under its name, and can be imported."""
        self.load_plugin()

    def test_plugin_metadata(self) -> None:
        """The plugin calls itself as it is registered, and its version is one."""
        name, version = self.plugin_metadata(self.load_plugin())
        if name != self.plugin_name:
            pytest.fail(f"the plugin calls itself {name!r}; its entry point is {self.plugin_name!r}", pytrace=False)
        try:
            Version(version)
        except (InvalidVersion, TypeError):
            pytest.fail(f"{version!r} is no version; write one as 1.2.3", pytrace=False)

    def test_abc_compliance(self) -> None:
        """The plugin has all that its interface asks for, and takes the same arguments."""
        problems = _departures(self.load_plugin(), self.plugin_interface)
        if problems:
            pytest.fail(f"{self.plugin_name}: {'; '.join(problems)}", pytrace=False)

    def plugin_metadata(self, plugin: Any) -> tuple[str, str]:  # noqa: ANN401 - a plugin is what its kind makes it
        """Return the plugin's name and version as it declares them: in `plugin.metadata`, unless overridden."""
        return plugin.metadata.name, plugin.metadata.version

    def entry_point(self) -> EntryPoint:
        """Return the plugin's entry point.

        Raises:
            pytest.fail.Exception: There is none, or more than one; the message names those there are.
        """
        group = entry_points(group=self.plugin_type)
        found = list(group.select(name=self.plugin_name))
        if len(found) != 1:
            there = ", ".join(sorted(f"{each.name} = {each.value}" for each in group)) or "none"
            pytest.fail(
                f"one entry point {self.plugin_name!r} is expected in the group {self.plugin_type!r}; "
                f"there are {len(found)}. The group has: {there}",
                pytrace=False,
            )
        return found[0]

    def load_plugin(self) -> Any:  # noqa: ANN401 - a plugin is what its kind makes it
        """Return what the plugin's entry point names.

        Raises:
            pytest.fail.Exception: It is not registered, or can't be imported.
        """
        entry = self.entry_point()
        try:
            return entry.load()
        except Exception as error:  # noqa: BLE001 - whatever an import of somebody else's raises
            pytest.fail(f"{entry.value} can't be imported: {type(error).__name__}: {error}", pytrace=False)


def _departures(plugin: object, interface: type[Any]) -> list[str]:
    """Return how a plugin, a class or an object, departs from its interface."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    asked = sorted(name for name in _members(interface) if not name.startswith("_"))
    missing = [f"it lacks {name}" for name in asked if not hasattr(plugin, name)]
    unfinished = [f"{name} is abstract still" for name in sorted(getattr(kind, "__abstractmethods__", ()))]
    takes = [
        f"{name} takes {theirs}, not {ours}"
        for name in asked
        if (ours := _parameters(getattr(interface, name, None))) is not None
        and (theirs := _parameters(getattr(kind, name, None))) is not None
        and not _accepts(theirs, ours)
    ]
    if not (missing or unfinished or takes) and not _is_a(plugin, kind, interface):
        return [f"it is no {interface.__name__}"]
    return missing + unfinished + takes


def _members(interface: type[Any]) -> set[str]:
    """Return the names that an interface adds to an object's: methods, properties, annotated attributes."""
    return {name for each in interface.__mro__[:-1] for name in (*vars(each), *inspect.get_annotations(each))}


def _is_a(plugin: object, kind: type[Any], interface: type[Any]) -> bool:
    return issubclass(kind, interface) if isinstance(plugin, type) else isinstance(plugin, interface)


def _parameters(member: object) -> inspect.Signature | None:
    return inspect.signature(member) if inspect.isfunction(member) else None


def _accepts(theirs: inspect.Signature, ours: inspect.Signature) -> bool:
    """Tell whether a call that the interface allows is one that the plugin allows, as far as arguments go."""
    given, open_to = theirs.parameters, {each.kind for each in theirs.parameters.values()}
    missing = [name for name in ours.parameters if name not in given]
    if missing and not {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL} & open_to:
        return False
    added = [each for name, each in given.items() if name not in ours.parameters]
    variadic = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return all(each.default is not inspect.Parameter.empty or each.kind in variadic for each in added)
