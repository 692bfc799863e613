"""What is to be done in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.spec import RunSpec
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_unknown_field(run_spec: Callable[..., RunSpec]) -> None:
    """A field that the driver doesn't know is refused, not passed over."""
    with pytest.raises(ValidationError, match="namspace"):
        RunSpec.model_validate({**run_spec().model_dump(), "namspace": "x"})


def test_no_nodes(run_spec: Callable[..., RunSpec]) -> None:
    """A cluster has at least one node."""
    with pytest.raises(ValidationError, match="nodes"):
        RunSpec.model_validate({**run_spec().model_dump(), "nodes": 0})
