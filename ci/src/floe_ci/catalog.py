"""The services that there are: each is one folder, of this package or of a repository.

A folder holds the manifests of a service and a `service.toml`, which says what can't be read from them. Its name is the
service's, and its variables are those of its connection ConfigMaps and of the passwords that its manifests ask for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from floe_ci import bundled
from floe_ci.contract import CREDENTIALS_SECRET, LABEL_CONNECTION
from floe_ci.errors import UserError, suggest
from floe_ci.growth import PerShard
from floe_ci.growth import faults as faults_of_growth
from floe_ci.images import Reference
from floe_ci.manifests import Manifests, read_documents
from floe_ci.tables import Table, Text, Value, problem, read
from floe_ci.templates import faults
from floe_ci.toml_files import parse_toml, read_text

FILE: Final = "service.toml"
KUSTOMIZATION: Final = "kustomization.yaml"
PACKAGE: Final = "k8s/base"
"""Where this package's services are, in the folder that manifests are rendered in."""
REPOSITORY: Final = "source"
"""Where the repository is there."""
_NAME: Final = r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?"


def _reference(text: str) -> str:
    module, colon, name = text.partition(":")
    if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        reason = f'must be a module and a name in it, such as "shop.search:SERVICE", not "{text}"'
        raise problem(reason)
    return text


