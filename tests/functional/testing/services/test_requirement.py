"""What a test may require."""

import pytest
from pydantic import ValidationError

from floe_testing.services import ServiceRequirement


def test_namespace_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is looked for in `floe-test`, unless the environment names another namespace, or the test does."""
    monkeypatch.delenv("FLOE_NAMESPACE", raising=False)
    assert ServiceRequirement(name="postgres", port=5432).namespace == "floe-test"
    monkeypatch.setenv("FLOE_NAMESPACE", "shop")
    assert ServiceRequirement(name="postgres", port=5432).namespace == "shop"
    assert ServiceRequirement(name="postgres", port=5432, namespace="own").namespace == "own"


@pytest.mark.parametrize("port", [1, 65535])
def test_port_at_the_edge(port: int) -> None:
    """The first and the last port there is are taken."""
    assert ServiceRequirement(name="postgres", port=port).port == port


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_port_beyond_the_edge(port: int) -> None:
    """A number that no port has is refused."""
    with pytest.raises(ValidationError, match="port"):
        ServiceRequirement(name="postgres", port=port)


@pytest.mark.parametrize("label", ["a", "0", "a-b", "a" * 63])
def test_label(label: str) -> None:
    """A DNS label is taken as a name and as a namespace."""
    assert ServiceRequirement(name=label, port=1, namespace=label).namespace == label


@pytest.mark.parametrize("label", ["", "-a", "a-", "a.b", "a_b", "A", "a" * 64, "a\n"])
def test_no_label(label: str) -> None:
    """What is no DNS label is refused, name and namespace in one message."""
    with pytest.raises(ValidationError) as refused:
        ServiceRequirement(name=label, port=1, namespace=label)
    assert [error["loc"] for error in refused.value.errors()] == [("name",), ("namespace",)]


def test_is_not_changed() -> None:
    """A requirement that a class declares stays as it is."""
    requirement = ServiceRequirement(name="postgres", port=5432)
    with pytest.raises(ValidationError, match="frozen"):
        requirement.port = 1  # type: ignore[misc] # that is the point
