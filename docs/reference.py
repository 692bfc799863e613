"""The pages of the reference, made from the code: what it doesn't have, they can't tell."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

import click
import floe_ci.cli
from _pytest.fixtures import FixtureFunctionDefinition  # no public name leads to it
from floe_ci import catalog, summary, verdict
from floe_ci.config import RUN_VARIABLES, Chart, Config, RunnerConfig, TierConfig, Timeouts
from floe_ci.growth import PerShard
from floe_ci.local import variables
from floe_ci.request import TAKEN
from floe_ci.schema import descriptions, one_line

import floe_testing.cli
import floe_testing.conditions
from floe_testing.plugin import MARKERS, PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

MADE: Final = "This page is made from the code.\n"
TYPES: Final = {str: "text", int: "number", float: "number", bool: "true or false"}
SCOPES: Final = {"function": "a test"}
OWN_FILES: Final = {
    "summary.md": "the readable page: verdict, first cause, failures, slowest tests, steps",
    "exit-code": "the run's exit code; it is there when the run has ended",
    "run.json": "which run it is, and whether it still goes on",
}
"""The files that a summary doesn't name, for it says the same."""


def pages() -> dict[str, str]:
    """Return each page of the reference, by its file."""
    return {
        "commands.md": commands(),
        "configuration.md": configuration(),
        "environment.md": environment(),
        "fixtures.md": fixtures(),
        "results.md": results(),
        "services.md": services(),
    }


def commands() -> str:
    """Return the page of both command lines: every command, argument and option."""
    parts = ["# Commands", MADE]
    for name, group in (("floe-ci", floe_ci.cli.main), ("floe-testing", floe_testing.cli.group)):
        for path, command in _commands(group, name):
            context = click.Context(command, info_name=path)
            usage = " ".join(command.collect_usage_pieces(context))
            parts += [f"## {path}", _paragraphs(command.help), f"```text\n{path} {usage}\n```", _options(command)]
    places = [(f"`{each.option}`", f"`{each.where}`") for each in TAKEN.values() if each.option]
    parts += ["## Options that are for some places only", _table(("option", "for"), places)]
    parts.append("Where the place is named, one of another is refused; where it is not, it is left aside and told.")
    return _page(parts)


def configuration() -> str:
    """Return the page of `[tool.floe-ci]`: every key, with its type and default."""
    parts = ["# Configuration", MADE]
    parts.append(
        "The tables stand in `pyproject.toml`, or in `floe-ci.toml` where there is none. Each key may be left out."
    )
    for title, model in (
        ("[tool.floe-ci]", Config),
        ("[tool.floe-ci.runner]", RunnerConfig),
        ("[tool.floe-ci.tiers.TIER]", TierConfig),
        ("A table of charts", Chart),
        ("[tool.floe-ci.timeouts]", Timeouts),
    ):
        parts += [f"## {title}", _keys(model)]
    parts.append("TIER is `unit`, `integration` or `e2e`.")
    return _page(parts)


def environment() -> str:
    """Return the page of the variables that tests have."""
    parts = ["# The environment of the tests", MADE, "## Of the run"]
    parts.append(f"In every place: {_names(RUN_VARIABLES)}.")
    parts.append("Beside them are the variables of the tier's [services](services.md), and those of its `environment`.")
    parts.append("## Of your shell")
    parts.append("On this machine, these and no others; a name that ends with `*` stands for all that begin so:")
    parts.append(_names(variables.PASSED))
    parts.append(f"Also {_names(variables.PROXIES)} in lower and upper case, unless the proxy is on this machine.")
    parts.append("What else tests need is named in the tier's `pass-environment`.")
    parts.append("In a container or a pod, nothing of your shell is there.")
    return _page(parts)


def fixtures() -> str:
    """Return the page of what floe-testing gives to tests: fixtures, markers, conditions."""
    rows = [row for name in PLUGINS for row in _fixtures(import_module(name))]
    conditions = [
        (f"`{name}`", _given(one_line(getattr(floe_testing.conditions, name).__doc__)))
        for name in floe_testing.conditions.__all__
    ]
    markers = [(f"`{name}`", about) for name, _, about in (each.partition(": ") for each in _markers())]
    return _page(
        [
            "# Fixtures, markers and conditions",
            MADE,
            "## Fixtures",
            "How to use them, and how to have them for a service of your own: [the guide](../guides/fixtures.md).",
            _table(("fixture", "lives for", "what"), sorted(rows)),
            "## Markers",
            _table(("marker", "what"), markers),
            "## Conditions",
            "For `wait_for_condition`: [waiting](../guides/polling.md). They combine with `&`, `|` and `~`.",
            _table(("condition", "what"), conditions),
        ]
    )


