"""Coverage of shards: one report, made in the pod of one of them, which has the tests and their coverage.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci import contract, reporter
from floe_ci.driver import job
from floe_ci.driver.execute import Broken, output_of, run
from floe_ci.errors import RunError
from floe_ci.shards import too_little

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.driver.execute import Container

FOLDER: Final = f"{contract.RESULTS_DIR}/.combining"
REPORT: Final = f"{FOLDER}/coverage.xml"
TAKE: Final = 'mkdir -p "$1"; head --bytes="$3" > "$1/$2"'
SENDING: Final = 120.0
"""Seconds that one file may take."""
COMBINING: Final = 300.0
"""Seconds until there must be a report."""


def combine(
    there: Container, told: Path, data: Mapping[str, Path], report: Path, stop: threading.Event | None = None
) -> str:
    """Combine what shards measured into one report.

    Args:
        there: A container with the tests and their packages.
        told: What a shard said of how coverage is measured.
        data: What each measured, by a name of its own.
        report: Where the report goes.
        stop: Ends it when it is set.

    Returns:
        Why the whole is not enough, where it is held to a limit; or nothing.

    Raises:
        RunError: It could not be done.
        Stopped: It was told to stop.
    """
    files = {reporter.COVERAGE: told, **data}
    try:
        for name, path in files.items():
            content = path.read_bytes()
            run(
                there,
                ("/bin/sh", "-euc", TAKE, "sh", FOLDER, name, str(len(content))),
                content,
                timeout=SENDING,
                stop=stop,
            )
        script = f"{job.REPORTER_DIR}/{reporter.COMBINER}.py"
        # Nothing else can be written to in that container.
        where = ("env", f"TMPDIR={FOLDER}", f"COVERAGE_FILE={FOLDER}/.coverage")
        command = (
            *where,
            "python3",
            script,
            *(f"{FOLDER}/{name}" for name in (reporter.COVERAGE, "coverage.xml", *data)),
        )
        said = output_of(there, command, timeout=COMBINING, stop=stop)
        report.write_bytes(output_of(there, ("cat", REPORT), timeout=SENDING, stop=stop))
        return too_little(said.decode(errors="replace").strip().splitlines()[-1])
    except (Broken, OSError, ValueError, IndexError) as error:
        msg = f"the shards' coverage could not be combined: {error}"
        raise RunError(msg) from error
