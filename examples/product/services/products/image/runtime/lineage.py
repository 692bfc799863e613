"""Lineage, in OpenLineage's words: what a run read and wrote is told to Marquez, where there is one."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.common.provider.dbt import DbtLocalArtifactProcessor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

HOST, PORT = "FLOE_MARQUEZ_HOST", "FLOE_MARQUEZ_PORT"
"""The variables that say where Marquez is; without them nothing is told."""
NAMESPACE = "products"
"""What jobs and tables are found under."""
PRODUCER = "https://example.com/products"
TIMEOUT = 5
"""Seconds for each thing that is told: one that is away, and is not tried again, holds a run up for no longer."""
TOLD = {"seed", "run", "build", "test", "snapshot"}
"""The commands of dbt that make or try something."""

log = logging.getLogger(__name__)


@contextmanager
def told(job: str, run: str, source: str, table: str) -> Iterator[None]:
    """Tell of a run that makes a table of files: that it begins, and how it ends."""
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    read = [InputDataset(namespace=f"s3://{bucket}", name=prefix.rstrip("/"))]
    written = [OutputDataset(namespace=NAMESPACE, name=table)]

    def tell(state: RunState) -> None:
        event = RunEvent(
            eventType=state,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(runId=run),
            job=Job(namespace=NAMESPACE, name=job),
            producer=PRODUCER,
            inputs=read,
            outputs=written,
        )
        _send([event])

    tell(RunState.START)
    try:
        yield
    except BaseException:
        tell(RunState.FAIL)
        raise
    tell(RunState.COMPLETE)


def tell_of_dbt(project: Path, target: str, command: str) -> None:
    """Tell of each node that a command of dbt has run, by the files that it left of that."""
    if command in TOLD:
        _send(_of_dbt(project, target))


def _of_dbt(project: Path, target: str) -> Iterator[RunEvent]:
    """Yield what a command of dbt has left; files that can't be read are an error of the first of them."""
    left = DbtLocalArtifactProcessor(str(project), target=target, producer=PRODUCER, job_namespace=NAMESPACE)
    yield from left.parse().events()


def _send(events: Iterable[RunEvent]) -> None:
    """Send events, which are made as they are sent; no run fails because they can't be."""
    if HOST not in os.environ:
        return
    url = f"http://{os.environ[HOST]}:{os.environ[PORT]}"
    transport = {"type": "http", "url": url, "timeout": TIMEOUT, "retry": {"total": 0}}
    try:
        client = OpenLineageClient(config={"transport": transport})
        for event in events:
            client.emit(event)
    except Exception as error:  # noqa: BLE001 - of whichever library is below it
        log.warning("lineage is not told to %s: %s", url, error)
