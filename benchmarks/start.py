"""Measure what the plugin costs a session that doesn't use it, and each of 2,000 trivial tests.

All take turns, and the least of each counts: other work on the machine only ever adds.

    .venv/bin/python benchmarks/start.py [TURNS]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = 2_000
SUITE = """
import pytest

@pytest.mark.parametrize("number", range({}))
def test_trivial(number):
    assert number >= 0
"""
OTHERS = [
    part
    for name in ("anyio", "asyncio", "cov", "rerunfailures", "time_machine", "timeout", "xdist")
    for part in ("-p", f"no:{name}")
]


def cpu(folder: Path, *arguments: str, results: bool = False) -> float:
    """Return the CPU seconds that a session takes."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTEST_", "PYTHON"))
    }
    # Compiled modules are kept, as they are wherever pytest is run twice.
    environment["PYTHONPYCACHEPREFIX"] = str(folder.parent / "compiled")
    if results:
        environment["FLOE_RESULTS_DIR"] = str(folder / "results")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *OTHERS, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env=environment,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(turns: int) -> None:
    """Print the least of some turns."""
    with tempfile.TemporaryDirectory() as name:
        folders = {number: Path(name) / str(number) for number in (1, TESTS)}
        for number, folder in folders.items():
            folder.mkdir()
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            (folder / "test_trivial.py").write_text(SUITE.format(number), encoding="utf-8")
        variants: dict[str, Callable[[Path], float]] = {
            "without the plugin": lambda folder: cpu(folder, "-p", "no:floe"),
            "with it": cpu,
            "with --junitxml, without it": lambda folder: cpu(folder, "-p", "no:floe", "--junitxml=junit.xml"),
            "with results": lambda folder: cpu(folder, results=True),
        }
        cases = [(variant, number) for variant in variants for number in folders]
        turns_of = [
            {(variant, number): variants[variant](folders[number]) for variant, number in cases} for _ in range(turns)
        ]
        least = {case: min(turn[case] for turn in turns_of) for case in cases}
    for variant in variants:
        one, many = least[variant, 1], least[variant, TESTS]
        added = one - least["without the plugin", 1]
        each = (many - one - least["without the plugin", TESTS] + least["without the plugin", 1]) / (TESTS - 1)
        print(f"{variant:30} {one:6.3f} s ({added:+.3f})  per test {each * 1e6:+6.0f} µs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
