"""The names that `ci` and `testing` agree on.

`testing` holds the same names in `floe_testing/contract.py`; `tests/contract` compares the two.
Neither imports the other.
"""

import hashlib
from typing import Final

RESULTS_DIR: Final = "/results"
"""Where a test process leaves its files, in the runner container."""

ENV_RUN_ID: Final = "FLOE_RUN_ID"
ENV_TIER: Final = "FLOE_TIER"
ENV_NAMESPACE: Final = "FLOE_NAMESPACE"
ENV_RESULTS_DIR: Final = "FLOE_RESULTS_DIR"
ENV_SERVICES_DIR: Final = "FLOE_SERVICES_DIR"
"""Where services run as processes of this machine: a folder with the id of each, in `<service>.pid`."""
ENV_GATE: Final = "FLOE_CI_GATE"
"""Names the file descriptor at which a test process waits until its services are ready, when its plugins are loaded.

A byte says that they are.
"""

TIMEOUTS: Final = {"job": 3600, "test": 300, "services": 600, "probe": 30, "migration": 300}
"""How long a thing may take, in seconds, unless the repository says otherwise."""
ENV_TIMEOUTS: Final = {name: f"FLOE_TIMEOUT_{name.upper()}" for name in TIMEOUTS}
"""The variables that hand a run's timeouts to the test process."""

ABSENT: Final = "ABSENT"
"""The end of the variable that says why a service of the tier can't be where the tests run: they are skipped then."""

UP_FOLDER: Final = ("floe-ci", "up")
"""Below the user's folder of caches: where `floe-ci up --on local` records what it left, in `<up_name>.json`.

The record counts as long as somebody has locked `<up_name>.lock` beside it with `flock`.
"""
UP_FORMAT: Final = 3
"""What a record says of its `format`; one that says something else means something else."""
UP_SERVICES: Final = "services"
"""The key of the names of services in a record."""
UP_ENVIRONMENT: Final = "environment"
"""The key of the variables in a record that tests get, those of the tier's configuration too."""

LABEL_NAME: Final = "app.kubernetes.io/name"
"""The service that an object belongs to."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_RUN_ID: Final = "floe.dev/run-id"
"""On every object that a run makes."""
LABEL_CONNECTION: Final = "floe.dev/connection"
"""On ConfigMaps whose entries are a service's variables, for the test process's environment."""

REQUIREMENT_PROPERTY: Final = "requirement"
"""The property of a case in `junit.xml` that says which requirement it shows to be met; one for each."""

NO_RESULT: Final = "no result: "
"""How the error of a case in `junit.xml` begins that stands for a test without an end, which is no verdict on it."""

CREDENTIALS_SECRET: Final = "floe-credentials"  # noqa: S105 - the object's name, not what it holds
"""The Secret of a run: one generated value for each of its keys that a manifest refers to."""


def service_variable(service: str, end: str) -> str:
    """Return a service's variable: `service_variable("postgres", "HOST")` is `FLOE_POSTGRES_HOST`."""
    return f"FLOE_{service.upper().replace('-', '_')}_{end}"


def up_name(source: str) -> str:
    """Return the name of the record of a repository, by the path of its folder without symbolic links."""
    return hashlib.sha256(source.encode(errors="surrogateescape")).hexdigest()[:16]
