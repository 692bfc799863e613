"""Add-ons in a cluster of somebody else's: those alone that the caller asks for by name, for as long as the run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from floe_ci.addons import Addons, definitions, group_of, namespace_of
from floe_ci.driver import deploy
from floe_ci.driver.apis import name_of
from floe_ci.errors import UserError, suggest
from floe_ci.existing import ownership, rights
from floe_ci.existing.kinds import Kind, Kinds
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from floe_ci.driver.apis import Apis
    from floe_ci.existing.rights import Right
    from floe_ci.manifests import Document
    from floe_ci.plan import Plan

INSTALL, THERE = "install", "there"
"""What a caller may say of an add-on: make it for the run, or use the one that the cluster has."""
SHOWN: Final = 6
"""How many objects of an add-on a refusal names."""
GONE: Final = 120.0
"""Seconds until the cluster has deleted what add-ons consist of."""
LOOKED_AT: Final = (
    ("", "pods", ("list",)),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
    ("discovery.k8s.io", "endpointslices", ("list",)),
)
"""What a run reads in the namespaces of its add-ons."""
VERBS: Final = ("get", "create", "patch", "list", "delete")
"""What it does with their objects."""


def answered(plan: Plan) -> Plan:
    """Return the plan without the add-ons that are there, as its caller says.

    Raises:
        UserError: The caller names what is no add-on of the tier, or says something else of one; all of it is told.
    """
    names, problems = list(plan.tier.addons), []
    for name, said in plan.request.addons.items():
        if name not in names:
            problems.append(f"{name}={said}: the tier has no such add-on; {suggest(name, names)}")
        elif said not in {INSTALL, THERE}:
            problems.append(f"{name}={said}: must be {name}={INSTALL} or {name}={THERE}")
    if problems:
        raise UserError.of(problems, "--addon")
    kept = {name: each for name, each in plan.addons.manifests.items() if plan.request.addons.get(name) != THERE}
    return replace(plan, addons=Addons(kept))


def check(apis: Apis, addons: Addons, said: Mapping[str, str], kinds: Kinds, context: str) -> None:
    """Refuse add-ons that nobody has asked for, that may not be made, or that are there already.

    Raises:
        UserError: It is so; what they consist of and the rights that they need are told.
        RunError: The cluster doesn't say.
    """
    if not addons.manifests:
        return
    every = frozenset(wanted(addons, kinds))
    unasked = {name: each for name, each in addons.manifests.items() if said.get(name) != INSTALL}
    if unasked:
        raise UserError("\n".join(_refusal(unasked, every, context)))
    grants = list(rights.granted(namespace_of, addons.all))
    rights.require(apis, every, grants)
    found = [_place(each) for each in addons.all.documents if _is_there(apis, each)]
    if found:
        told = [f"{each} is there already, and somebody else's" for each in found]
        told.append(f"use the add-on that is there, with --addon NAME={THERE}, or have it removed")
        raise UserError.of(told, f"context {context}")
    named = {namespace_of(each) for each in addons.all.documents}
    absent = named - addons.known_namespaces - _namespaces(apis)
    if absent:
        msg = f"context {context}: add-ons name namespaces that are not there: {', '.join(sorted(absent))}"
        raise UserError(msg)


def kinds_of(apis: Apis, addons: Addons) -> Kinds:
    """Return the kinds of all objects of add-ons, of which the cluster does not know yet what they bring themselves.

    Raises:
        UserError: It has no such kind, and none of them brings it; every one is named.
    """
    known = Kinds.of(apis, Manifests((*addons.definitions.documents, *addons.objects.documents))).known
    brought = {(each.group, each.kind): each for each in definitions(addons.all)}
    for document in addons.custom.documents:
        version, group = str(document.get("apiVersion", "")), group_of(document)
        if found := brought.get((group, document["kind"])):
            known[version, document["kind"]] = Kind(group, found.plural, found.namespaced)
        else:  # an API service's, which alone knows
            known[version, document["kind"]] = Kind(group, "*", namespaced=True)
    return Kinds(known)


def wanted(addons: Addons, kinds: Kinds) -> Iterator[Right]:
    """Yield what a run does to have its add-ons."""
    for document in addons.all.documents:
        kind = kinds[document]
        place = namespace_of(document) if kind.namespaced else ""
        yield from (rights.Right(place, kind.group, kind.plural, "", verb) for verb in VERBS)
        if document["kind"] in rights.WATCHED:
            yield rights.Right(place, kind.group, f"{kind.plural}/status", "", "get")
    for place in addons.namespaces:
        yield from (
            rights.Right(place, group, resource, "", verb) for group, resource, verbs in LOOKED_AT for verb in verbs
        )


def remove(  # noqa: PLR0913 - whose, what, and how
    apis: Apis,
    run_id: str,
    addons: Addons,
    *,
    hurry: bool = False,
    timeout: float = GONE,
    stop: threading.Event | None = None,
) -> None:
    """Delete what a run's add-ons consist of, each thing before those that it can't be without.

    Their namespaces and the kinds that they define are left: these go with all else that has the run's label.

    Args:
        apis: The cluster's.
        run_id: Whose they are; what doesn't carry its label stays.
        addons: What they consist of.
        hurry: The cluster is only told, and not waited for.
        timeout: Seconds until it must have deleted them.
        stop: Ends the wait for that when it is set.

    Raises:
        RunError: The cluster refuses, or something is left.
        Stopped: It was told to stop.
    """
    labels = deploy.labels(run_id)
    for stage in (addons.custom, addons.objects):
        told = [each for each in reversed(stage.documents) if apis.delete(each, namespace_of(each), labels)]
        if told and not hurry:
            apis.wait_until("the end of add-ons", partial(_left, apis, told), timeout=timeout, interval=1, stop=stop)


def delete_commands(apis: Apis, run_id: str, addons: Addons, known: Kinds) -> tuple[str, ...]:
    """Return the commands that delete what a run's add-ons have in namespaces that stay; the cluster isn't asked."""
    kinds = {str(known[each]) for each in addons.objects.documents if known[each].namespaced}
    if not kinds:
        return ()
    which = f"--selector={ownership.selector(run_id)}"
    return (apis.command("delete", ",".join(sorted(kinds)), "--all-namespaces", which, "--ignore-not-found"),)


def _left(apis: Apis, told: list[Document]) -> str | None:
    there = [_place(each) for each in told if _is_there(apis, each)]
    return f"there still is {', '.join(there)}" if there else None


def _refusal(unasked: Mapping[str, Manifests], needed: frozenset[Right], context: str) -> Iterator[str]:
    yield f"add-ons change a cluster for everybody in it, and context {context} is somebody's:"
    for name, each in unasked.items():
        shown = [_place(document) for document in each.documents[:SHOWN]]
        more = [f"… and {len(each.documents) - SHOWN} more"] if len(each.documents) > SHOWN else []
        yield f"  {name}: {', '.join([*shown, *more])}"
    said = " ".join(f"--addon {name}={INSTALL}" for name in unasked)
    yield f"say {said} to have them made for the run and deleted after it; or ={THERE}, if it has one"
    yield "making them needs these rights:"
    yield from rights.listed(needed)


def _is_there(apis: Apis, document: Document) -> bool:
    return apis.knows(document) and apis.read(document, namespace=namespace_of(document)) is not None


def _namespaces(apis: Apis) -> set[str]:
    return {each.metadata.name for each in apis.ask("namespaces", apis.core.list_namespace).items}


def _place(document: Document) -> str:
    named = document["metadata"].get("namespace")
    return f"{name_of(document)}{f' ({named})' if named else ''}"
