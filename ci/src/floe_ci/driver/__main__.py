"""`python -m floe_ci.driver SPEC RESULTS`: one run, from manifests to collected results."""

from __future__ import annotations

import sys
from pathlib import Path

from kubernetes import config

from floe_ci.driver.apis import Apis
from floe_ci.driver.drive import drive
from floe_ci.driver.spec import RunSpec
from floe_ci.steps import Timings

REPORT = "driver.json"


def main(spec_file: str, results_dir: str) -> None:
    """Read the run's specification, drive it, and write the report beside the results."""
    spec = RunSpec.model_validate_json(Path(spec_file).read_text(encoding="utf-8"))
    results = Path(results_dir)
    results.mkdir(parents=True, exist_ok=True)
    config.load_kube_config()
    report = drive(Apis(), spec, results, Timings())
    (results / REPORT).write_text(report.model_dump_json(indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
