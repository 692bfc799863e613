"""What no test covers."""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from floe_testing.audit.look import strings_in
from floe_testing.audit.model import Example, Fact, Finding, Severity
from floe_testing.audit.module import Function, Module
from floe_testing.audit.project import JOURNEYS_TABLE, PLUGINS_TABLE, PYPROJECT, Plugin, Project
from floe_testing.audit.rule import Rule

_REAL: Final = frozenset({"integration", "e2e"})


class JourneyWithoutTest(Rule):
    """Something that users do, and no end-to-end test does."""

    id = "FT901"
    name = "journey-without-test"
    severity = Severity.ERROR
    reason = (
        "Something that users do from end to end has no test in the end-to-end tier: each part may work, and the "
        "whole not. Journeys are listed in `[tool.floe-testing.audit.journeys]`."
    )
    bad = (
        Example(
            """
            def test_login():
                assert Shop().login("ada").name == "ada"
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {"keyword": "checkout"}}},
        ),
    )
    good = (
        Example(
            """
            def test_checkout():
                assert Shop().login("ada").buy(7).paid
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {"keyword": "checkout"}}},
        ),
        Example(
            """
            import pytest

            @pytest.mark.journey_checkout
            def test_buy():
                assert Shop().login("ada").buy(7).paid
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {"marker": "journey_checkout"}}},
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:
        """Note which journeys a module's tests make."""
        for function in module.functions:
            if function.test is None or module.tier_of(function) != "e2e":
                continue
            for name, journey in project.config.journeys.items():
                marks = {marker.name for marker in function.test.markers}
                if journey.marker in marks or (journey.keyword and journey.keyword in function.test.node_id):
                    yield self.fact(module, function.node, function, key=name)

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report the journeys that no test makes."""
        made = {fact.key for fact in facts}
        for name, journey in project.config.journeys.items():
            if project.whole and name not in made:
                message = f"the journey {name!r} has no end-to-end test {journey}"
                line = project.line_of(JOURNEYS_TABLE, name)
                yield Finding(PYPROJECT, line, 1, self.id, self.severity, message, text=f"{JOURNEYS_TABLE}.{name}")


class PluginWithoutTest(Rule):
    """A plugin that no integration test touches."""

    id = "FT902"
    name = "plugin-without-integration-test"
    severity = Severity.WARNING
    reason = (
        "The package offers a plugin by entry point, and no test of the integration or end-to-end tier imports it "
        "or names it: whether it works against the real service is not known."
    )
    bad = (
        Example(
            """
            def test_memory_store():
                assert open_store("memory").rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"postgres": "orders.stores.postgres:PostgresStore"},
        ),
    )
    good = (
        Example(
            """
            def test_postgres_store():
                assert open_store("postgres").rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"postgres": "orders.stores.postgres:PostgresStore"},
        ),
        Example(
            """
            from orders.stores.postgres import PostgresStore

            def test_store():
                assert PostgresStore().rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"pg": "orders.stores.postgres:PostgresStore"},
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:
        """Note which plugins a module's tests mention."""
        tests = [function for function in module.functions if module.tier_of(function) in _REAL]
        if not tests or not project.plugins:
            return
        said = {word for function in tests for word in _said(function)}
        imported = set(_imported(module))
        for plugin in project.plugins:
            if plugin.name in said or imported & _places(plugin):
                yield self.fact(module, tests[0].node, None, key=f"{plugin.group}:{plugin.name}")

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report the plugins that no test mentions."""
        mentioned = {fact.key for fact in facts}
        for plugin in project.plugins:
            key = f"{plugin.group}:{plugin.name}"
            if project.whole and key not in mentioned:
                message = f"no integration test mentions the plugin {plugin.name!r} ({plugin.value}) of {plugin.group}"
                line = project.line_of(f"{PLUGINS_TABLE}.{plugin.group}", plugin.name)
                yield Finding(PYPROJECT, line, 1, self.id, self.severity, message, text=f"{PLUGINS_TABLE}.{key}")


def _said(function: Function) -> Iterator[str]:
    yield from function.parameters
    yield from strings_in(function.node)
    if function.test is not None:
        yield from (marker.name for marker in function.test.markers)


def _imported(module: Module) -> Iterator[str]:
    for node in module.imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _places(plugin: Plugin) -> set[str]:
    """Return the names by which a plugin may be imported: its module, or the object from elsewhere in its package."""
    where, _, what = plugin.value.partition(":")
    return {where, f"{where}.{what}"}
