"""Rendered Kubernetes manifests: what they refer to, and what a run changes in them."""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, Self

import yaml

from floe_ci.errors import UserError

Document = dict[str, Any]

_WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")
_TEMPLATE_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind keeps its pod template."""

_DEEP: Final = 400
"""Levels that whatever is done with a document has room for: the slow loader refuses one that is deeper."""
_INDENT: Final = " -?:"
"""What a line of a block may begin with, a level or more each."""


class _KubectlScalars:
    """Reads plain scalars as kubectl does: no dates, no numbers in base 60, and `1e3` is a number."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}


class _Loader(_KubectlScalars, yaml.SafeLoader):
    """Refuses what is nested too deep with a `RecursionError`."""


class _FastLoader(_KubectlScalars, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # wheels have libyaml
    """Reads ten times as fast; what is nested some ten thousand deep ends the process."""


class _Dumper(yaml.SafeDumper):
    """Quotes each string that another reader could take for a number: a run id such as `1e23`."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


for _tag, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*|0[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    for _loader in (_Loader, _FastLoader):
        _loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), _first)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = None if re.match(r"[A-Za-z/]{2}", text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


class Located(NamedTuple):
    """A value of a YAML text, and the line where its document starts."""

    line: int
    value: Any


def read_documents(text: str, where: str) -> list[Located]:
    """Return the documents of a YAML text that aren't empty."""
    try:
        return [item for item in _compose(_loader_of(text)) if item.value is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        msg = f"{where}: not valid YAML: {place}{error.problem or error.context}"
        raise UserError(msg) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"{where}: not valid YAML: {' '.join(str(error).split())}"
        raise UserError(msg) from None


def _loader_of(text: str) -> _Loader | _FastLoader:
    """Return the fast one, unless the text may be nested deep: by brackets, or by two levels in a column."""
    columns = max(len(line) - len(line.lstrip(_INDENT)) for line in text.split("\n"))
    may_be_deep = text.count("[") + text.count("{") + 2 * columns > _DEEP
    return _Loader(text) if may_be_deep else _FastLoader(text)


def _compose(loader: _Loader | _FastLoader) -> Iterator[Located]:
    while loader.check_node():
        node = loader.get_node()
        if node is not None:
            yield Located(node.start_mark.line + 1, loader.construct_document(node))


@dataclass(frozen=True)
class Manifests:
    """Kubernetes objects, in the order of their text."""

    documents: tuple[Document, ...]

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Return the objects of a YAML text; `where` names it in messages."""
        objects = [item for document in read_documents(text, where) for item in _items(document)]
        problems = [f"line {line}: {problem}" for line, value in objects if (problem := _lack(value))]
        if problems:
            raise UserError.of(problems, where)
        return cls(tuple(item.value for item in objects))

    def images(self) -> tuple[str, ...]:
        """Return every image of the pod templates, sorted, each once."""
        return tuple(sorted({item["image"] for item in containers(self.documents) if item.get("image")}))

    def credential_keys(self, secret_name: str) -> tuple[str, ...]:
        """Return every key that a `secretKeyRef` takes from that Secret, sorted."""
        refs = (value for document in self.documents for value in _find(document, "secretKeyRef"))
        return tuple(sorted({ref["key"] for ref in refs if ref.get("name") == secret_name and "key" in ref}))

    def connection_configmaps(self, label: str) -> tuple[str, ...]:
        """Return the names of the ConfigMaps that carry `label` with the value "true"."""
        return tuple(document["metadata"]["name"] for document in self._connections(label))

    def connection_variables(self, label: str) -> dict[str, str]:
        """Return the entries of those ConfigMaps; two that disagree are a `UserError`."""
        variables: dict[str, str] = {}
        problems = []
        for document in self._connections(label):
            for key, value in (document.get("data") or {}).items():
                place = f"ConfigMap {document['metadata']['name']}: {key}"
                if not isinstance(value, str):
                    problems.append(f"{place}: must be a string in quotes, not {value}")
                elif variables.setdefault(key, value) != value:
                    problems.append(f"{place}: another ConfigMap gives it another value")
        if problems:
            raise UserError.of(problems, "manifests")
        return variables

    def only(self, kind: str) -> Self:
        """Return the objects of a kind."""
        return type(self)(tuple(item for item in self.documents if item["kind"] == kind))

    def without(self, kind: str) -> Self:
        """Return the objects of other kinds."""
        return type(self)(tuple(item for item in self.documents if item["kind"] != kind))

    def workloads(self) -> tuple[tuple[str, str], ...]:
        """Return kind and name of each object that keeps pods running."""
        return tuple((item["kind"], item["metadata"]["name"]) for item in self.documents if item["kind"] in _WORKLOADS)

    def jobs(self) -> tuple[str, ...]:
        """Return the name of each Job."""
        return tuple(item["metadata"]["name"] for item in self.documents if item["kind"] == "Job")

    def pods(self) -> tuple[str, ...]:
        """Return the name of each pod that nothing else keeps running."""
        return tuple(item["metadata"]["name"] for item in self.documents if item["kind"] == "Pod")

    def selecting_services(self) -> dict[str, Document]:
        """Return the specification of each Service that has pods of its own choice behind it, by its name."""
        return {
            item["metadata"]["name"]: item["spec"]
            for item in self.documents
            # Other things are called a Service too.
            if item["kind"] == "Service" and item.get("apiVersion") == "v1" and (item.get("spec") or {}).get("selector")
        }

    def labelled(self, labels: Mapping[str, str]) -> Self:
        """Return the objects, and their pod templates, with `labels` added; selectors can't change.

        What a pod template says of itself stays: a selector may ask for it.
        """
        documents = deepcopy(self.documents)
        for item in documents:
            metadata = item["metadata"] = item.get("metadata") or {}
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        for item in _templates(documents):
            metadata = item["metadata"] = item.get("metadata") or {}
            metadata["labels"] = {**labels, **(metadata.get("labels") or {})}
        return type(self)(documents)

    def with_images(self, mapping: Callable[[str], str]) -> Self:
        """Return the objects with each image replaced by what `mapping` makes of it."""
        documents = deepcopy(self.documents)
        for item in containers(documents):
            if item.get("image"):
                item["image"] = mapping(item["image"])
        return type(self)(documents)

    def to_yaml(self) -> str:
        """Return the objects as text for `kubectl apply`."""
        return yaml.dump_all(self.documents, Dumper=_Dumper, sort_keys=False, explicit_start=True, allow_unicode=True)

    def _connections(self, label: str) -> list[Document]:
        return [
            item
            for item in self.documents
            if item["kind"] == "ConfigMap" and (item["metadata"].get("labels") or {}).get(label) == "true"
        ]


def containers(
    documents: tuple[Document, ...], fields: tuple[str, ...] = ("initContainers", "containers")
) -> Iterator[Document]:
    """Yield the containers of the pod templates within `documents`, those of some fields."""
    for template in _templates(documents):
        spec = template.get("spec") or {}
        for field in fields:
            yield from spec.get(field) or []


def _items(document: Located) -> list[Located]:
    """Return the objects of a `List`, or else the document alone."""
    value = document.value
    if isinstance(value, dict) and str(value.get("kind")).endswith("List") and isinstance(value.get("items"), list):
        return [Located(document.line, item) for item in value["items"]]
    return [document]


def _lack(value: object) -> str | None:
    if not isinstance(value, dict):
        return "not a Kubernetes object: must be a mapping with kind and metadata.name"
    if not isinstance(value.get("kind"), str):
        return "not a Kubernetes object: it has no kind"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return f"the {value['kind']} has no metadata.name"
    return None


def _templates(documents: tuple[Document, ...]) -> Iterator[Document]:
    """Yield the pod templates within `documents`; a Pod is its own."""
    for document in documents:
        path = _TEMPLATE_PATHS.get(document["kind"])
        if path is None:
            continue
        template: Any = document
        for key in path:
            template = template.get(key) if isinstance(template, dict) else None
        if isinstance(template, dict):
            yield template


def _find(value: object, key: str) -> Iterator[Document]:
    """Yield each mapping that stands under `key`, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get(key), dict):
            yield value[key]
        for inner in value.values():
            yield from _find(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _find(inner, key)
