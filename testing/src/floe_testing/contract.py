"""The names that `testing` and `ci` agree on.

`floe_ci.contract` holds the same names; `tests/contract` compares the two. Neither imports the other.
"""

import hashlib
from typing import Final

RESULTS_DIR: Final = "/results"
"""The folder of the test container that the run exports."""

ENV_RUN_ID: Final = "FLOE_RUN_ID"
ENV_TIER: Final = "FLOE_TIER"
ENV_NAMESPACE: Final = "FLOE_NAMESPACE"
ENV_RESULTS_DIR: Final = "FLOE_RESULTS_DIR"
ENV_GATE: Final = "FLOE_CI_GATE"
"""There while a test process waits for its services, before it loads anything of the tests."""
ENV_SERVICES_DIR: Final = "FLOE_SERVICES_DIR"
"""Where services run as processes of this machine: a folder with the id of each, in `<service>.pid`."""

TIMEOUTS: Final = {"job": 3600, "test": 300, "services": 600, "probe": 30, "migration": 300}
"""How long a thing may take, in seconds, unless the environment says otherwise."""
ENV_TIMEOUTS: Final = {name: f"FLOE_TIMEOUT_{name.upper()}" for name in TIMEOUTS}
"""The variables that say otherwise."""

SERVICE_VARIABLES: Final = {
    "postgres": ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"),
    "minio": ("HOST", "PORT", "ACCESS_KEY", "SECRET_KEY"),
    "dagster": ("HOST", "PORT"),
    "iceberg-rest": ("HOST", "PORT"),
    "redis": ("HOST", "PORT", "PASSWORD"),
    "otel-collector": ("HOST", "PORT"),
    "jaeger": ("HOST", "PORT"),
    "prometheus": ("HOST", "PORT"),
    "cube": ("HOST", "PORT", "API_SECRET"),
    "polaris": ("HOST", "PORT", "PATH", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET"),
    "marquez": ("HOST", "PORT"),
}
"""What is known of each service, as the ends of the variables' names."""
ABSENT: Final = "ABSENT"
"""The end of the variable with the reason why a service can't be here; what needs it is skipped."""

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
"""Which service an object is of."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_RUN_ID: Final = "floe.dev/run-id"
"""Which run made an object."""
LABEL_CONNECTION: Final = "floe.dev/connection"
"""On a ConfigMap that becomes part of the test process's environment."""

REQUIREMENT_PROPERTY: Final = "requirement"
"""The property of a test's case in `junit.xml`, one for each requirement that it names."""

NO_RESULT: Final = "no result: "
"""How the error of a case in `junit.xml` begins that stands for a test without an end, which is no verdict on it."""

CREDENTIALS_SECRET: Final = "floe-credentials"  # noqa: S105 - the name of the object
"""The Secret that holds a run's passwords."""


def service_variable(service: str, end: str) -> str:
    """Return the whole name of a variable: `FLOE_MINIO_HOST` for `("minio", "HOST")`."""
    prefix = service.replace("-", "_").upper()
    return f"FLOE_{prefix}_{end}"


def up_name(source: str) -> str:
    """Return the name of the record of a repository, by the path of its folder without symbolic links."""
    return hashlib.sha256(source.encode(errors="surrogateescape")).hexdigest()[:16]
