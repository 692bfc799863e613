"""What a test needs of a service: that it is there, and where it would be."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
