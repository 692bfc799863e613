"""Names are unique, however many there are."""

import pytest

from floe_testing.isolation.naming import generate_unique_namespace


@pytest.mark.requirement("T012", "REQ-645.2")
@pytest.mark.requirement("T013")
@pytest.mark.requirement("REQ-645")
def test_a_million_namespaces_have_no_duplicate() -> None:
    """A million generated namespaces are a million different ones."""
    assert len({generate_unique_namespace("test", "run1") for _ in range(1_000_000)}) == 1_000_000
