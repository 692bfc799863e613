"""Writes the table of `docs/reliability.md` from what `make faults` has left in `results/faults/rows`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "reliability.md"
ROWS: Final = HERE.parent / "results" / "faults" / "rows"
BEGIN: Final = "| fault |"
HEAD: Final = """\
| fault | what goes wrong | what the user sees first | verdict, exit code | further results | s | left behind |
| --- | --- | --- | --- | --- | --- | --- |
"""
ALWAYS: Final = frozenset(
    {"summary.md", "report.html", "exit-code", "junit.xml", "coverage.xml", "events.txt", "timings.json", "run.json"}
)
"""Files that every run leaves."""
LONGEST: Final = 160


def line(row: dict[str, Any]) -> str:
    """Return a fault's line of the table."""
    others = sorted({name.split("/")[0] + "/" * ("/" in name) for name in row["results"] if name not in ALWAYS})
    lacking = sorted(f"no {name}" for name in ALWAYS - {*row["results"]})
    seen = row["seen"].replace("|", "\\|").replace("\\_", "_")
    cells = (
        f"`{row['name']}`",
        row["what"],
        seen if len(seen) <= LONGEST else f"{seen[:LONGEST]}…",
        f"{row['verdict']}, {row['exit_code']}",
        ", ".join((*others, *lacking)) or "nothing",
        f"{row['seconds']:g}",
        ", ".join(row["left"]) or "nothing",
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Put each row that there is in the place of the fault's former one."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, gap, after = (BEGIN + rest).partition("\n\n")
    lines = {each.split("`")[1]: each + "\n" for each in old.splitlines() if each.startswith("| `")}
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ROWS.glob("*.json"))]
    lines |= {row["name"]: line(row) for row in rows}
    table = (HEAD + "".join(lines[name] for name in sorted(lines))).rstrip("\n")
    left = [each for each in after.splitlines() if not (each.startswith("- `") and each.split("`")[1] in lines)]
    PAGE.write_text("\n".join([before + table + gap + left[0], *left[1:], ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
