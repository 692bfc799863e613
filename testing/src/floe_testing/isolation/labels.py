"""The labels that say of an object of Kubernetes whose it is."""

from floe_testing.contract import LABEL_MANAGED_BY, LABEL_RUN_ID
from floe_testing.isolation.naming import run_tag

MANAGER = "floe-testing"
"""Who made what carries these labels. Runs label what is theirs with another name."""


def labels(run_id: str) -> dict[str, str]:
    """Return the labels of a Kubernetes object that a test of this run makes."""
    return {LABEL_MANAGED_BY: MANAGER, LABEL_RUN_ID: run_tag(run_id)}


def selector(run_id: str | None = None) -> str:
    """Return the label selector that finds what tests of a run made, or of any run."""
    return f"{LABEL_MANAGED_BY}={MANAGER}" + (f",{LABEL_RUN_ID}={run_tag(run_id)}" if run_id else "")
