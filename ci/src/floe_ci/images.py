"""Image references, and the one file that pins the public ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from floe_ci.errors import UserError, suggest

BUILT_HOST: Final = "floe.local"
"""The host of images that the module builds itself: no registry answers there."""

_DOCKER_HUB: Final = "docker.io"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_KUBERNETES: Final = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+)")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True)
class Reference:
    """An image by its full name: nothing is left to a tool's default."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the reference that `text` means to Docker: Docker Hub and the tag `latest` are implied."""
        name, _, digest = text.partition("@")
        name, tag = _split_tag(name)
        host, repository = _split_host(name)
        problem = _fault(host, repository, tag, digest if "@" in text else None)
        if problem:
            msg = f"'{text}' is not an image reference: {problem}"
            raise UserError(msg)
        if tag is None and not digest:
            tag = "latest"
        return cls(host, repository, tag, digest or None)

    @property
    def name(self) -> str:
        """Host and repository, without tag or digest."""
        return f"{self.host}/{self.repository}"

    @property
    def tagged(self) -> str:
        """The reference without its digest."""
        return f"{self.name}:{self.tag}" if self.tag else self.name

    @property
    def canonical(self) -> str:
        """The whole reference, with its host, tag and digest."""
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged

    @property
    def is_built(self) -> bool:
        """Whether the module builds this image, so that it can't be pulled."""
        return self.host == BUILT_HOST

    def at(self, registry: str) -> Self:
        """Return the same image, by tag, in another registry: a host with or without a folder.

        The digest is dropped: a mirror may hold one platform only, and so another digest.
        """
        if self.tag is None:
            msg = f"{self.canonical} has no tag, so it can't be taken from {registry}: name it by tag"
            raise UserError(msg)
        host, folder = _split_registry(registry)
        return replace(self, host=host, repository="/".join([*folder, self.repository]), digest=None)

    def with_tag(self, tag: str) -> Self:
        """Return the reference with another tag and no digest, which belonged to the old one."""
        problem = _fault(self.host, self.repository, tag, None)
        if problem:
            msg = f"{self.name} can't have the tag '{tag}': {problem}"
            raise UserError(msg)
        return replace(self, tag=tag, digest=None)

    def __str__(self) -> str:
        """Return the whole reference."""
        return self.canonical


@dataclass(frozen=True)
class Images:
    """The pinned public images, by name."""

    references: Mapping[str, Reference]
    where: str

    @classmethod
    def parse(cls, kustomization_text: str, where: str) -> Self:
        """Return the images of a Kustomize component; every problem of its list is told at once."""
        references: dict[str, Reference] = {}
        problems = []
        for index, entry in enumerate(_entries(kustomization_text, where)):
            try:
                name, reference = _pin(entry)
            except UserError as error:
                problems.append(f"images[{index}]: {error}")
                continue
            if name in references:
                problems.append(f"images[{index}]: {name} stands there twice")
            references[name] = reference
        if problems:
            raise UserError.of(problems, where)
        return cls(references, where)

    def reference(self, name: str) -> str:
        """Return the full reference of the image called `name`, with its digest where it is known."""
        known = self.references.get(Reference.parse(name).name)
        if known is None:
            short = (key.removeprefix("docker.io/").removeprefix("library/") for key in self.references)
            msg = f"{self.where}: no image is called '{name}'; {suggest(name, short)}"
            raise UserError(msg)
        return known.canonical


def _entries(text: str, where: str) -> list[Any]:
    from floe_ci.manifests import read_documents  # noqa: PLC0415 - who only names an image needs no YAML

    documents = read_documents(text, where)
    value = documents[0].value if len(documents) == 1 else None
    entries = value.get("images") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        msg = f"{where}: must be one Kustomize component with a list 'images'"
        raise UserError(msg)
    return entries


def _pin(entry: object) -> tuple[str, Reference]:
    """Return an entry's name in full, and what it is pinned to."""
    if not isinstance(entry, dict) or "name" not in entry:
        msg = "must be a mapping with a name"
        raise UserError(msg)
    for key, value in entry.items():
        # An unquoted 17.10 is the number 17.1, another tag.
        if not isinstance(value, str):
            msg = f"{key}: must be a string in quotes, not {value}"
            raise UserError(msg)
    tag = f":{entry['newTag']}" if entry.get("newTag") else ""
    digest = f"@{entry['digest']}" if entry.get("digest") else ""
    if not tag and not digest:
        msg = f"{entry['name']} has neither newTag nor digest"
        raise UserError(msg)
    pinned = Reference.parse(f"{entry.get('newName') or entry['name']}{tag}{digest}")
    return Reference.parse(entry["name"]).name, pinned


def _split_tag(name: str) -> tuple[str, str | None]:
    """Cut the tag off; a colon before the last slash belongs to a port."""
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{head}{slash}{last}", tag if colon else None


def _split_host(name: str) -> tuple[str, str]:
    """Tell host from repository as Docker does: a host has a dot or a colon, or is `localhost`."""
    first, slash, rest = name.partition("/")
    if slash and _is_host(first):
        host, repository = first, rest
    else:
        host, repository = _DOCKER_HUB, name
    if host == f"index.{_DOCKER_HUB}":
        host = _DOCKER_HUB
    if host == _DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository


def _is_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost"


def _split_registry(registry: str) -> tuple[str, list[str]]:
    host, _, folder = registry.rstrip("/").partition("/")
    if "://" in registry:
        problem = "leave out the scheme"
    elif not _is_host(host) or not _HOST.fullmatch(host):
        problem = "a registry is a host such as 127.0.0.1:5000 or mirror.example.com/hub"
    elif folder and not _PATH.fullmatch(folder):
        problem = f"'{folder}' is not a repository's folder"
    else:
        return host, [folder] if folder else []
    msg = f"'{registry}' is not a registry: {problem}"
    raise UserError(msg)


def _fault(host: str, repository: str, tag: str | None, digest: str | None) -> str | None:
    """Return what is wrong with the parts of a reference."""
    if not _HOST.fullmatch(host):
        return f"'{host}' is not a host"
    if not _PATH.fullmatch(repository):
        name = repository.removeprefix("library/")
        return f"'{name}' is not a repository (lower-case letters and digits, joined by '.', '_', '-' or '/')"
    if tag is not None and not _TAG.fullmatch(tag):
        return f"'{tag}' is not a tag"
    if digest is not None and not _DIGEST.fullmatch(digest):
        return f"'{digest}' is not a digest (sha256: and 64 hexadecimal digits)"
    return None


def node_image_of(image: str, version: str) -> str:
    """Return the node image that the caller wants; empty: the pinned one."""
    if image and version:
        msg = "--node-image and --kubernetes-version both name a node image: give one of them"
        raise UserError(msg)
    return image or (f"kindest/node:v{version.removeprefix('v')}" if version else "")


def version_of(node_image: Reference) -> str:
    """Return the version of Kubernetes that a node image's tag says, such as `1.34.4`; empty where it says none."""
    found = _KUBERNETES.fullmatch(node_image.tag or "")
    return found[1] if found else ""
