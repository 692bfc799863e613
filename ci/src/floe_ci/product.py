"""Which state of this program this is."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def product() -> str:
    """Return a digest that tells one state of this program from another: of its files' times and sizes."""
    package = Path(__file__).parent
    found = sorted(path for path in package.rglob("*.*") if path.suffix in {".py", ".sh"})
    told = [f"{path.relative_to(package)} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in found]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()
