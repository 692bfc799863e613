"""Where the services are, as the environment tells it."""

import os
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from testing.contract import SERVICE_VARIABLES, service_variable
from testing.errors import FloeTestingError


class ServiceNotDescribedError(FloeTestingError):
    """The environment doesn't tell where a service is, or not in a way that can be used."""


class ServiceConfig(BaseModel):
    """What is needed to reach a service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: ClassVar[str]
    """The service's name in the contract."""

    host: str
    port: int = Field(ge=1, le=65535)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the service's variables.

        Args:
            environ: The variables; those of this process unless given.

        Raises:
            ServiceNotDescribedError: Names every variable that is missing or wrong, and says what to do.
        """
        environ = os.environ if environ is None else environ
        variables = {end.lower(): service_variable(cls.service, end) for end in SERVICE_VARIABLES[cls.service]}
        missing = [variable for variable in variables.values() if not environ.get(variable)]
        if missing:
            message = (
                f"{cls.service} is needed, and the environment lacks {', '.join(missing)}. "
                "Run the tests with `dagger call test --tier integration`, "
                f"or set {'it' if len(missing) == 1 else 'them'} to use a service that runs already."
            )
            raise ServiceNotDescribedError(message)
        try:
            return cls.model_validate({field: environ[variable] for field, variable in variables.items()})
        except ValidationError as error:
            wrong = "; ".join(f"{variables[str(each['loc'][0])]}: {each['msg']}" for each in error.errors())
            message = f"{cls.service} is needed, and the environment describes it wrongly. {wrong}"
            raise ServiceNotDescribedError(message) from error

    @property
    def address(self) -> str:
        """Host and port, for messages and URLs."""
        return f"{self.host}:{self.port}"


class PostgresConfig(ServiceConfig):
    """A PostgreSQL server, and a database of it."""

    service: ClassVar[str] = "postgres"

    user: str
    password: SecretStr
    database: str


class MinIOConfig(ServiceConfig):
    """A MinIO server, spoken to over plain HTTP."""

    service: ClassVar[str] = "minio"

    access_key: str
    secret_key: SecretStr

    @property
    def url(self) -> str:
        """The endpoint's URL."""
        return f"http://{self.address}"


class DagsterConfig(ServiceConfig):
    """A Dagster webserver."""

    service: ClassVar[str] = "dagster"

    @property
    def url(self) -> str:
        """The webserver's URL."""
        return f"http://{self.address}"
