"""How a trace is shown: a table for a terminal, Markdown for a page, JSON for programs; HTML is in `matrix`."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import Final

from floe_testing.traceability.matrix import render_html
from floe_testing.traceability.models import Outcome, RequirementCoverage, State, Trace

_COLUMNS: Final = ("requirement", "title", "state", "tests")
_BORDERS: Final = 13
"""Of a table of four columns, with a space on both sides of each."""
_MOST_LISTED: Final = 20
_COLOURS: Final = {
    State.VERIFIED: "green",
    State.MARKED: "green",
    State.SKIPPED: "yellow",
    State.XFAILED: "yellow",
    State.NOT_RUN: "yellow",
    State.FAILED: "red",
    State.UNMARKED: "red",
}
_OUTCOMES: Final = tuple(Outcome)


def render_table(trace: Trace, width: int = 100) -> str:
    """Return tables for a terminal that is `width` characters wide, in its colours."""
    from rich.console import Console  # noqa: PLC0415 - the other outputs need none
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    console = Console(file=StringIO(), width=width, force_terminal=True, highlight=False)
    for report in trace.reports:
        rows = [(each.requirement_id, each.title, each.state, describe_tests(each)) for each in report.requirements]
        # The titles are what gives way on a narrow terminal.
        widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
        room = max(width - _BORDERS - sum(widths) + widths[1], len("title"))
        table = Table()
        for name in _COLUMNS:
            table.add_column(name, no_wrap=True, max_width=room if name == "title" else None)
        for requirement_id, title, state, tests in rows:
            table.add_row(escape(requirement_id), escape(title), f"[{_COLOURS[state]}]{state}[/]", tests)
        console.print(report.headline, style="bold", markup=False, soft_wrap=True)
        console.print(table)
    for line in notes(trace):
        console.print(line, markup=False, soft_wrap=True)
    return console.file.getvalue() if isinstance(console.file, StringIO) else ""


def render_json(trace: Trace) -> str:
    """Return the whole trace as JSON."""
    return trace.model_dump_json(indent=2)


def render_markdown(trace: Trace) -> str:
    """Return a page."""
    blocks = ["# Requirements and their tests"]
    for report in trace.reports:
        rows = [
            (each.requirement_id, each.title, f"**{each.state}**", describe_tests(each)) for each in report.requirements
        ]
        blocks += [f"## {report.headline}", _markdown_table(_COLUMNS, rows)]
    blocks += notes(trace)
    return "\n\n".join(blocks) + "\n"


RENDERERS: Final[dict[str, Callable[[Trace], str]]] = {
    "table": render_table,
    "json": render_json,
    "markdown": render_markdown,
    "html": render_html,
}


def describe_tests(requirement: RequirementCoverage) -> str:
    """Return how many tests a requirement has, and what became of them."""
    counts = Counter(test.outcome for test in requirement.tests)
    outcomes = [f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES if counts[outcome]]
    return ", ".join(outcomes) or str(len(requirement.tests) or "none")


def notes(trace: Trace) -> list[str]:
    """Return what else there is to say: what is superseded or unmet, tests without a marker, results of other code."""
    superseded = [each for report in trace.reports for each in report.superseded]
    unmet = [each for report in trace.reports for each in report.unmet]
    return [
        *_listed("not met, and said so", [f"{each.id} {each.title} ({each.unmet})" for each in unmet]),
        *_listed("superseded, and counted nowhere", [f"{each.id} ({each.superseded})" for each in superseded]),
        *_listed("without a requirement, and in a tier that asks for one", trace.unmarked_tests),
        *_listed(
            "in the documents, and stated by none",
            [f"{each.id} ({each.place})" for each in trace.unstated],
        ),
        *_listed("results that newer ones take the place of", trace.stale),
        *_listed("in the results, but not in the suite, or inherited from elsewhere", trace.unknown_results),
    ]


def _listed(what: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    more = [f"and {len(items) - _MOST_LISTED} more"] if len(items) > _MOST_LISTED else []
    return ["\n".join([f"{len(items)} {what}:", "", *(f"- {item}" for item in [*items[:_MOST_LISTED], *more])])]


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
