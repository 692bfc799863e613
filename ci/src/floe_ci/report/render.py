"""Fills in the page."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

    from floe_ci.report.content import Content

_TEMPLATES: Final = Path(__file__).parent / "templates"
_MINUTE: Final = 60
_KIB: Final = 1024


@cache
def templates() -> tuple[Template, Mapping[str, str]]:
    """Return the page's template, compiled, and by what a browser knows its style and its script."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seconds": seconds, "bytes": size, "counted": counted}
    hashes = {name: _hash(environment.get_template(f"report.{name}").render()) for name in ("css", "js")}
    return environment.get_template("report.html"), hashes


def page(content: Content) -> str:
    """Return the page."""
    template, hashes = templates()
    return template.render(page=content, hashes=hashes)


def seconds(number: float) -> str:
    """Return a duration as it is read best."""
    if number < _MINUTE:
        return f"{number:.2f} s"
    minutes, rest = divmod(round(number), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(number: float) -> str:
    """Return a number of bytes as it is read best."""
    for unit in ("B", "KiB", "MiB"):
        if number < _KIB:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _KIB
    return f"{number:.1f} GiB"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 test`, `1,200 tests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _hash(text: str) -> str:
    """Return by what a browser knows that a style or a script is the page's own."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
