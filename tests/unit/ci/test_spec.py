"""What the driver is told, and what it tells back."""

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver.spec import DriverReport, RunSpec
from floe_ci.steps import Step
from pydantic import ValidationError

pytestmark = pytest.mark.unit

SPEC = RunSpec(
    run_id="1e23",
    tier="e2e",
    namespace="floe-e2e-1e23",
    nodes=3,
    services="kind: Service",
    runner="kind: Job",
    runner_image="floe.local/runner:dev",
    pytest_args=("-k", "a b"),
    environment={"URL": "${FLOE_MINIO_HOST}"},
    timeouts=Timeouts(job=7),
)
REPORT = DriverReport(
    exit_code=1,
    problem="it broke",
    started_at=12.5,
    steps=(Step("apply", 0.25, 1.5), Step("tests", 2.0, 3.0, "RunError: it broke")),
)


def test_spec_survives_its_file() -> None:
    """What is written for the driver is what the driver reads."""
    assert RunSpec.model_validate_json(SPEC.model_dump_json()) == SPEC


def test_report_survives_its_file() -> None:
    """What the driver writes is what is read of it, the steps and their errors too."""
    assert DriverReport.model_validate_json(REPORT.model_dump_json()) == REPORT


def test_report_of_nothing() -> None:
    """A process that never ended has no exit code, which is not the code 0."""
    assert DriverReport.model_validate_json(DriverReport().model_dump_json()).exit_code is None


def test_unknown_field() -> None:
    """A field that the driver doesn't know is refused, not passed over."""
    with pytest.raises(ValidationError, match="namspace"):
        RunSpec.model_validate({**SPEC.model_dump(), "namspace": "x"})


def test_no_nodes() -> None:
    """A cluster has at least one node."""
    with pytest.raises(ValidationError, match="nodes"):
        RunSpec.model_validate({**SPEC.model_dump(), "nodes": 0})
