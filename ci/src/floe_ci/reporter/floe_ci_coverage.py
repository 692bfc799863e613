"""Script: makes one report of the coverage that several processes measured, as one process would have.

It runs in the tests' own environment, whose coverage.py wrote the data, in the folder of the tests.
Arguments: what a shard told of coverage (JSON), where the report goes, and the data files. The last line that it prints
is a JSON document: the percentage that is covered, and the limit it is held to.
"""

from __future__ import annotations

import json
import os
import sys


def main(told_path: str, report: str, *data: str) -> None:
    """Combine and report."""
    import coverage  # noqa: PLC0415 - the tests' own

    with open(told_path, encoding="utf-8") as file:
        told = json.load(file)
    # As pytest-cov asks for it: what is below `source` is named relative to that.
    measured = coverage.Coverage(
        data_file=os.environ["COVERAGE_FILE"],
        source=told["source"],
        branch=told["branch"],
        config_file=told["config"],
    )
    measured.set_option("report:omit", told["omit"])
    measured.combine(list(data), strict=True, keep=True)
    measured.save()
    percent = measured.xml_report(outfile=report, ignore_errors=True)
    limit = float(told["limit"] or str(measured.get_option("report:fail_under") or 0))
    print(json.dumps({"percent": percent, "limit": limit}))  # noqa: T201 - for who started it


if __name__ == "__main__":
    main(*sys.argv[1:])
