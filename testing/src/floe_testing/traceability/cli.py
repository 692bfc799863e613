"""The command `floe-testing trace`."""

import shutil
from pathlib import Path
from typing import Final

import click

from floe_testing.files import write_text
from floe_testing.settings import find_root, read_settings, validate
from floe_testing.suite.cache import default_folder
from floe_testing.traceability.checker import Request, trace
from floe_testing.traceability.config import TABLE, TraceabilityConfig
from floe_testing.traceability.models import Trace
from floe_testing.traceability.outputs import RENDERERS, render_table

_FAILED: Final = 1


@click.command("trace")
@click.argument("paths", nargs=-1)
@click.option(
    "--all", "all_specs", is_flag=True, help="Report on every specification; so it is unless --spec is given."
)
@click.option("--spec", "spec_ids", multiple=True, help="Report on this specification only; repeatable.")
@click.option("--threshold", type=click.FloatRange(0, 100), help="The least coverage of each specification, per cent.")
@click.option(
    "--results",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="A folder with a junit.xml in it, how deep ever; then tests must have run and passed. Repeatable.",
)
@click.option("--require-markers", "tiers", multiple=True, help="Every test of this tier must name a requirement.")
@click.option("--format", "form", type=click.Choice(list(RENDERERS)), default="table", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--specs", "documents", multiple=True, help="A document or a glob, in place of the configured ones.")
@click.option("--pattern", "patterns", multiple=True, help="What an id looks like, in place of what is configured.")
@click.option("--no-cache", is_flag=True, help="Read every file anew.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The repository; the nearest folder upwards with a pyproject.toml unless given.",
)
@click.pass_context
def command(  # noqa: PLR0913 - a function's arguments are its command's options
    context: click.Context,
    *,
    paths: tuple[str, ...],
    all_specs: bool,
    spec_ids: tuple[str, ...],
    threshold: float | None,
    results: tuple[Path, ...],
    tiers: tuple[str, ...],
    form: str,
    output: Path | None,
    documents: tuple[str, ...],
    patterns: tuple[str, ...],
    no_cache: bool,
    root: Path | None,
) -> None:
    """Tell which requirements the tests in PATHS show to be met.

    Exit code 0: enough are, and every test that needs a marker has one. 1: they are not. 2: the documents, the markers
    or the results can't be made sense of.
    """
    if all_specs and spec_ids:
        message = "--all and --spec exclude each other"
        raise click.UsageError(message)
    root = (root or find_root()).resolve()
    config = read_settings(TraceabilityConfig, TABLE, root)
    options = {
        "paths": paths,
        "specs": documents,
        "patterns": patterns,
        "require-markers": tiers,
        "threshold": threshold,
    }
    given = {name: value for name, value in options.items() if value not in {None, ()}}
    config = config.model_copy(
        update=validate(TraceabilityConfig, given, "the command line").model_dump(exclude_unset=True)
    )
    traced = trace(config, root, Request(spec_ids, results, None if no_cache else default_folder("suite")))

    text = render_table(traced, shutil.get_terminal_size().columns) if form == "table" else RENDERERS[form](traced)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, click.unstyle(text))
    if output is not None or form != "table":
        for line in traced.stale:
            click.echo(f"note: {line}", err=True)
    problems = shortfalls(traced, config.threshold)
    for problem in problems:
        click.echo(problem, err=True)
    context.exit(_FAILED if problems else 0)


def shortfalls(traced: Trace, threshold: float) -> list[str]:
    """Return why a trace is not good enough, nothing if it is."""
    problems = [
        f"{report.spec_id}: {report.coverage_percentage:g} % is less than {threshold:g} %: "
        + ", ".join(f"{each.requirement_id} ({each.state})" for each in report.missing)
        for report in traced.below(threshold)
    ]
    if traced.unmarked_tests:
        problems.append(f"{len(traced.unmarked_tests)} tests name no requirement")
    return problems
