"""Measure what it costs to write `junit.xml` test by test: 10,000 trivial tests, with pytest's own file and with ours.

All take turns, and the least of each counts: other work on the machine only ever adds.

    .venv/bin/python benchmarks/streaming_junit.py [TURNS]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = 10_000
SUITE = f"""
import pytest

@pytest.mark.parametrize("number", range({TESTS}))
def test_trivial(number):
    assert number >= 0
"""
OWN = """
import floe_testing.results.plugin

floe_testing.results.plugin._replace_log = lambda *_: None
"""
"""Leaves pytest's own log where it is, so that what differs is the log and nothing else."""
VARIANTS = {
    "pytest's own file": ["-p", "own", "--junitxml=junit.xml"],
    "the streaming file": ["--junitxml=junit.xml"],
    "the streaming file, and measuring": ["--junitxml=junit.xml"],
    "neither, with the plugin": [],
    "neither, without the plugin": ["-p", "no:floe"],
}


def session(folder: Path, variant: str) -> tuple[float, float]:
    """Return the CPU seconds and the seconds that a session takes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *VARIANTS[variant]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTEST_"))}
    if "measuring" in variant:
        environment["FLOE_RESULTS_DIR"] = str(folder)
    cpu, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment | {"PYTHONPATH": str(folder)})
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime, seconds


def main(turns: int) -> None:
    """Print the least of some turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "own.py").write_text(OWN, encoding="utf-8")
        (folder / "test_trivial.py").write_text(SUITE, encoding="utf-8")
        measured = [{variant: session(folder, variant) for variant in VARIANTS} for _ in range(turns)]
    for variant in VARIANTS:
        cpu, seconds = (min(turn[variant][which] for turn in measured) for which in (0, 1))
        print(f"{variant:34} {cpu:6.2f} s of CPU, {seconds:6.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
