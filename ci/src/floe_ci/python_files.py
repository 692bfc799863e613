"""Modules of Python that somebody wrote: what is in them is looked at, and nothing of it runs."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from floe_ci.files import content_of

if TYPE_CHECKING:
    from pathlib import Path


def tree_of(path: Path) -> ast.Module | None:
    """Return what a module is made of; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            # What Python thinks of its strings is nothing that anybody asked for here.
            warnings.simplefilter("ignore")
            return ast.parse(content_of(path) or b"")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
