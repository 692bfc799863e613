"""The namespace's events, as a readable list."""

from datetime import UTC, datetime

import pytest
from floe_ci.driver.events import line, when
from kubernetes import client

EARLY, LATE, LATEST = (datetime(2025, 1, 1, 12, 0, second, tzinfo=UTC) for second in (1, 2, 3))


def event(**fields: object) -> client.CoreV1Event:
    """Return an event about a pod."""
    given = {
        "metadata": client.V1ObjectMeta(name="e", creation_timestamp=EARLY),
        "involved_object": client.V1ObjectReference(kind="Pod", name="postgres-0"),
        "type": "Normal",
        "reason": "Started",
        "message": "Started container postgres",
        "last_timestamp": LATE,
    }
    return client.CoreV1Event(**given | fields)


def test_line() -> None:
    """An event's line says when, how grave, about what, why and what."""
    assert line(event()) == ("2025-01-01T12:00:02+00:00 Normal  Pod/postgres-0 Started: Started container postgres")


def test_graver_events_stay_in_column() -> None:
    """Warnings and normal events have their objects in the same column."""
    assert line(event(type="Warning")).index("Pod/") == line(event()).index("Pod/")


def test_message_of_several_lines() -> None:
    """A message with line breaks stays one line."""
    assert line(event(message="a\n  b\n")).endswith("Started: a b")


def test_event_without_a_message() -> None:
    """An event that says nothing is listed all the same."""
    assert line(event(message=None)).endswith("Started: ")


@pytest.mark.parametrize(("count", "ending"), [(None, ""), (1, ""), (2, " (x2)")])
def test_repeated_event(count: int | None, ending: str) -> None:
    """Only an event that happened more than once has its count."""
    assert line(event(count=count)).partition("Started container postgres")[2] == ending


def test_seen_last() -> None:
    """The time of an event that is repeated is when it was last seen."""
    assert when(event(event_time=LATEST)) == LATE.isoformat()


def test_event_of_the_newer_kind() -> None:
    """An event without a last time, as newer components write them, has its own time."""
    assert when(event(last_timestamp=None, event_time=LATEST)) == LATEST.isoformat()


def test_event_without_a_time() -> None:
    """An event with no time at all counts from when it was made."""
    assert when(event(last_timestamp=None)) == EARLY.isoformat()
