"""Measure what the page of a run costs: time of the process and size of the file, for suites of two sizes.

    .venv/bin/python benchmarks/report.py [TURNS]

Each turn is a process of its own, so the template engine's import and the compiling of the template are in it.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

SIZES = (5_000, 20_000)
FAILS, GROUP = 50, 50
"""Each so-manieth test fails; so many tests have a class together."""


def turn(number: int) -> tuple[float, float, int]:
    """Return the CPU seconds, the seconds and the bytes of one page."""
    from floe_ci import report  # noqa: PLC0415 - what it imports by itself is measured
    from floe_ci.folder import RunFolder  # noqa: PLC0415 - as above
    from floe_ci.junit import Case, Result, Suite  # noqa: PLC0415 - as above
    from floe_ci.listeners import Step  # noqa: PLC0415 - as above
    from floe_ci.steps import Measured  # noqa: PLC0415 - as above
    from floe_ci.summary import Page  # noqa: PLC0415 - as above
    from floe_ci.verdict import Judgement, Verdict  # noqa: PLC0415 - as above

    failed = (Result("failed", "assert 1 == 2", "E   assert 1 == 2\n" * 500),)
    cases = [
        Case(
            f"tests.integration.test_orders_{index // GROUP}.TestOrders",
            f"test_total_of_an_order_with_a_discount[{index}-customer]",
            index / number,
            failed if index % FAILS == 0 else (),
            outputs=(("system-out", "a line of a log\n" * 500),) if index % FAILS == 0 else (),
        )
        for index in range(number)
    ]
    steps = (Step("services", 0, 10), Step("tests", 10, number))
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder.take(Path(name), run_id="abc", tier="unit", place="local")
        folder.redactor.add(["hunter22-long"])
        page = Page(Verdict.FAILED, "unit", [Suite("unit", cases)], steps, run_id="abc", folder=folder.path)
        measured = Measured("abc", "unit", datetime.now(UTC), number + 20.0, 11.0, steps)
        cpu, began = time.process_time(), time.perf_counter()
        report.write(folder, page, measured, Judgement(Verdict.FAILED, 1))
        took = time.process_time() - cpu, time.perf_counter() - began
        size = (folder.path / report.FILE).stat().st_size
        folder.release()
    return *took, size


def main(turns: int) -> None:
    """Print the least of some turns: other work on the machine only ever adds."""
    for number in SIZES:
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            measured = [pool.apply(turn, (number,)) for _ in range(turns)]
        cpu, seconds, size = map(min, zip(*measured, strict=True))
        print(f"{number:6} tests: {cpu:.2f} s of CPU, {seconds:.2f} s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
