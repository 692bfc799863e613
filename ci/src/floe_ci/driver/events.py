"""The events of a run's namespaces, as a readable list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubernetes import client


def listing(core: client.CoreV1Api, namespaces: Iterable[str], since: datetime | None = None) -> str:
    """Return the events of some namespaces, oldest first, a line each; `since` leaves out those that were over then."""
    begin = since.isoformat() if since else ""
    found = [each for namespace in namespaces for each in core.list_namespaced_event(namespace).items]
    events = sorted((each for each in found if when(each) >= begin), key=when)
    return "".join(f"{line(event)}\n" for event in events)


def warnings(core: client.CoreV1Api, namespace: str, name: str) -> list[str]:
    """Return what Kubernetes warned of about the pod called `name`, oldest first."""
    found = sorted(core.list_namespaced_event(namespace).items, key=when)
    return [said(event) for event in found if event.type == "Warning" and event.involved_object.name == name]


def when(event: client.CoreV1Event) -> str:
    """Return when an event was last seen, as ISO 8601 text."""
    seen = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return str(seen.isoformat())


def line(event: client.CoreV1Event) -> str:
    """Return an event in one line: when, how grave, about what, why, and what it says."""
    about = f"{event.involved_object.kind}/{event.involved_object.name}"
    return f"{when(event)} {event.type:<7} {about} {said(event)}"


def said(event: client.CoreV1Event) -> str:
    """Return why an event happened, what it says, and how often."""
    count = f" (x{event.count})" if (event.count or 1) > 1 else ""
    return f"{event.reason}: {' '.join((event.message or '').split())}{count}"
