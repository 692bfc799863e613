"""Prints how often each rule was right: of the findings in `precision.csv`, as the table in `README.md` has it.

python docs/audits/precision.py
"""

import csv
from collections import Counter
from pathlib import Path

JUDGED = Path(__file__).with_name("precision.csv")


def main() -> None:
    """Print the table."""
    print(table(read(JUDGED)))


def read(file: Path) -> list[dict[str, str]]:
    """Return the judged findings.

    Raises:
        ValueError: A verdict is neither `true` nor `false`.
    """
    with file.open(encoding="utf-8", newline="") as rows:
        findings = list(csv.DictReader(rows))
    unclear = [each["place"] for each in findings if each["verdict"] not in {"true", "false"}]
    if unclear:
        message = f"neither true nor false: {', '.join(unclear)}"
        raise ValueError(message)
    return findings


def shares(findings: list[dict[str, str]]) -> dict[str, tuple[int, int]]:
    """Return for each rule, sorted, how many findings were right, and how many there are."""
    judged = Counter(each["rule"] for each in findings)
    right = Counter(each["rule"] for each in findings if each["verdict"] == "true")
    return {rule: (right[rule], judged[rule]) for rule in sorted(judged)}


def table(findings: list[dict[str, str]]) -> str:
    """Return a Markdown table with a row for each rule, and one for them all."""
    by_rule = shares(findings)
    every = tuple(map(sum, zip(*by_rule.values(), strict=True)))
    lines = [f"| {rule} | {judged} | {right} | {right / judged:.0%} |" for rule, (right, judged) in by_rule.items()]
    total = f"| **all** | **{every[1]}** | **{every[0]}** | **{every[0] / every[1]:.0%}** |"
    return "\n".join(["| rule | judged | right | precision |", "| --- | ---: | ---: | ---: |", *lines, total])


if __name__ == "__main__":
    main()
