"""Puts add-ons into a cluster, in an order that works, and waits until what they bring is to be had."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.addons import API_SERVICE, DEFINITION, LABEL, WEBHOOKS, backends, digest, namespace_of
from floe_ci.driver import deploy, ready
from floe_ci.driver.apis import name_of
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from floe_ci.addons import Addons
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Document

CONDITIONS: Final = {DEFINITION: "Established", API_SERVICE: "Available"}
"""What is true of an object of such a kind when it can be used."""


def apply(apis: Apis, spec: RunSpec, addons: Addons, stop: threading.Event | None = None) -> None:
    """Apply what add-ons consist of, but for API services, and objects of the kinds that they bring themselves.

    Raises:
        RunError: The cluster refuses something, has it from somebody else, or does not know a kind in time.
        Stopped: It was told to stop.
    """
    definitions = addons.definitions
    _put(apis, spec, definitions, stop)
    _wait(apis, spec, "the kinds that add-ons define", definitions, stop)
    _put(apis, spec, addons.objects.without(API_SERVICE), stop)


def apply_others(apis: Apis, spec: RunSpec, others: Manifests, stop: threading.Event | None = None) -> None:
    """Apply other manifests, into the run's namespace; the kinds that they define themselves come first.

    Raises:
        RunError: The cluster refuses something, or does not know a kind in time.
        Stopped: It was told to stop.
    """
    first = others.only(DEFINITION)
    deploy.apply(apis, spec, first, stop)
    _wait(apis, spec, "the kinds that manifests define", first, stop)
    deploy.apply(apis, spec, others.without(DEFINITION), stop)


def selector(spec: RunSpec) -> str:
    """Return what selects the pods of a run's add-ons: in somebody's cluster other runs may have theirs beside them."""
    return f"{LABEL},{contract.LABEL_RUN_ID}={spec.run_id}" if spec.addons_of_run else LABEL


def wait(apis: Apis, spec: RunSpec, addons: Addons, stop: threading.Event | None = None) -> None:
    """Wait until the add-ons are ready, then apply their API services, and the objects of the kinds that they bring.

    An API service comes when somebody answers for it: the API server keeps the first connection that it gets, wherever
    that leads, and meanwhile no namespace can be deleted.

    Raises:
        RunError: Something does not become ready, or the cluster refuses it.
        OutOfMemory: A pod of theirs took more memory than it may.
        Stopped: It was told to stop.
    """
    objects = addons.objects
    for namespace in addons.namespaces:
        at = spec.model_copy(update={"namespace": namespace})
        what = f"add-ons in namespace {namespace}"
        ready.wait_for_services(apis, at, addons.within(namespace), stop, what=what, selector=selector(spec))
    _put(apis, spec, objects.only(API_SERVICE), stop)
    _wait(apis, spec, "what add-ons answer for", objects, stop)
    _put(apis, spec, addons.custom, stop)


def _put(apis: Apis, spec: RunSpec, manifests: Manifests, stop: threading.Event | None) -> None:
    """Apply each object that is not there as it is to be."""
    run = deploy.labels(spec.run_id) if spec.addons_of_run else {}
    for document in manifests.documents:
        labels = {LABEL: digest(document), **run}
        namespace = namespace_of(document)
        found = apis.read(document, namespace=namespace, stop=stop)
        there = ((found or {}).get("metadata") or {}).get("labels") or {}
        if found and run and there.get(contract.LABEL_RUN_ID) != spec.run_id:
            msg = f"{name_of(document)} is there already, and somebody else's"
            raise RunError(msg)
        if there.get(LABEL) != labels[LABEL]:
            (labelled,) = Manifests((document,)).labelled(labels).documents
            apis.apply(
                (labelled,),
                namespace=namespace,
                manager=deploy.MANAGER,
                # In a cluster of ours, what its own controllers have filled in is theirs to fill in again.
                force=not run,
                owner={LABEL: there[LABEL]} if LABEL in there else None,
                stop=stop,
            )


def _wait(apis: Apis, spec: RunSpec, what: str, manifests: Manifests, stop: threading.Event | None) -> None:
    """Wait until the cluster has taken up what it is to use of some objects."""
    documents = [each for each in manifests.documents if each["kind"] in {*CONDITIONS, *WEBHOOKS}]

    def observe() -> str | None:
        states = [state for each in documents for state in _states(apis, each)]
        return ", ".join(states) or None

    if documents:
        apis.wait_until(what, observe, timeout=spec.timeouts.services, stop=stop)


def _states(apis: Apis, document: Document) -> Iterator[str]:
    """Yield what an object still lacks to be used."""
    found = apis.read(document)
    if found is None:
        yield f"{name_of(document)}: not there"
        return
    if wanted := CONDITIONS.get(document["kind"]):
        met = {each["type"]: each for each in (found.get("status") or {}).get("conditions") or ()}
        if met.get(wanted, {}).get("status") != "True":
            said = met.get(wanted, {}).get("message")
            yield f"{name_of(document)}: not {wanted.lower()}{f' ({said})' if said else ''}"
    if document["kind"] == DEFINITION:
        yield from (f"{kind['kind']}: not known yet" for kind in _kinds(document) if not apis.knows(kind))
    for webhook in found.get("webhooks") or ():
        client = webhook.get("clientConfig") or {}
        if client.get("service") and not client.get("caBundle"):
            yield f"{name_of(document)}: nobody has given it a caBundle yet"
    if document["kind"] in WEBHOOKS:
        there = (partial(ready.endpoint_state, apis, each.name, each.namespace) for each in backends(document))
        yield from filter(None, (state() for state in there))


def _kinds(definition: Document) -> Iterator[Document]:
    """Yield `apiVersion` and `kind` of what a definition brings."""
    spec = definition["spec"]
    for version in spec.get("versions") or ():
        if version.get("served", True):
            yield {"apiVersion": f"{spec['group']}/{version['name']}", "kind": spec["names"]["kind"]}
