"""What tells of the tests as they begin and end: a plugin of one file, which is put beside them wherever they run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPORTER: Final = "floe_ci_reporter"
"""The plugin's name, for pytest's `-p`."""
SHARD: Final = "floe_ci_shard"
"""The plugin that keeps a part of the tests."""
COMBINER: Final = "floe_ci_coverage"
"""The script that makes one report of what the shards' processes measured."""
ENV_SHARD: Final = "FLOE_CI_SHARD"
"""Names the file that says which part."""
PART: Final = "tests.json"
"""What that plugin leaves: the ids of the tests of its part, in the order that they run in, and a digest of all ids."""
COVERAGE: Final = "coverage.json"
"""What it leaves: how coverage is measured, for `floe_ci_coverage.py`."""
ENV_EVENTS: Final = "FLOE_CI_EVENTS"
"""Names the file that it tells of the tests in."""
FOLDER: Final = Path(__file__).parent
"""Has to be on the tests' PYTHONPATH, or the plugin in another folder that is."""


def address(test: str) -> tuple[str, str]:
    """Return a test's class and name, as pytest's JUnit has them, by its id."""
    path, bracket, parameters = test.partition("[")
    first, *others = path.split("::")
    names = [first.replace("/", ".").removesuffix(".py"), *others]
    names[-1] += bracket + parameters
    return ".".join(names[:-1]), names[-1]


def source(name: str = REPORTER) -> str:
    """Return a file's text: as a rule that of the plugin which tells of tests."""
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")
