"""Names are unique, are valid everywhere, and tell whose they are."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from floe_testing.contract import ENV_RUN_ID, LABEL_MANAGED_BY, LABEL_RUN_ID
from floe_testing.isolation.labels import labels, selector
from floe_testing.isolation.naming import Made, current_run_id, generate_unique_namespace, run_tag, unique_name

RFC_1123 = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONG = "a-prefix-that-is-longer-than-there-is-room-for-in-a-label-of-kubernetes"


@pytest.mark.parametrize("prefix", ["test", "My Orders_2", "--x--", "", "täst", "1", LONG, f"{LONG[:26]}-x"])
@pytest.mark.parametrize("run_id", ["1a2b3c4d", "16482920394", "PR #7 / attempt 2", "", "-", "caf\udce9"])
def test_name_is_a_label(prefix: str, run_id: str) -> None:
    """Whatever the prefix and the run are called, the name is a DNS label of at most 63 characters."""
    assert RFC_1123.fullmatch(unique_name(prefix, run_id))


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("orders", "orders-"), ("My Orders_2", "my-orders-2-"), ("", "test-"), (LONG, f"{LONG[:27]}-"[:20])],
)
def test_name_starts_with_its_prefix(prefix: str, start: str) -> None:
    """The prefix is kept, in the characters that a label has, and cut only where it is too long."""
    assert generate_unique_namespace(prefix, "run1").startswith(start)


def test_name_tells_its_run_and_time() -> None:
    """A name can be read: which run made it, and when."""
    made = Made.read(unique_name("my-orders", "run1"))
    assert made is not None
    assert made.tag == "run1"
    assert datetime.now(UTC) - made.at < timedelta(seconds=5)


@pytest.mark.parametrize(
    "name",
    ["postgres", "test-run1", "template0", "test-run1-1234", "a-b-0123456789abcdef01234G", "-a-0123456789abcdef012345"],
)
def test_other_names_tell_nothing(name: str) -> None:
    """A name that was made elsewhere is not taken for one of ours."""
    assert Made.read(name) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "ci-1"), ("ci1", "ci-1"), ("16482920394-1", "16482920394-2"), ("Run", "run"), ("a-prefix", "prefix")],
)
def test_runs_are_told_apart(one: str, other: str) -> None:
    """Two runs have two tags, and no name of the one reads as the other's."""
    made = [Made.read(unique_name(f"x-{one}", run)) for run in (one, other)]
    assert [each.tag for each in made if each] == [run_tag(one), run_tag(other)]
    assert run_tag(one) != run_tag(other)


def test_run_id_comes_from_the_environment() -> None:
    """The run is the one that the environment names, and otherwise one that stays the same."""
    assert current_run_id({ENV_RUN_ID: "abc"}) == "abc"
    assert current_run_id({}) == current_run_id({ENV_RUN_ID: ""}) != ""


def test_labels_carry_the_run() -> None:
    """What a test makes is labelled with its maker and its run, and the selector asks for just these labels."""
    found = labels("PR #7")
    assert found == {LABEL_MANAGED_BY: "floe-testing", LABEL_RUN_ID: run_tag("PR #7")}
    assert selector("PR #7") == ",".join(f"{key}={value}" for key, value in found.items())
    assert selector() == f"{LABEL_MANAGED_BY}=floe-testing"
