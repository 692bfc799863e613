"""`report.html`: a run as a page that opens in any browser, in one file that needs nothing else.

The page is filled in by a template engine that escapes whatever is put in. A bar is a rectangle in a row of a table, so
the charts are SVG in the template: a library of charts would bring a megabyte of script for them, and they have to be
read without any script, by a screen reader, and in the reader's own colours. What the script adds is a field to look
for tests by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci.folder import HISTORY

if TYPE_CHECKING:
    from floe_ci.folder import RunFolder
    from floe_ci.steps import Measured
    from floe_ci.summary import Page
    from floe_ci.verdict import Judgement

FILE: Final = "report.html"


def write(folder: RunFolder, page: Page, measured: Measured, judged: Judgement) -> None:
    """Add a run to `history.jsonl`, and write `report.html`.

    Args:
        folder: The run's.
        page: What the summary tells of it.
        measured: Its steps and times.
        judged: The verdict.

    Raises:
        OSError: One of them can't be written.
    """
    from floe_ci.report import history, render  # noqa: PLC0415 - see `load`
    from floe_ci.report.content import Content  # noqa: PLC0415 - as above

    runs = [*history.read(folder.path), history.Entry.of(measured, judged, page.tests)]
    folder.write(HISTORY, history.text(runs))
    content = Content.of(page, measured, judged, runs[-history.MOST :], folder.redactor.text)
    folder.write(FILE, render.page(content))


def load() -> None:
    """Load what writes the page: its template engine takes a while, and only the end of a run needs it."""
    from floe_ci.report import content, history, render  # noqa: F401, PLC0415 - they are wanted later

    render.templates()
