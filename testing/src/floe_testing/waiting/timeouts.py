"""How long a thing may take: one table, the same for the run, its Job and the tests."""

import os
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from floe_testing.contract import ENV_TIMEOUTS, TIMEOUTS
from floe_testing.errors import FloeTestingError

Seconds = Annotated[int, Field(ge=1)]


class WrongTimeoutError(FloeTestingError):
    """The environment gives a timeout that is none."""


class Timeouts(BaseModel):
    """The table, in seconds. A run hands it to its tests in the variables `FLOE_TIMEOUT_…`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Seconds = TIMEOUTS["job"]
    """The whole run of pytest."""
    test: Seconds = TIMEOUTS["test"]
    """One test; pytest-timeout's default, where nothing else is configured."""
    services: Seconds = TIMEOUTS["services"]
    """Until a service is ready; the default of `wait_for_service`."""
    probe: Seconds = TIMEOUTS["probe"]
    """One look at a service; the default of a condition's single look."""
    migration: Seconds = TIMEOUTS["migration"]
    """Until a database's schema is up to date; what the start-up probes of the services that migrate allow."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the variables; what is not set is as in the table.

        Args:
            environ: The variables; those of this process unless given.

        Raises:
            WrongTimeoutError: Names every variable that is no whole number of seconds, or less than one.
        """
        environ = os.environ if environ is None else environ
        given = {name: environ[variable] for name, variable in ENV_TIMEOUTS.items() if environ.get(variable)}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            wrong = (f"{ENV_TIMEOUTS[str(each['loc'][0])]}={each['input']}: {each['msg']}" for each in error.errors())
            message = f"A timeout is a whole number of seconds, at least one. {'; '.join(wrong)}"
            raise WrongTimeoutError(message) from error
