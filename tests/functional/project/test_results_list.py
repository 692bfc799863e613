"""The list of files in the README, the one in a run's summary, and what a run really leaves are the same."""

from __future__ import annotations

import re
from pathlib import Path

from floe_ci.ends import End
from floe_ci.folder import RunFolder
from floe_ci.junit import Suite, write
from floe_ci.results import finish
from floe_ci.steps import Timings
from floe_ci.summary import Page
from floe_ci.verdict import Verdict

ROOT = Path(__file__).parents[3]


def listed() -> set[str]:
    """Return the files that the README's table of results names."""
    _, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition("| `results/<tier>/` |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return {name.rstrip("/") for line in lines for name in re.findall("`([^`]+)`", line.split("|")[1])}


def test_readme_names_what_is_left(tmp_path: Path) -> None:
    """Whatever a run always leaves is in the README, which names beside it only what floe-testing leaves."""
    folder = RunFolder.take(tmp_path / "results", run_id="abc", tier="unit", place="local")
    folder.write("junit.xml", "".join(write([Suite("unit")])))
    finish(folder, "unit", "abc", End(exit_code=0), Timings(), None)
    assert listed() == {path.name for path in folder.path.iterdir()} | {"performance.json"}


def test_summary_knows_what_the_readme_names(tmp_path: Path) -> None:
    """The summary takes no file that the README names for one of the tests'."""
    for name in listed() - {"logs"}:
        (tmp_path / name).touch()
    (tmp_path / "logs").mkdir()
    told = dict(Page(Verdict.PASSED, "unit", folder=tmp_path).files())
    assert "written by the tests" not in told.values()
    # These three say nothing that the summary itself doesn't.
    assert {name.rstrip("/") for name in told} == listed() - {"summary.md", "exit-code", "run.json"}
