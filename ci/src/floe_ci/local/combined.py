"""Coverage of a run whose tests several processes ran: one report, as one process would have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci import reporter
from floe_ci.local.processes import ended_after, spawn
from floe_ci.shards import too_little

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SCRIPT: Final = reporter.FOLDER / f"{reporter.COMBINER}.py"


async def combine(  # noqa: PLR0913, PLR0917 - where each of them is
    python: Path, environment: Mapping[str, str], source: Path, shards: Sequence[Path], data: Sequence[Path], into: Path
) -> str:
    """Combine what shards measured into one `coverage.xml`.

    Args:
        python: The interpreter of the tests.
        environment: Of the tests.
        source: The folder that they ran in.
        shards: What each shard left for the results; one that died may have left nothing.
        data: The data file of each.
        into: Where the report and the combined data go.

    Returns:
        Why the whole is not enough, where it is held to a limit; or nothing.

    Raises:
        OSError: coverage.py could not do it; its own words are the message.
    """
    told = next((path / reporter.COVERAGE for path in shards if (path / reporter.COVERAGE).is_file()), None)
    there = [str(path) for path in data if path.is_file()]
    if told is None or not there:
        return ""
    log = into / "combine.log"
    command = (str(python), str(SCRIPT), str(told), str(into / "coverage.xml"), *there)
    with log.open("wb") as output:
        child = await spawn(command, {**environment, "COVERAGE_FILE": str(into / ".coverage")}, source, output.fileno())
        async with ended_after(child):
            code = await child.wait()
    *_, last = log.read_text(errors="replace").strip().splitlines() or [""]
    if code:
        msg = f"the shards' coverage could not be combined: {last}"
        raise OSError(msg)
    return too_little(last)
