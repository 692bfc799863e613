"""What the driver is told, and what it tells back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.spec import DriverReport, RunSpec
from floe_ci.steps import Step
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT = DriverReport(
    exit_code=1,
    problem="it broke",
    steps=(Step("apply", 0.25, 1.5), Step("tests", 2.0, 3.0, "RunError: it broke")),
)


def test_spec_survives_its_file(run_spec: Callable[..., RunSpec]) -> None:
    """What is written for the driver is what the driver reads, a run id that looks like a number too."""
    spec = run_spec(run_id="1e23", pytest_args=("-k", "a b"), environment={"URL": "${FLOE_MINIO_HOST}"})
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_report_survives_its_file() -> None:
    """What the driver writes is what is read of it, the steps and their errors too."""
    assert DriverReport.model_validate_json(REPORT.model_dump_json()) == REPORT


def test_report_of_nothing() -> None:
    """A process that never ended has no exit code, which is not the code 0."""
    assert DriverReport.model_validate_json(DriverReport().model_dump_json()).exit_code is None


def test_unknown_field(run_spec: Callable[..., RunSpec]) -> None:
    """A field that the driver doesn't know is refused, not passed over."""
    with pytest.raises(ValidationError, match="namspace"):
        RunSpec.model_validate({**run_spec().model_dump(), "namspace": "x"})


def test_no_nodes(run_spec: Callable[..., RunSpec]) -> None:
    """A cluster has at least one node."""
    with pytest.raises(ValidationError, match="nodes"):
        RunSpec.model_validate({**run_spec().model_dump(), "nodes": 0})
