"""An audit, written for different readers."""

from collections.abc import Callable, Mapping
from typing import Final

from floe_testing.audit.model import Audit
from floe_testing.audit.project import Project
from floe_testing.audit.reports.machine import render_json, render_sarif
from floe_testing.audit.reports.markdown import render_markdown

RENDERERS: Final[Mapping[str, Callable[[Audit, Project], str]]] = {
    "json": render_json,
    "sarif": render_sarif,
    "markdown": render_markdown,
}
"""The forms that are written as text; the terminal's is `floe_testing.audit.reports.terminal`."""
