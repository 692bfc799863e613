"""Names for what a test makes."""

import re
import uuid

MAX_LENGTH = 63
"""What Kubernetes, S3 buckets and PostgreSQL all allow."""

_UNIQUE_LENGTH = 12
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")


def new_run_id() -> str:
    """Return an id for a run that nobody named."""
    return uuid.uuid4().hex[:8]


def unique_name(prefix: str, run_id: str) -> str:
    """Return a name that no other test has: the prefix, the run it belongs to, and 48 random bits.

    It is a DNS label (RFC 1123) and a bucket name. The prefix is cut where the whole would be too long.

    Args:
        prefix: What the name is for. Characters that a label can't have become dashes.
        run_id: The run's id, of which eight characters are kept.
    """
    ending = f"{_label(run_id)[:8].strip('-') or 'run'}-{uuid.uuid4().hex[:_UNIQUE_LENGTH]}"
    room = MAX_LENGTH - len(ending) - 1
    return f"{_label(prefix)[:room].strip('-') or 'test'}-{ending}"


def _label(text: str) -> str:
    return _NOT_ALLOWED.sub("-", text.lower()).strip("-")
