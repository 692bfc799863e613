"""What is needed to reach a service: models that read themselves from the environment, or from the cluster it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from floe_testing.contract import SERVICE_VARIABLES, service_variable
from floe_testing.errors import FloeTestingError, NamespaceUnreadableError
from floe_testing.services.discovery import PORT_FORWARD, ServiceNotFoundError, as_port, find, forward
from floe_testing.services.place import Place, advice
from floe_testing.services.requirement import Port  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ServiceNotDescribedError(FloeTestingError):
    """It can't be told where a service is, or how to use it."""

    def __init__(self, service: str, problems: list[str]) -> None:
        """Keep the service and the problems, and tell them all at once."""
        self.service = service
        self.problems = tuple(dict.fromkeys(problems))
        lines = [f"{service} is needed, and can't be used:", *(f"- {each}" for each in self.problems), advice()]
        super().__init__("\n".join(lines))


class Settings(BaseModel):
    """What a service is used with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: ClassVar[str]
    """The service's name, as in the names of its variables."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, namespace: str | None = None) -> Self:
        """Read the service's variables: for a field `user` of a service `postgres`, `FLOE_POSTGRES_USER`.

        Where one is lacking that has to be there, and `FLOE_NAMESPACE` tells that the kubeconfig's cluster may be
        used, the namespace's connection ConfigMaps and its Secret of passwords are read as well.

        Args:
            environ: The variables; those of this process unless given.
            namespace: Where to look in Kubernetes; what `FLOE_NAMESPACE` says unless given.

        Raises:
            ServiceNotDescribedError: Names every variable that is missing or wrong, and says what to do.
        """
        place = Place.here(environ, namespace)
        values, problems = cls._given(place)
        problems += cls._locate(place, values)
        problems += [cls._not_set(field) for field in sorted(cls._needed() - values.keys() - {"host"})]
        try:
            model = cls.model_validate(values)
        except ValidationError as error:
            # Of the host it is told above what was tried to find it.
            problems += [cls._explain(each) for each in error.errors() if each["loc"] != ("host",)]
        else:
            if not problems:
                return model
        raise ServiceNotDescribedError(cls.service, problems)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the variable that gives a field."""
        return service_variable(cls.service, field.upper())

    @classmethod
    def _needed(cls) -> set[str]:
        """Return the fields that have to be given: those without a default, and what the contract promises."""
        required = {name for name, field in cls.model_fields.items() if field.is_required()}
        return (required | {end.lower() for end in SERVICE_VARIABLES.get(cls.service, ())}) - {"port"}

    @classmethod
    def _not_set(cls, field: str) -> str:
        return f"{cls.variable(field)} is not set"

    @classmethod
    def _given(cls, place: Place) -> tuple[dict[str, object], list[str]]:
        """Return what the variables say, by field, and why a cluster that may say more can't be asked."""
        values = {field: place.environ.get(cls.variable(field)) for field in cls.model_fields}
        given: dict[str, object] = {field: value for field, value in values.items() if value}
        if not cls._needed() - given.keys():
            return given, []
        try:
            told = place.connections
        except NamespaceUnreadableError as error:
            # Where the host is looked for in vain, that is told with the other ways to it.
            return given, [str(error)] if "host" in given else []
        # Not the host: the one that a pod would use is none for this process.
        others = {field: told.get(cls.variable(field)) for field in cls.model_fields if field != "host"}
        return {field: value for field, value in others.items() if value} | given, []

    @classmethod
    def _explain(cls, error: ErrorDetails) -> str:
        if error["type"] == "missing":
            return cls._not_set(str(error["loc"][0]))
        # An error of the model as a whole has no field.
        return ": ".join([*(cls.variable(str(field)) for field in error["loc"][:1]), error["msg"]])

    @classmethod
    def _locate(cls, place: Place, values: dict[str, object]) -> list[str]:  # noqa: ARG003 - for those that have a place
        """Complete the values with where the service is; return why that is not known."""
        return []


class ServiceConfig(Settings):
    """What is needed to reach a service that takes connections."""

    given_by: ClassVar[str | None] = None
    """The property, a URL, that may be given in place of its parts: host, port, `secure`, and `path` where one is."""

    host: str
    port: Port
    """A field called `…_port` is a further port of the same Kubernetes Service."""

    @property
    def address(self) -> str:
        """Host and port, for messages and URLs."""
        return f"{self.host}:{self.port}"

    @classmethod
    def _locate(cls, place: Place, values: dict[str, object]) -> list[str]:
        if "host" in values:
            return []
        usual = {name: field.get_default() for name, field in cls.model_fields.items() if name.endswith("port")}
        ports = {name: port for name in usual if (port := as_port(str(values.get(name, usual[name]))))}
        if len(ports) < len(usual):
            return [cls._not_set(name) for name in ("host", *usual) if name not in values and name not in ports]
        try:
            address = find(place, cls.service, ports.pop("port"))
            values |= {"host": address.host, "port": address.port}
            if address.how == PORT_FORWARD:
                values |= {name: forward(place, cls.service, port).port for name, port in ports.items()}
        except ServiceNotFoundError as error:
            return [str(error)]
        return []

    @model_validator(mode="before")
    @classmethod
    def _split_url(cls, given: object) -> object:
        """Take a URL apart, where the model can be given by one."""
        field = cls.given_by
        if field is None or not isinstance(given, Mapping) or field not in given:
            return given
        parts = {name: value for name, value in given.items() if name != field}
        told = _url_parts(field, str(given[field]))
        return parts | {name: value for name, value in told.items() if name in cls.model_fields}


def _url_parts(field: str, url: str) -> dict[str, object]:
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        message = f"{field} is no URL: {url!r}: {error}"
        raise ValueError(message) from None
    if split.scheme not in DEFAULT_PORTS or not split.hostname:
        message = f"{field} is no URL of http or https: {url!r}"
        raise ValueError(message)
    return {
        "host": split.hostname,
        "port": port or DEFAULT_PORTS[split.scheme],
        "secure": split.scheme == "https",
        "path": split.path,
    }