class Ready(Table):
    """How a process tells that it is ready; without any of it, its port takes connections."""

    http: Text | None = None
    """A path that answers with a code of success."""
    command: tuple[Text, ...] = ()
    """A command that exits with 0."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.http is None) == (not self.command):
            reason = "must have one of 'http', a path, and 'command', a list of strings"
            raise problem(reason)
        return self


class Local(Table):
    """How a service runs on a machine, without a container."""

    service: Annotated[Text, AfterValidator(_reference)] | None = None
    """The `LocalService` that knows how, as `module:name`. In its place:"""
    command: tuple[Value, ...] = ()
    """What starts it; `${NAME}` stands for a variable of its own, or of a service that it needs."""
    origin: Text = "a process of this machine"
    """What it is there, for the first lines of a run."""
    environment: Mapping[str, Value] = Field(default_factory=dict)
    """Further variables of the process; `${NAME}` as in the command."""
    port: Text | None = None
    """The Kubernetes Service whose port it listens at, where the manifests have several."""
    ready: Ready | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.service is None) == (not self.command):
            reason = "must have one of 'service', as module:name, and 'command', a list of strings"
            raise problem(reason)
        return self


class Description(Table):
    """What `service.toml` says."""

    about: Text
    """What it is in a cluster, in a few words."""
    needs: tuple[Text, ...] = ()
    """The services that it can't be without."""
    clients: tuple[Text, ...] = ()
    """Packages that speak to it: who depends on one most likely needs it."""
    per_shard: Mapping[str, PerShard] = Field(default_factory=dict)
    """What each further shard of a run adds to its workloads, by their names."""
    local: Local | None = None
    """How it runs on this machine; None: by an entry point, or not at all."""


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    path: str
    """Where its folder is, in the folder that manifests are rendered in."""
    folder: Path
    """Where it was read from."""
    description: Description
    texts: Mapping[str, str]
    """The files that its `kustomization.yaml` names as resources."""
    is_whole: bool = True
    """Whether these are all of them: folders, and what is elsewhere, are not read."""

    @classmethod
    def read(cls, folder: Path, path: str) -> Self:
        """Read a folder.

        Raises:
            UserError: It is no service's.
        """
        text = read_text(folder / FILE)
        if text is None:
            msg = f"{path}: there is no {FILE} in it, which says what the service is"
            raise UserError(msg)
        where = f"{path}/{FILE}"
        description = read(Description, parse_toml(text, where), where)
        listed = read_text(folder / KUSTOMIZATION)
        if listed is None:
            msg = f"{path}: there is no {KUSTOMIZATION} in it, which lists its manifests"
            raise UserError(msg)
        resources = _resources(listed, f"{path}/{KUSTOMIZATION}")
        texts = {each: text for each in resources if (text := _file(folder / each)) is not None}
        return cls(folder.name, path, folder, description, texts, len(texts) == len(resources))

    @property
    def is_of_package(self) -> bool:
        """Whether it is one of this package's."""
        return self.path.startswith(f"{PACKAGE}/")

    @property
    def shown(self) -> str:
        """Where its folder is, for messages: as its own repository calls it."""
        return self.path.removeprefix(f"{REPOSITORY}/")

    @cached_property
    def manifests(self) -> Manifests:
        """Its manifests, as they are written.

        Raises:
            UserError: One of them is none.
        """
        parsed = (Manifests.parse(text, f"{self.path}/{name}") for name, text in self.texts.items())
        return Manifests(tuple(document for each in parsed for document in each.documents))

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of its Kubernetes Services, each of which stands for a port."""
        return tuple(each["metadata"]["name"] for each in self.manifests.documents if each["kind"] == "Service")


@dataclass(frozen=True)
class Catalog:
    """The services that there are for a run."""

    services: Mapping[str, Service]

    @classmethod
    def of_package(cls) -> "Catalog":
        """Return this package's own services."""
        return _of_package()

    @classmethod
    def read(cls, base: Path) -> Self:
        """Return the services of a folder that is this package's, or a copy of it."""
        folders = sorted(path for path in base.iterdir() if path.is_dir())
        return cls({folder.name: Service.read(folder, f"{PACKAGE}/{folder.name}") for folder in folders})

    def with_folders(self, source: Path, folders: Iterable[str]) -> "Catalog":
        """Return the catalog with the services that a repository has in some folders.

        Raises:
            UserError: A folder is not there or has none, or one of them is not a service's: every problem is told.
        """
        found, problems = dict(self.services), list[str]()
        for service in _services(source, folders, problems):
            if other := found.get(service.name):
                problems.append(f"{service.path}: there is {other.path} of that name; call it something else")
            else:
                found[service.name] = service
        catalog = Catalog(found)
        for service in found.values():
            problems += [
                f'{service.path}/{FILE}: needs: unknown service "{need}"; {suggest(need, found)}'
                for need in service.description.needs
                if need not in found
            ]
        if not problems:
            own = [each for each in found.values() if not each.is_of_package]
            problems = [fault for each in own for fault in (*_faults(catalog, each), *growth_faults(each))]
        if problems:
            plain = [each.removeprefix(f"{REPOSITORY}/") for each in problems]
            raise UserError.of(plain, "tool.floe-ci.service-folders")
        return catalog

    def needs(self, name: str) -> tuple[str, ...]:
        """Return the services that one can't be without, and those that they need in turn."""
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            more = [each for each in self.services[waiting.pop()].description.needs if each not in found]
            found |= dict.fromkeys(more)
            waiting += more
        return tuple(each for each in found if each != name)

    def passwords(self, name: str) -> tuple[str, ...]:
        """Return the variables of a service that are generated for a run: those that it asks for, and no other's."""
        needed = {key for each in self.needs(name) for key in _keys(self.services[each])}
        return tuple(key for key in _keys(self.services[name]) if key not in needed)

    def variables(self, name: str) -> tuple[str, ...]:
        """Return the variables by which tests reach a service."""
        public = self.services[name].manifests.connection_variables(LABEL_CONNECTION)
        return (*public, *self.passwords(name))

    def bringing(self, variable: str) -> str | None:
        """Return the service that has a variable, if there is one."""
        return next((name for name in self.services if variable in self.variables(name)), None)

    def image_folder(self, image: Reference) -> str:
        """Return where an image is built from, in the folder that manifests are rendered in.

        Raises:
            UserError: No service is called like it.
        """
        service = self.services.get(image.repository)
        if service is None:
            hint = suggest(image.repository, self.services)
            msg = f"the image {image.name} can't be built: no service is called '{image.repository}'; {hint}"
            raise UserError(msg)
        return f"{service.path}/image"

    @property
    def per_shard(self) -> dict[str, PerShard]:
        """What each further shard of a run adds to the services' workloads, by the workloads' names."""
        return per_shard(self.services.values())

    def suggested(self, packages: Iterable[str]) -> tuple[str, ...]:
        """Return the services that a repository with these dependencies most likely needs, first what others need."""
        known = set(packages)
        chosen = {name for name, each in self.services.items() if known.intersection(each.description.clients)}
        chosen |= {need for name in chosen for need in self.needs(name)}
        return tuple(sorted(chosen, key=lambda name: (len(self.needs(name)), name)))


