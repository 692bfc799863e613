"""Names for what a test makes: each tells the run that it belongs to, and when it was made."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Self

from floe_testing.contract import ENV_RUN_ID
from floe_testing.unpatched import clock

MAX_LENGTH = 63
"""What Kubernetes, S3 buckets and PostgreSQL all allow."""

_RANDOM_BYTES = 7
"""Per second: of a million names in one second two are the same once in 140,000 tries."""
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
_TAG = re.compile(r"[a-z0-9]{1,12}")
_MADE = re.compile(rf"[a-z0-9][a-z0-9-]*-(?P<tag>{_TAG.pattern})-(?P<seconds>[0-9a-f]{{8}})[0-9a-f]{{14}}")


@dataclass(frozen=True)
class Made:
    """What a name tells of the thing that has it."""

    tag: str
    """The run that made it, as `run_tag` writes it."""
    at: datetime
    """When, in UTC and to the second."""

    @classmethod
    def read(cls, name: str) -> Self | None:
        """Return what a name tells, or `None`: `unique_name` didn't make it."""
        found = _MADE.fullmatch(name)
        return cls(found["tag"], datetime.fromtimestamp(int(found["seconds"], 16), UTC)) if found else None


def new_run_id() -> str:
    """Return an id for a run that nobody named: eight hexadecimal digits."""
    return os.urandom(4).hex()


@cache
def _own_run_id() -> str:
    return new_run_id()


def current_run_id(environ: Mapping[str, str] | None = None) -> str:
    """Return the id of the run: that of the environment, or else one that this process keeps."""
    environ = os.environ if environ is None else environ
    return environ.get(ENV_RUN_ID) or _own_run_id()


@lru_cache
def run_tag(run_id: str) -> str:
    """Return a run's id as it stands in names and labels: up to twelve lower-case letters and digits.

    An id that is longer or has other characters is hashed: no two runs may take each other's things for their own.
    """
    return run_id if _TAG.fullmatch(run_id) else hashlib.sha256(run_id.encode(errors="surrogatepass")).hexdigest()[:12]


def unique_name(prefix: str, run_id: str) -> str:
    """Return a name that nothing else has: the prefix, the run, the time and 56 random bits.

    It is a DNS label (RFC 1123) of at most 63 characters, a bucket's name and a PostgreSQL identifier.

    Args:
        prefix: What the name is for. Characters that a label can't have become dashes; what is longer
            than 27 characters is cut.
        run_id: The run's id.
    """
    return f"{_start(prefix, run_tag(run_id))}{int(clock.time()):08x}{os.urandom(_RANDOM_BYTES).hex()}"


def generate_unique_namespace(prefix: str = "test", run_id: str | None = None) -> str:
    """Return the name of a namespace that nothing else has, nor will: a DNS label (RFC 1123) of at most 63 characters.

    It starts with the prefix, and tells the run and the time; see `unique_name`.

    Args:
        prefix: What the namespace is for.
        run_id: The run that it belongs to; the current one unless given.
    """
    return unique_name(prefix, run_id or current_run_id())


@lru_cache
def _start(prefix: str, tag: str) -> str:
    room = MAX_LENGTH - len(f"-{tag}-") - 8 - 2 * _RANDOM_BYTES
    label = _NOT_ALLOWED.sub("-", prefix.lower()).strip("-")[:room]
    return f"{label or 'test'}-{tag}-"
