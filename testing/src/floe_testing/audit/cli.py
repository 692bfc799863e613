"""The command `floe-testing audit`."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from floe_testing.audit.baseline import read_baseline, write_baseline
from floe_testing.audit.model import Audit, Severity
from floe_testing.audit.project import Project, read_project
from floe_testing.audit.reports import RENDERERS
from floe_testing.audit.reports.terminal import explain, print_audit, summary
from floe_testing.audit.rule import Rule, all_rules
from floe_testing.audit.run import audit as run_audit
from floe_testing.cache import default_folder
from floe_testing.settings import SettingsError, find_root, suggest

_FOUND: Final = 1


@click.command("audit")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["terminal", *RENDERERS]), default="terminal", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option(
    "--fail-on",
    type=click.Choice([*(severity.value for severity in Severity), "never"]),
    default=Severity.WARNING.value,
    show_default=True,
    help="Exit with 1 where a finding is at least this severe.",
)
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), help="Findings listed here don't count.")
@click.option("--write-baseline", is_flag=True, help="List the present findings in the file of --baseline.")
@click.option("--no-cache", is_flag=True, help="Read every file anew.")
@click.option("--explain", "explained", metavar="RULE", help="Say what a rule is about, and look at nothing.")
@click.option("--rules", "listed", is_flag=True, help="List the rules, and look at nothing.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The repository; the nearest folder upwards with a pyproject.toml unless given.",
)
@click.pass_context
def audit(  # noqa: PLR0913 - a function's arguments are its command's options
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    fail_on: str,
    baseline: Path | None,
    write_baseline: bool,
    no_cache: bool,
    explained: str | None,
    listed: bool,
    root: Path | None,
) -> None:
    """Tell where the tests in PATHS, or in `tests`, can't fail, fail for no reason, or don't test what they should.

    Exit code 0: nothing was found. 1: something was, at least as severe as --fail-on says. 2: the configuration, the
    paths or the baseline can't be made sense of.
    """
    console = Console()
    if explained is not None:
        explain(_find_rule(explained), console)
        return
    if listed:
        for rule in all_rules():
            console.print(f"{rule.id} {rule.severity.value:7} {rule.name}", highlight=False, markup=False)
        return
    if write_baseline and baseline is None:
        message = "--write-baseline needs --baseline, the file to write"
        raise click.UsageError(message)

    root = (root or find_root()).resolve()
    project = read_project(root)
    wanted = [root / path for path in project.config.paths]
    project = replace(project, whole=all(_is_covered(path, paths) for path in wanted) if paths else True)
    known = frozenset[str]() if baseline is None or write_baseline else read_baseline(baseline)
    done = run_audit(
        paths or wanted, root, project, baseline=known, cache_folder=None if no_cache else default_folder("audit")
    )
    if baseline is not None and write_baseline:
        _write_baseline(baseline, done)
        return
    _write(done, project, form, output, console)
    worst = None if fail_on == "never" else Severity(fail_on)
    context.exit(_FOUND if worst is not None and done.count(worst) else 0)


def _write_baseline(file: Path, done: Audit) -> None:
    write_baseline(file, done.findings)
    click.echo(f"{len(done.findings)} findings are in {file} now")


def _write(done: Audit, project: Project, form: str, output: Path | None, console: Console) -> None:
    if form == "terminal" and output is None:
        print_audit(done, console)
        return
    if output is None:
        click.echo(RENDERERS[form](done, project), nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", encoding="utf-8") as file:
        if form == "terminal":
            print_audit(done, Console(file=file))
        else:
            file.write(RENDERERS[form](done, project))
    click.echo(summary(done))


def _find_rule(name: str) -> Rule:
    for rule in all_rules():
        if name in {rule.id, rule.name}:
            return rule
    message = f"no rule is called {name!r}; {suggest(name, [rule.id for rule in all_rules()])}"
    raise SettingsError(message)


def _is_covered(path: Path, given: tuple[Path, ...]) -> bool:
    return any(path.resolve().is_relative_to(each.resolve()) for each in given)
