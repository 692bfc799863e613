"""The command `floe-testing audit`."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from floe_testing.audit.baseline import Baseline, read_baseline
from floe_testing.audit.baseline import write_baseline as write_entries
from floe_testing.audit.mending import mend_all
from floe_testing.audit.model import Audit, Severity
from floe_testing.audit.project import Project
from floe_testing.audit.reading import read_project
from floe_testing.audit.registry import all_rules
from floe_testing.audit.reports import RENDERERS
from floe_testing.audit.reports.machine import MOST_RESULTS, too_many
from floe_testing.audit.reports.terminal import explain, no_tests, not_collected, print_audit, summary
from floe_testing.audit.rule import Rule
from floe_testing.audit.run import UNREADABLE
from floe_testing.audit.run import audit as run_audit
from floe_testing.errors import FloeTestingError
from floe_testing.files import write_text
from floe_testing.settings import SettingsError, find_root, suggest
from floe_testing.suite.cache import default_folder

_FOUND: Final = 1


class NothingToAuditError(FloeTestingError):
    """No test was looked at, which is no reason to be content."""


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
@click.option(
    "--level",
    type=click.Choice([severity.value for severity in Severity]),
    help="Show findings that are at least this severe, and count the others; warning, or --fail-on where that is less.",
)
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), help="Findings listed here don't count.")
@click.option("--write-baseline", is_flag=True, help="List the present findings in the file of --baseline.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Findings of a rule to show; 0: all."
)
@click.option("--fix", "mend", is_flag=True, help="Mend what can safely be mended, and look at the rest.")
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
    level: str | None,
    baseline: Path | None,
    write_baseline: bool,
    limit: int,
    mend: bool,
    no_cache: bool,
    explained: str | None,
    listed: bool,
    root: Path | None,
) -> None:
    """Tell where the tests in PATHS, or in `tests`, can't fail, fail for no reason, or don't test what they should.

    Exit code 0: nothing was found. 1: something was, at least as severe as --fail-on says. 2: no test was
    looked at, or the configuration, the paths or the baseline can't be made sense of.
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
    known = () if baseline is None else _known(baseline, write=write_baseline)
    cache = None if no_cache else default_folder("audit")
    done = run_audit(paths or wanted, root, project, baseline=() if mend else known, cache_folder=cache)
    _refuse_nothing(done, paths or wanted)
    if mend:
        for line in mend_all(done.findings, root):
            click.echo(line)
        done = run_audit(paths or wanted, root, project, baseline=known, cache_folder=cache)
    if baseline is not None and write_baseline:
        every = (*done.findings, *done.known)
        write_entries(baseline, every, done.kept)
        kept = f", and {len(done.kept)} of files that were not looked at" if done.kept else ""
        click.echo(f"{len(every)} findings are in {baseline} now{kept}")
        return
    worst = None if fail_on == "never" else Severity(fail_on)
    _write(done.at_level(_level(level, worst)), project, form, output, console, limit)
    context.exit(_FOUND if worst is not None and done.count(worst) else 0)


def _level(given: str | None, worst: Severity | None) -> Severity:
    """Return how severe a finding must be to be shown: a warning, unless asked otherwise, or less makes it fail."""
    if given is not None:
        return Severity(given)
    return min(Severity.WARNING, worst or Severity.WARNING, key=lambda severity: severity.rank)


def _known(baseline: Path, *, write: bool) -> Baseline:
    """Return what a baseline lists; one that is to be written need not be there."""
    return () if write and not baseline.exists() else read_baseline(baseline)


def _refuse_nothing(done: Audit, paths: Sequence[Path]) -> None:
    """Refuse to call it good where no test was looked at.

    Raises:
        NothingToAuditError: Says why there was none.
    """
    unread = [each for each in done.findings if each.rule == UNREADABLE and each.severity is Severity.NOTE]
    if done.tests or len(done.findings) > len(unread) or done.known or done.suppressed:
        return
    reasons = [f"no test was looked at in {', '.join(map(str, paths))}"]
    if unread:
        reasons.append(no_tests(done.at_level(Severity.WARNING)))
    if done.excluded:
        reasons.append(f"[tool.floe-testing.audit] exclude leaves out {done.excluded} files")
    if done.uncollected:
        reasons.append(not_collected(done))
    elif not (done.excluded or unread):
        reasons.append(f"nothing there matches python_files: {' '.join(done.patterns)}")
    raise NothingToAuditError("; ".join(reasons))


def _write(  # noqa: PLR0913, PLR0917 - what to write, and all that tells how
    done: Audit, project: Project, form: str, output: Path | None, console: Console, limit: int
) -> None:
    if form == "terminal" and output is None:
        print_audit(done, console, limit)
        return
    if form == "sarif" and len(done.findings) > MOST_RESULTS:
        click.echo(f"warning: {too_many(done)}", err=True)
    if form == "terminal":
        text = StringIO()
        print_audit(done, Console(file=text), limit)
        rendered = text.getvalue()
    else:
        rendered = RENDERERS[form](done, project)
    if output is None:
        click.echo(rendered, nl=False)
        return
    write_text(output, rendered)
    click.echo(summary(done))
    if no_tests(done):
        click.echo(no_tests(done), err=True)
    if done.uncollected:
        click.echo(not_collected(done), err=True)


def _find_rule(name: str) -> Rule:
    for rule in all_rules():
        if name in {rule.id, rule.name}:
            return rule
    message = f"no rule is called {name!r}; {suggest(name, [rule.id for rule in all_rules()])}"
    raise SettingsError(message)


def _is_covered(path: Path, given: tuple[Path, ...]) -> bool:
    return any(path.resolve().is_relative_to(each.resolve()) for each in given)
