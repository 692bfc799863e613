"""Jobs go through a real server: what is put in is what a worker does."""

import uuid
from collections.abc import Iterator

import pytest
from rq import Queue, SimpleWorker

from worker import connect, enqueue


@pytest.fixture
def queue() -> Iterator[Queue]:
    """Yield a queue of the test's own."""
    with connect() as connection:
        mine = Queue(f"test-{uuid.uuid4()}", connection=connection)
        yield mine
        mine.delete(delete_jobs=True)


def work(queue: Queue) -> None:
    """Do all that waits, in this process."""
    SimpleWorker([queue], connection=queue.connection).work(burst=True)


def test_job_is_done(queue: Queue) -> None:
    """What the job returns is there once a worker has done it."""
    name = enqueue(queue, 1, 20)
    assert queue.count == 1
    work(queue)
    job = queue.fetch_job(name)
    assert job is not None
    assert job.return_value() == "order 1: 20 charged"


def test_order_is_charged_once(queue: Queue) -> None:
    """An order that waits already is not put in a second time."""
    assert enqueue(queue, 1, 20) == enqueue(queue, 1, 20)
    assert queue.count == 1


def test_job_that_fails_is_kept(queue: Queue) -> None:
    """A job that raises is in the registry of those that failed, with the reason."""
    name = enqueue(queue, 2, 0)
    work(queue)
    assert name in queue.failed_job_registry
    job = queue.fetch_job(name)
    assert job is not None
    assert "0 can't be charged" in str(job.latest_result().exc_string)
