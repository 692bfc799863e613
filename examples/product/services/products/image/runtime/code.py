"""What Dagster loads."""

from runtime.definitions import definitions

DEFINITIONS = definitions()
