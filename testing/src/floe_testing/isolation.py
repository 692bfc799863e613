"""What keeps tests apart: names that nobody else has, and labels that say whose a thing is."""

from floe_testing.contract import LABEL_MANAGED_BY, LABEL_RUN_ID
from floe_testing.naming import current_run_id, run_tag, unique_name

MANAGER = "floe-testing"
"""Who made what carries these labels. Runs label what is theirs with another name."""


def generate_unique_namespace(prefix: str = "test", run_id: str | None = None) -> str:
    """Return the name of a namespace that nothing else has, nor will: a DNS label (RFC 1123) of at most 63 characters.

    It starts with the prefix, and tells the run and the time; see `floe_testing.naming.unique_name`.

    Args:
        prefix: What the namespace is for.
        run_id: The run that it belongs to; the current one unless given.
    """
    return unique_name(prefix, run_id or current_run_id())


def labels(run_id: str) -> dict[str, str]:
    """Return the labels of a Kubernetes object that a test of this run makes."""
    return {LABEL_MANAGED_BY: MANAGER, LABEL_RUN_ID: run_tag(run_id)}


def selector(run_id: str | None = None) -> str:
    """Return the label selector that finds what tests of a run made, or of any run."""
    return f"{LABEL_MANAGED_BY}={MANAGER}" + (f",{LABEL_RUN_ID}={run_tag(run_id)}" if run_id else "")
