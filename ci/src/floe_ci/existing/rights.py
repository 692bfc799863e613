"""What a run has to be allowed in somebody else's cluster: all of it is asked for before anything is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from typing import TYPE_CHECKING, Any, Final

from kubernetes import client

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from floe_ci.driver.apis import Apis
    from floe_ci.existing.kinds import Kinds
    from floe_ci.manifests import Document, Manifests

RBAC: Final = "rbac.authorization.k8s.io"
AT_ONCE: Final = 8
"""Questions to the cluster at the same time."""

CLUSTER_WIDE: Final = (("", "namespaces", ("create", "list", "delete")), ("", "nodes", ("list",)))
"""What every run does outside of its namespace."""
IN_NAMESPACE: Final = (
    ("", "secrets", ("get", "create", "update")),
    ("", "pods", ("get", "list")),
    ("", "pods/log", ("get",)),
    # A command's connection is opened by a GET; newer clusters ask for `create` as well.
    ("", "pods/exec", ("get", "create")),
    ("", "events", ("list",)),
    ("batch", "jobs", ("delete",)),
    ("discovery.k8s.io", "endpointslices", ("list",)),
)
"""What every run does inside of it."""
WATCHED: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
"""The kinds whose status is read."""


@dataclass(frozen=True, order=True)
class Right:
    """One thing that somebody may do, or not."""

    namespace: str
    """Empty: in the cluster as a whole."""
    group: str
    resource: str
    """The plural of its kind, and after a slash the part of it."""
    name: str
    """Of the one object; empty: every one."""
    verb: str

    def what(self) -> str:
        """Return the objects that it is about."""
        plural, _, part = self.resource.partition("/")
        return "/".join(filter(None, (f"{plural}.{self.group}" if self.group else plural, self.name, part)))

    def attributes(self) -> client.V1ResourceAttributes:
        """Return it as the cluster is asked for it."""
        plural, _, part = self.resource.partition("/")
        return client.V1ResourceAttributes(
            group=self.group,
            resource=plural,
            subresource=part or None,
            verb=self.verb,
            namespace=self.namespace or None,
            name=self.name or None,
        )


@dataclass(frozen=True)
class Grant:
    """A role that the run makes or binds: nobody may hand out what they don't have, without a waiver."""

    waiver: Right
    """Lets one hand out anything with this role."""
    handed_out: tuple[Right, ...]


def check(apis: Apis, namespace: str, manifests: Manifests, kinds: Kinds, *, watching: bool = False) -> None:
    """Refuse a run that may not do all that it has to.

    A binding to a role that isn't part of the manifests is left to the cluster to judge. A run with shards is
    `watching` their pods.

    Raises:
        UserError: Rights are missing; every one is named.
        RunError: The cluster doesn't say.
    """
    needed = list(wanted(namespace, manifests, kinds))
    needed += [Right(namespace, "", "pods", "", "watch")] if watching else []
    require(apis, needed, list(granted(lambda _: namespace, manifests)))


def require(apis: Apis, needed: Collection[Right], grants: Collection[Grant]) -> None:
    """Refuse who does not have some rights, or may not hand out others.

    Raises:
        UserError: Rights are missing; every one is named.
        RunError: The cluster doesn't say.
    """
    handed_out = [right for grant in grants for right in (grant.waiver, *grant.handed_out)]
    may = ask(apis, {*needed, *handed_out})
    missing = {right for right in needed if not may[right]}
    missing |= {right for grant in grants if not may[grant.waiver] for right in grant.handed_out if not may[right]}
    if missing:
        raise UserError(describe(missing, apis.command("auth", "can-i", "--list")))


def describe(missing: Iterable[Right], look: str) -> str:
    """Return what is missing; `look` is the command that shows what is not."""
    end = f"have them granted, or name another context; `{look}` shows those that it has"
    return "\n".join(["this run needs rights that the context does not have:", *listed(missing), end])


def listed(some: Iterable[Right]) -> Iterator[str]:
    """Yield rights as lines for a reader, a line for each kind of objects."""
    for namespace, here in groupby(sorted(some), key=lambda right: right.namespace):
        yield f"  in namespace {namespace}:" if namespace else "  in the cluster as a whole:"
        for what, rights in groupby(here, key=Right.what):
            yield f"    {what}: {', '.join(right.verb for right in rights)}"


def wanted(namespace: str, manifests: Manifests, kinds: Kinds) -> Iterator[Right]:
    """Yield what the run does itself."""
    for place, rules in (("", CLUSTER_WIDE), (namespace, IN_NAMESPACE)):
        yield from (Right(place, group, resource, "", verb) for group, resource, verbs in rules for verb in verbs)
    for document in manifests.documents:
        kind = kinds[document]
        place = namespace if kind.namespaced else ""
        verbs = ("create", "patch") if kind.namespaced else ("create", "patch", "list", "delete")
        yield from (Right(place, kind.group, kind.plural, "", verb) for verb in verbs)
        if document["kind"] in WATCHED:
            yield Right(place, kind.group, f"{kind.plural}/status", "", "get")


def granted(place_of: Callable[[Document], str], manifests: Manifests) -> Iterator[Grant]:
    """Yield what the manifests' own roles hand out, for those who make them and for those who bind them.

    Args:
        place_of: Returns the namespace that an object is in, if it belongs to one.
        manifests: The objects.
    """

    def whole_name(kind: str, name: str, namespace: str) -> tuple[str, str, str]:
        # Of one name there may be a Role in each namespace, and one ClusterRole.
        return kind, name, "" if kind == "ClusterRole" else namespace

    roles = {
        whole_name(each["kind"], each["metadata"]["name"], place_of(each)): each
        for each in manifests.documents
        if "rules" in each
    }
    for (kind, name, namespace), role in roles.items():
        yield Grant(_waiver("escalate", kind, name, namespace), _rights(role, namespace))
    for binding in manifests.documents:
        ref, namespace = binding.get("roleRef") or {}, place_of(binding)
        bound = roles.get(whole_name(ref.get("kind", ""), ref.get("name", ""), namespace))
        if bound:
            place = "" if binding["kind"] == "ClusterRoleBinding" else namespace
            yield Grant(_waiver("bind", bound["kind"], ref["name"], place), _rights(bound, place))


def ask(apis: Apis, rights: Iterable[Right]) -> Mapping[Right, bool]:
    """Ask the cluster which of these rights one has."""
    api = client.AuthorizationV1Api(apis.core.api_client)

    def may(right: Right) -> bool:
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=right.attributes())
        review = apis.ask(
            "rights", lambda: api.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
        )
        return bool(review.status.allowed)

    asked = sorted(rights)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(asked, pool.map(may, asked), strict=True))


def _waiver(verb: str, kind: str, name: str, namespace: str) -> Right:
    return Right(namespace, RBAC, f"{kind.lower()}s", name, verb)


def _rights(role: Document, namespace: str) -> tuple[Right, ...]:
    # A ClusterRole that gathers others has none of its own, and paths of the API are nobody's objects.
    rules: list[dict[str, Any]] = role["rules"] or []
    return tuple(
        Right(namespace, group, resource, name, verb)
        for rule in rules
        for group, resource, verb, name in product(
            rule.get("apiGroups") or (), rule.get("resources") or (), rule["verbs"], rule.get("resourceNames") or ("",)
        )
    )