def results() -> str:
    """Return the page of what a run leaves: its files, and the exit code that says its verdict."""
    files = {**OWN_FILES, **summary.FILES}
    codes = [(", ".join(map(str, each.codes)), str(each.verdict), each.text) for each in verdict.EXIT_CODES]
    return _page(
        [
            "# Results and exit codes",
            MADE,
            "## Files",
            "In `results/<tier>`, or where `--results` says, whatever the verdict:",
            _table(("file", "what"), [(f"`{name}`", about) for name, about in files.items()]),
            "Whatever else is there was written by the tests, into the folder that `FLOE_RESULTS_DIR` names.",
            "## Exit codes",
            "The same in every place.",
            _table(("code", "verdict", "what it means"), codes),
        ]
    )


def services() -> str:
    """Return the page of the services, from the `service.toml` of each."""
    known = catalog.Catalog.of_package()
    parts = ["# Services", MADE]
    for name, service in sorted(known.services.items()):
        about = service.description
        here = "yes" if about.local else "no"
        facts = [
            ("in a cluster", about.about),
            ("on this machine", f"{here}; `floe-ci doctor` says what it is there"),
            ("needs", _names(about.needs)),
            ("variables", _names(known.variables(name))),
            ("packages that speak to it", _names(about.clients)),
        ]
        parts += [f"## {name}", _table(("", ""), facts)]
    parts += ["## service.toml", "[A service of your own](../guides/services.md) says this of itself."]
    for title, model in (
        ("The file", catalog.Description),
        ("[local]", catalog.Local),
        ("[local.ready]", catalog.Ready),
        ("[per-shard.WORKLOAD]", PerShard),
    ):
        parts += [f"### {title}", _keys(model)]
    return _page(parts)


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{path} {name}", command
            yield from _commands(command, f"{path} {name}")
        elif command:
            yield f"{path} {name}", command


def _options(command: click.Command) -> str:
    context = click.Context(command, help_option_names=["-h", "--help"])
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    return _table(("option", "what"), [(f"`{names}`", about) for names, about in records if about])


def _keys(model: type[BaseModel]) -> str:
    about = descriptions(model)
    rows = [
        (f"`{field.alias or name}`", _type(field.annotation), _default(field), about.get(name, ""))
        for name, field in model.model_fields.items()
        if not _is_table(field)
    ]
    return _table(("key", "type", "default", "what"), rows)


def _is_table(field: FieldInfo) -> bool:
    """Return whether a field is a table that has rows of its own."""
    models = (RunnerConfig, Timeouts, TierConfig, catalog.Local, catalog.Ready, PerShard)
    return any(model.__name__ in str(field.annotation) for model in models)


def _type(annotation: Any) -> str:  # noqa: ANN401 - whatever a field is annotated with
    origin, inner = get_origin(annotation), [each for each in get_args(annotation) if each is not type(None)]
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin in {tuple, dict}:
        return f"list of {_type(inner[0])}s" if origin is tuple else f"table of {_type(inner[1])}s"
    if annotation is Chart:
        return "table"
    if annotation in TYPES:
        return TYPES[annotation]
    return _type(inner[0]) if len(inner) == 1 else "table of texts"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    return f"`{value}`" if isinstance(value, str | int) else _names(value or ())


def _fixtures(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    for name, fixture in vars(module).items():
        if isinstance(fixture, FixtureFunctionDefinition) and not name.startswith("_"):
            scope = str(fixture._fixture_function_marker.scope)  # noqa: SLF001 - pytest has no other way to ask
            about = _given(one_line(inspect.getdoc(fixture)))
            yield f"`{name}`", SCOPES.get(scope, f"the {scope}"), about


def _markers() -> Iterable[str]:
    return (*MARKERS, import_module("floe_testing.fixtures.services").MARKER)


def _paragraphs(text: str | None) -> str:
    """Return a command's help; a paragraph that click is told to leave as it is stays so."""
    parts = inspect.cleandoc(text or "").partition("\f")[0].split("\n\n")
    return "\n\n".join(f"```text\n{part[1:].strip()}\n```" if part.startswith("\b") else part for part in parts)


def _given(text: str) -> str:
    """Return a docstring without the verb that says how a thing is given."""
    return text.removeprefix("Return ").removeprefix("Yield ")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in names) or "none"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
