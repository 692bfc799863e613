"""What the engine's errors mean to the person who reads them."""

from __future__ import annotations

import re

import dagger

from floe_ci.errors import UserError


def explain(error: dagger.QueryError) -> str:
    """Return what went wrong, in a few lines.

    Raises:
        UserError: It is something that the caller can mend; the message says how.
    """
    text = re.sub(r" \[traceparent:[^\]]*\]", "", str(error))
    if isinstance(error, dagger.ExecError):
        said = (error.stderr or error.stdout).strip()
        return f"`{' '.join(error.command)}` failed with exit code {error.exit_code}:\n{said[-2000:]}"
    return text