def per_shard(services: Iterable[Service]) -> dict[str, PerShard]:
    """Return what each further shard of a run adds to the workloads of some services, by the workloads' names."""
    return {name: each for service in services for name, each in service.description.per_shard.items()}


@cache
def _of_package() -> Catalog:
    return Catalog.read(bundled.manifests() / "base")


def _faults(catalog: Catalog, service: Service) -> Iterator[str]:
    """Yield what is wrong with the command that runs a service on a machine."""
    local = service.description.local
    if local is None or not local.command:
        return
    where = f"{service.path}/{FILE}: local"
    known = [each for name in (service.name, *service.description.needs) for each in catalog.variables(name)]
    ready = local.ready.command if local.ready else ()
    for text in (*local.command, *local.environment.values(), *ready):
        for fault in faults(text, known):
            yield f"{where}: {fault}"
    if local.port is not None and local.port not in service.ports:
        hint = suggest(local.port, service.ports)
        yield f"{where}.port: the manifests have no Service '{local.port}'; {hint}"
    if local.port is None and len(service.ports) != 1:
        names = ", ".join(service.ports) or "none"
        yield f"{where}.port: is needed where the manifests don't have one Service ({names}): whose port it listens at"


def growth_faults(service: Service) -> Iterator[str]:
    """Yield what is wrong with what a service says of further shards: it is of no workload, or of what that lacks."""
    where = f"{service.path}/{FILE}: per-shard"
    workloads = [name for _, name in service.manifests.workloads()]
    for name in service.description.per_shard:
        if service.is_whole and name not in workloads:
            yield f"{where}.{name}: the manifests have no workload of that name; {suggest(name, workloads)}"
    for fault in faults_of_growth(service.manifests, service.description.per_shard):
        yield f"{where}.{fault}"


def _resources(kustomization: str, where: str) -> tuple[str, ...]:
    found = [each.value for each in read_documents(kustomization, where)]
    listed = found[0].get("resources") if len(found) == 1 and isinstance(found[0], dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        msg = f"{where}: must be one Kustomize document with a list 'resources'"
        raise UserError(msg)
    return tuple(listed)


def _file(path: Path) -> str | None:
    """Return the text of a resource that is a file; a folder's and a remote one's are Kustomize's to read."""
    return read_text(path) if path.is_file() else None


def _keys(service: Service) -> tuple[str, ...]:
    return service.manifests.credential_keys(CREDENTIALS_SECRET)


def _services(source: Path, folders: Iterable[str], problems: list[str]) -> Iterator[Service]:
    """Yield the services of a repository's folders; what is none is added to the problems."""
    for name in folders:
        path = source / name
        inner = sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []
        inner = [each for each in inner if not each.name.startswith((".", "_"))]
        if not inner:
            problems.append(f"{name}: {'no service in it' if path.is_dir() else 'there is no such folder'}")
        for folder in inner:
            try:
                yield _checked(folder, f"{REPOSITORY}/{name.strip('/')}/{folder.name}")
            except UserError as error:
                problems.append(str(error))


def _checked(folder: Path, path: str) -> Service:
    """Return a repository's service, with nothing in it that is told only when it is used."""
    if not re.fullmatch(_NAME, folder.name):
        msg = f"{path}: a service's name has lower-case letters, digits and '-', and begins with no '-'"
        raise UserError(msg)
    service = Service.read(folder, path)
    service.manifests.connection_variables(LABEL_CONNECTION)
    return service
