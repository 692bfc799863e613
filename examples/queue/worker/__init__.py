"""Work that is put into a queue, and done by a worker."""

import os

from redis import Redis
from rq import Queue


def connect() -> Redis:
    """Return a connection to the queue's server."""
    return Redis.from_url(os.environ["REDIS_URL"])


def charge(order: int, amount: int) -> str:
    """Charge an order; nothing can't be charged."""
    if amount <= 0:
        message = f"order {order}: {amount} can't be charged"
        raise ValueError(message)
    return f"order {order}: {amount} charged"


def enqueue(queue: Queue, order: int, amount: int) -> str:
    """Have an order charged, once, and return the job's id: an order that waits already is not put in again."""
    name = f"charge-{order}"
    known = queue.fetch_job(name)
    return (known or queue.enqueue(charge, order, amount, job_id=name)).id
