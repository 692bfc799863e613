"""Measure what it costs to write `junit.xml` test by test: 10,000 trivial tests, with pytest's own file and with ours.

Both take turns, and the least of each counts: other work on the machine only ever adds.
"""

from __future__ import annotations

import os
import resource
import subprocess  # the sessions that are measured
import sys
import tempfile
import time
from pathlib import Path

TESTS = 10_000
TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
SUITE = f"""
import pytest

@pytest.mark.parametrize("number", range({TESTS}))
def test_trivial(number):
    assert number >= 0
"""
VARIANTS = {
    "no file, without the plugin": ["-p", "no:floe"],
    "pytest's file, without the plugin": ["-p", "no:floe", "--junitxml=junit.xml"],
    "no file, with the plugin": [],
    "the streaming file": ["--junitxml=junit.xml"],
}


def session(folder: Path, arguments: list[str]) -> tuple[float, float]:
    """Return the CPU seconds and the seconds that a session takes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTEST_"))}
    cpu, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)  # noqa: S603 - as above
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime, seconds


def main() -> None:
    """Print the least of some turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "test_trivial.py").write_text(SUITE, encoding="utf-8")
        turns = [{variant: session(folder, arguments) for variant, arguments in VARIANTS.items()} for _ in range(TURNS)]
    for variant in VARIANTS:
        cpu, seconds = (min(turn[variant][which] for turn in turns) for which in (0, 1))
        print(f"{variant:34} {cpu:6.2f} s of CPU, {seconds:6.2f} s")


if __name__ == "__main__":
    main()
