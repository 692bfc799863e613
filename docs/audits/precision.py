"""Prints how often each rule was right in the blind draws, as the tables in `README.md` have it.

python docs/audits/precision.py
"""

import csv
from collections import Counter
from pathlib import Path

DRAWS = sorted(Path(__file__).parent.glob("draw-*.csv"))
SHOWN_ONLY = 12
"""The first draw of what is shown by default."""
SINCE = {"FT207": 17, "FT208": 20, "FT209": 23, "FT210": 20}
"""The first draw since each rule that is an error or a warning was last mended."""
VERDICTS = ("right", "wrong", "arguable")


def main() -> None:
    """Print the tables."""
    found = {int(file.stem.removeprefix("draw-")): read(file) for file in DRAWS}
    print("## Errors and warnings since each rule was last mended\n")
    print(table(since_mended(found)))
    print("\n## Errors and warnings by rule\n")
    print(table([finding for number, findings in found.items() if number >= SHOWN_ONLY for finding in findings]))
    print("\n## All draws by rule\n")
    print(table([finding for findings in found.values() for finding in findings]))


def read(file: Path) -> list[dict[str, str]]:
    """Return the judged findings of a draw.

    Raises:
        ValueError: A verdict is none of `VERDICTS`.
    """
    with file.open(encoding="utf-8", newline="") as rows:
        findings = list(csv.DictReader(rows))
    unclear = [each["place"] for each in findings if each["verdict"] not in VERDICTS]
    if unclear:
        message = f"{file.name}: neither {', '.join(VERDICTS)}: {', '.join(unclear)}"
        raise ValueError(message)
    return findings


def since_mended(found: dict[int, list[dict[str, str]]]) -> list[dict[str, str]]:
    """Return the findings of rules that are errors or warnings, each of the draws since that rule was last mended."""
    return [
        finding
        for number, findings in found.items()
        for finding in findings
        if SINCE.get(finding["rule"], number + 1) <= number
    ]


def table(findings: list[dict[str, str]]) -> str:
    """Return a Markdown table with a row for each rule, and one for them all."""
    rows = [(rule, Counter(each["verdict"] for each in findings if each["rule"] == rule)) for rule in _rules(findings)]
    lines = [_row(rule, count) for rule, count in rows]
    total = _row("**all**", Counter(each["verdict"] for each in findings))
    head = "| rule | judged | right | wrong | arguable | right of the clear | right of all |"
    return "\n".join([head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |", *lines, total])


def _rules(findings: list[dict[str, str]]) -> list[str]:
    return sorted({each["rule"] for each in findings})


def _row(name: str, count: Counter[str]) -> str:
    clear, every = count["right"] + count["wrong"], count.total()
    of_clear = f"{count['right'] / clear:.0%}" if clear else "-"
    numbers = " | ".join(str(count[each]) for each in VERDICTS)
    return f"| {name} | {every} | {numbers} | {of_clear} | {count['right'] / every:.0%} |"


if __name__ == "__main__":
    main()
