"""What is to be done in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.spec import RunSpec
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_spec_survives_its_file(run_spec: Callable[..., RunSpec]) -> None:
    """What is written for the driver is what the driver reads, a run id that looks like a number too."""
    spec = run_spec(run_id="1e23", pytest_args=("-k", "a b"), environment={"URL": "${FLOE_MINIO_HOST}"})
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_unknown_field(run_spec: Callable[..., RunSpec]) -> None:
    """A field that the driver doesn't know is refused, not passed over."""
    with pytest.raises(ValidationError, match="namspace"):
        RunSpec.model_validate({**run_spec().model_dump(), "namspace": "x"})


def test_no_nodes(run_spec: Callable[..., RunSpec]) -> None:
    """A cluster has at least one node."""
    with pytest.raises(ValidationError, match="nodes"):
        RunSpec.model_validate({**run_spec().model_dump(), "nodes": 0})
