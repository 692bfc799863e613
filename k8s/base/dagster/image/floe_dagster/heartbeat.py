"""The daemon's probe: exit 0 where the run queue's last heartbeat is of this start and recent.

Dagster has a command for it, which takes seconds of a core each time because it imports all of Dagster.
"""

import sys
from contextlib import closing

import psycopg2

from floe_dagster.database import connect
from floe_dagster.start import STARTED

MAX_AGE = 120
"""Seconds. The daemon writes one every 30."""

LATEST = """
SELECT extract(epoch FROM max("timestamp")), extract(epoch FROM now() AT TIME ZONE 'UTC' - max("timestamp"))
FROM daemon_heartbeats WHERE daemon_type = 'QUEUED_RUN_COORDINATOR'
"""


def main() -> str | None:
    """Return what is wrong, or nothing."""
    try:
        with closing(connect()) as connection, connection.cursor() as cursor:
            cursor.execute(LATEST)
            latest, age = cursor.fetchone()
    except psycopg2.Error as error:
        return f"no heartbeat can be read: {str(error).splitlines()[0]}"
    if latest is None or latest < STARTED.stat().st_mtime:
        return "no heartbeat since the start"
    if age > MAX_AGE:
        return f"the last heartbeat is {age:.0f} s old; {MAX_AGE} s are allowed"
    return None


if __name__ == "__main__":
    sys.exit(main())
