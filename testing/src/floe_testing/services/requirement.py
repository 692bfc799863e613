"""What a test needs of a service: that it is there, and where it would be."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from floe_testing.errors import FloeTestingError
from floe_testing.services.place import default_namespace

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A DNS label (RFC 1123): lower-case letters, digits and inner dashes, at most 63."""
Port = Annotated[int, Field(ge=1, le=65535)]


class ServiceRequirement(BaseModel):
    """A service that a test can't do without.

    Raises:
        pydantic.ValidationError: Names every field that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: DnsLabel
    """The service's name: that of its variables, and of the Kubernetes Service."""
    port: Port
    """The port of the Kubernetes Service; where the environment names another, that one counts."""
    namespace: DnsLabel = Field(default_factory=default_namespace)
    """Where to look in Kubernetes; what `FLOE_NAMESPACE` says, or else `floe-test`."""


Requirement = ServiceRequirement | tuple[str, int] | str
"""How a test may say what it can't do without: `"postgres"`, `("postgres", 5432)`, or a `ServiceRequirement`."""


_WAYS = '"postgres", ("postgres", 5432), or ServiceRequirement(name="postgres", port=5432)'


class WrongRequirementError(FloeTestingError):
    """A test requires what can't be a service."""


def as_requirement(given: object) -> ServiceRequirement | str:
    """Return a requirement, or the name of a registered service whose port is looked up.

    Raises:
        WrongRequirementError: It is neither, nor a name and a port.
    """
    if isinstance(given, ServiceRequirement | str):
        return given
    reasons = ""
    if isinstance(given, tuple | list) and len(given) == len(("name", "port")):
        try:
            return ServiceRequirement(name=given[0], port=given[1])
        except ValidationError as error:
            said = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
            reasons = f" ({'; '.join(said)})"
    message = f"{given!r} names no service{reasons}: write {_WAYS}"
    raise WrongRequirementError(message)
