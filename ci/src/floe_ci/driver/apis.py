"""What the driver talks to one cluster through: the API's clients, with a time limit on every call."""

from __future__ import annotations

import json
import os
import shlex
import time
from functools import cached_property
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient, LazyDiscoverer, Resource
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from floe_ci.driver import poll
from floe_ci.errors import LastingError, RunError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubernetes.client import V1Pod

    from floe_ci.manifests import Document

TIME_LIMIT: Final = (5, 20)
"""Seconds until a connection must be there, and between two pieces of an answer."""
AT_ONCE: Final = 100
"""Connections that are kept for the next call."""
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared, not listened on
RECOVERY: Final = 60.0
"""Seconds after an API had no answer in which it may not know yet what one may do."""
AWAY: Final = 30.0
"""Seconds without an answer, with calls that failed, after which an API is taken for gone."""
UNKNOWN_YET: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
LASTING: Final = frozenset({HTTPStatus.BAD_REQUEST, *UNKNOWN_YET, HTTPStatus.UNPROCESSABLE_ENTITY})
"""How an API refuses what it would refuse another time too."""
FOR_A_WHILE: Final = ("exceeded quota", "being terminated")
"""What it says where others take the room, or the namespace of a former run goes."""
CALL: Final = 60.0
"""Seconds for one call and its repetitions."""
REMOVAL: Final = 120.0
"""Seconds until an object is gone that is made anew."""
MADE_ANEW: Final = "Job"
"""The kind whose objects can't be changed, and do their work again where they are made anew."""
IMMUTABLE: Final = "field is immutable"
"""What the cluster says of a change that it does not take, whatever else it says."""

T = TypeVar("T")


class Apis:
    """The clients for one cluster, all of them for the same."""

    def __init__(self, settings: client.Configuration | None = None, kubectl_options: Sequence[str] = ()) -> None:
        """Open them.

        Args:
            settings: Name the cluster; None: the one that was loaded for the whole process.
            kubectl_options: Name the same cluster to kubectl, for commands to be pasted; none: kubectl's own default.
        """
        settings = settings or client.Configuration.get_default_copy()
        # What may be repeated, and for how long, the waits know.
        settings.retries = False
        settings.connection_pool_maxsize = AT_ONCE
        if urlsplit(settings.host).hostname in LOCAL:
            settings.proxy = None  # as with kubectl, which asks no proxy for this machine
        # The client reads the variable, and forgets what it read.
        settings.no_proxy = settings.no_proxy or os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        if not settings.verify_ssl:
            # The kubeconfig says so, and says it once; urllib3 would with every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.api_client = TimedClient(settings)
        self.core = client.CoreV1Api(self.api_client)
        self.apps = client.AppsV1Api(self.api_client)
        self.batch = client.BatchV1Api(self.api_client)
        self.discovery = client.DiscoveryV1Api(self.api_client)
        self._options = tuple(kubectl_options)
        self._known: dict[tuple[str, str], dict[tuple[str, str], V1Pod]] = {}

    @classmethod
    def of_kubeconfig(cls, text: str, kubectl_options: Sequence[str] = ()) -> Apis:
        """Return the clients of the cluster that the text of a kubeconfig names as its current one.

        Raises:
            RunError: It names none.
        """
        settings = client.Configuration()
        try:
            config.load_kube_config_from_dict(yaml.safe_load(text), client_configuration=settings)
        except config.ConfigException as error:
            msg = f"the kubeconfig can't be used: {error}"
            raise RunError(msg) from error
        return cls(settings, kubectl_options)

    @cached_property
    def dynamic(self) -> DynamicClient:
        """The client for objects of any kind; it asks the cluster for its kinds when it is first used."""
        return DynamicClient(self.api_client, cache_file=NO_FILE, discoverer=Discoverer)

    def pods(self, namespace: str, selector: str = "") -> list[V1Pod]:
        """Return the pods of a namespace that a label selects; nobody may change them.

        One that is as it was is the object of the last time: to make one takes the client milliseconds of a processor,
        and a run looks several times a second, beside the tests.

        Raises:
            ApiException: The cluster refuses.
            HTTPError: It can't be reached.
            ValueError: It answers with something else.
        """
        answer = self.core.list_namespaced_pod(namespace, label_selector=selector, _preload_content=False)
        known = self._known.get((namespace, selector), {})
        try:
            found = [self._pod(each, known) for each in json.loads(answer.data)["items"]]
        except (LookupError, TypeError, AttributeError) as error:
            msg = f"the answer is no list of pods: {error}"
            raise ValueError(msg) from error
        # No others: the client's object of a pod holds a hundred kilobytes, and a cluster may stay for days.
        self._known[namespace, selector] = {key: pod for key, pod in found if all(key)}
        return [pod for _, pod in found]

    def _pod(self, found: dict[str, Any], known: Mapping[tuple[str, str], V1Pod]) -> tuple[tuple[str, str], V1Pod]:
        """Return a pod as an object, with what it is known by: its id and version."""
        key = (found["metadata"].get("uid", ""), found["metadata"].get("resourceVersion", ""))
        return key, known.get(key) or self.api_client.deserialize(SimpleNamespace(data=json.dumps(found)), "V1Pod")

    def command(self, *args: str) -> str:
        """Return a kubectl command to be pasted into a shell."""
        return shlex.join(("kubectl", *self._options, *args))

    def close(self) -> None:
        """Close the connections that wait for another call."""
        manager = self.api_client.rest_client.pool_manager
        for key in manager.pools.keys():  # noqa: SIM118 - it can't be iterated over otherwise
            manager.pools[key].close()
        manager.clear()

    def ask(
        self,
        what: str,
        call: Callable[[], T],
        *,
        stop: threading.Event | None = None,
        timeout: float = CALL,
        is_passing: Callable[[Exception], bool] | None = None,
    ) -> T:
        """Return what a call of the API gives, asked again for as long as it fails with what may pass.

        Args:
            what: The object that it is about, or what it does, for the message of an error.
            call: May run more than once, and in another thread.
            stop: Ends it at once when it is set.
            timeout: Seconds for all of it.
            is_passing: Tells what may pass; as a rule an API that doesn't answer.

        Raises:
            RunError: The cluster refused it, or did not answer in time.
            Stopped: It was told to stop.
        """
        answers: list[T] = []
        self.wait_until(
            what, lambda: answers.append(call()), stop=stop, timeout=timeout, interval=1, is_passing=is_passing
        )
        return answers[-1]

    def wait_until(  # noqa: PLR0913 - as `poll.wait_until`
        self,
        what: str,
        observe: Callable[[], str | None],
        *,
        timeout: float,
        stop: threading.Event | None = None,
        interval: float = 0.5,
        is_passing: Callable[[Exception], bool] | None = None,
        look: Callable[[], str] = lambda: "",
        is_due: Callable[[], bool] = lambda: True,
    ) -> None:
        """Wait as `poll.wait_until` does; one failed answer of the API ends no wait.

        Raises:
            RunError: The wait timed out, or the API refuses to answer, or doesn't for a minute.
            Stopped: The wait was told to stop.
        """
        try:
            poll.wait_until(
                what,
                observe,
                timeout=timeout,
                interval=interval,
                is_passing=is_passing or self.may_pass,
                look=look,
                is_due=is_due,
                stop=stop,
            )
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            msg = f"{what}: {explain(error)}"
            raise (LastingError if self.will_last(error) else RunError)(msg) from error

    def will_last(self, error: Exception) -> bool:
        """Tell whether this API would refuse the same again: for what it is, or for who asks."""
        if not isinstance(error, client.ApiException) or self.may_pass(error):
            return False
        return error.status in LASTING and not any(word in message_of(error.body) for word in FOR_A_WHILE)

    def may_pass(self, error: Exception) -> bool:
        """Tell whether a failure of this API may pass: one that was away knows nobody's rights for a moment."""
        away = time.monotonic() - self.api_client.failed_at < RECOVERY
        return may_pass(error) or (away and isinstance(error, client.ApiException) and error.status in UNKNOWN_YET)

    def resource(self, document: Document) -> Resource:
        """Return what the cluster calls an object's kind.

        Raises:
            ResourceNotFoundError: It has no such kind.
        """
        version, kind = str(document.get("apiVersion", "")), document["kind"]
        group, _, number = version.rpartition("/")
        # With less than that, the client would ask for the kinds of every group that the cluster has.
        where = {"prefix": "apis", "group": group} if group else {"prefix": "api"}
        found = [each for each in self.dynamic.resources.search(**where, api_version=number, kind=kind) if each.name]
        if not number or not found:
            msg = f"the cluster does not know {kind} of {version or 'no apiVersion'}"
            raise ResourceNotFoundError(msg)
        return found[0]

    def knows(self, document: Document) -> bool:
        """Tell whether the cluster has an object's kind."""
        try:
            self.resource(document)
        except ResourceNotFoundError:
            return False
        return True

    def read(
        self, document: Document, *, namespace: str = "", stop: threading.Event | None = None
    ) -> dict[str, Any] | None:
        """Return the object of the same kind and name as it is in the cluster; None where there is none.

        Raises:
            RunError: The cluster refused to tell, or does not know the kind.
            Stopped: It was told to stop.
        """

        def read() -> dict[str, Any] | None:
            try:
                found = self.dynamic.get(
                    self.resource(document), name=document["metadata"]["name"], namespace=namespace or None
                )
            except client.ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                return None
            return dict(found.to_dict())

        try:
            return self.ask(name_of(document), read, stop=stop)
        except ResourceNotFoundError as error:
            msg = f"{name_of(document)}: {error}"
            raise LastingError(msg) from error

    def apply(  # noqa: PLR0913 - what, where, and whose it is
        self,
        documents: Iterable[Document],
        *,
        namespace: str,
        manager: str,
        force: bool = False,
        owner: Mapping[str, str] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Apply objects by the server, in their order; each that belongs to a namespace is in `namespace`.

        A Job that has changed can't be applied: one that carries the labels of `owner` is deleted, and made anew.

        Args:
            documents: The objects.
            namespace: The one namespace that they may be in.
            manager: Whose they are.
            force: Take over fields that somebody else has set.
            owner: The labels of what is the caller's; None: no Job is made anew.
            stop: Ends it at once when it is set.

        Raises:
            RunError: The cluster refused one, which is named; those before it are there.
            Stopped: It was told to stop.
        """
        documents = tuple(documents)
        for document in documents:
            refuse_other_namespace(document, namespace)
        for document in documents:

            def apply(document: Document = document) -> None:
                self.dynamic.server_side_apply(
                    self.resource(document),
                    body=document,
                    namespace=namespace,
                    field_manager=manager,
                    force_conflicts=force or None,
                    query_params=[("fieldValidation", "Strict")],
                )

            try:
                self.ask(name_of(document), apply, stop=stop)
            except ResourceNotFoundError as error:
                msg = f"{name_of(document)}: {error}"
                raise LastingError(msg) from error
            except RunError as error:
                can_be_anew = is_unchangeable_job(document, error.__cause__)
                if not (can_be_anew and self._remove(document, namespace, owner, stop)):
                    raise
                self.ask(name_of(document), apply, stop=stop)

    def _remove(
        self, document: Document, namespace: str, owner: Mapping[str, str] | None, stop: threading.Event | None
    ) -> bool:
        """Delete an object if it carries the labels of `owner`, and wait until it is gone; tell whether it does."""

        def observe() -> str | None:
            return "there still" if self.read(document, namespace=namespace, stop=stop) else None

        # Gone when its pods are: two of them, each with what the other may not expect, are not to run at once.
        if owner is None or not self.delete(document, namespace, owner, propagation="Foreground"):
            return False
        self.wait_until(f"the end of the former {name_of(document)}", observe, timeout=REMOVAL, stop=stop)
        return True

    def create(
        self, document: Document, *, namespace: str = "", manager: str, stop: threading.Event | None = None
    ) -> None:
        """Create an object, which must not be there.

        Raises:
            RunError: It is there and is not the one that was to be made, or the cluster refused it.
            Stopped: It was told to stop.
        """

        def create() -> None:
            resource = self.resource(document)
            try:
                self.dynamic.create(resource, body=document, namespace=namespace or None, field_manager=manager)
            except client.ApiException as error:
                # The answer to an earlier try may have been lost.
                if error.status != HTTPStatus.CONFLICT or not self._is_labelled(resource, document, namespace):
                    raise

        self.ask(name_of(document), create, stop=stop)

    def find(self, resource: Resource, selector: str, namespace: str = "") -> list[str]:
        """Return the names of the objects of a kind that a label selects; without a namespace, of them all."""
        try:
            found = self.dynamic.get(resource, namespace=namespace or None, label_selector=selector)
        except client.ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return []  # the kind itself has gone
        return [each.metadata.name for each in found.items]

    def delete(
        self, document: Document, namespace: str, labels: Mapping[str, str], *, propagation: str = "Background"
    ) -> bool:
        """Have the object of the same kind and name deleted, if it carries these labels; tell whether it does.

        Args:
            document: The object.
            namespace: Where it is; empty: in none.
            labels: Those that it has to carry.
            propagation: `Foreground`: it is there for as long as anything that it owns.

        Raises:
            RunError: The cluster refused.
        """
        found = self.read(document, namespace=namespace) if self.knows(document) else None
        if found is None or not labels.items() <= (found["metadata"].get("labels") or {}).items():
            return False

        def delete() -> None:
            try:
                self.dynamic.delete(
                    self.resource(document),
                    name=document["metadata"]["name"],
                    namespace=namespace or None,
                    query_params=[("propagationPolicy", propagation)],
                )
            except client.ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

        self.ask(name_of(document), delete)
        return True

    def delete_by_label(self, resource: Resource, selector: str) -> None:
        """Have the objects of a kind that belongs to no namespace deleted; nobody waits for their end."""
        for name in self.find(resource, selector):
            try:
                self.dynamic.delete(resource, name=name, query_params=[("propagationPolicy", "Background")])
            except client.ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

    def _is_labelled(self, resource: Resource, document: Document, namespace: str) -> bool:
        """Tell whether the object that is there carries all labels of the one that was to be made."""
        name, labels = document["metadata"]["name"], document["metadata"].get("labels") or {}
        found = self.dynamic.get(resource, name=name, namespace=namespace or None)
        there = dict(found.metadata.labels or {})
        return bool(labels) and labels.items() <= there.items()


class TimedClient(client.ApiClient):  # type: ignore[misc]  # the client is not typed
    """Talks to the API, and waits for no answer longer than the time limit, whoever calls."""

    failed_at = float("-inf")
    """The time, of `time.monotonic`, at which the API had no answer last, or refused what it had allowed before."""
    answered_at = float("inf")
    """The time at which it had one last; before the first, nothing is known."""

    def __init__(self, settings: client.Configuration) -> None:
        """Prepare; nothing is asked yet."""
        super().__init__(settings)
        self._allowed: set[tuple[str, str]] = set()

    @property
    def is_away(self) -> bool:
        """Whether the API has not answered for so long that nothing more is to be had of it."""
        return self.failed_at - self.answered_at >= AWAY

    def request(self, method: str, url: str, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        """Send a request; a time limit of the caller's own stands."""
        limit = options.pop("_request_timeout", None) or TIME_LIMIT
        # One number that is no whole one would be passed over.
        pair = limit if isinstance(limit, tuple) else (limit, limit)
        what = (method, url.partition("?")[0])
        try:
            answer = super().request(method, url, **options, _request_timeout=pair)
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            # One that was away for so short that no call noticed may have forgotten what one may do as well.
            is_forgotten = what in self._allowed and getattr(error, "status", None) in UNKNOWN_YET
            if may_pass(error) or is_forgotten:
                self.failed_at = time.monotonic()
            raise
        self.answered_at = time.monotonic()
        self._allowed.add(what)
        return answer


NO_FILE: Final = "/dev/null/none"


class Discoverer(LazyDiscoverer):  # type: ignore[misc]  # the client is not typed
    """Asks the cluster for its kinds, and leaves no file: another cluster may stand behind the same address."""

    def _write_cache(self) -> None:
        """Keep them in memory alone."""


def may_pass(error: Exception) -> bool:
    """Tell whether a failure of the API may pass by itself: it gave no answer, or one that says to come again."""
    if isinstance(error, client.ApiException):
        if not error.status:
            # The client's own word for whatever went wrong with TLS: also for an end before its beginning.
            return "CERTIFICATE" not in str(error.reason) and "certificate" not in str(error.reason)
        return error.status == HTTPStatus.TOO_MANY_REQUESTS or bool(error.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return isinstance(error, urllib3.exceptions.HTTPError)


def explain(error: Exception) -> str:
    """Return why the API failed, in one line: its own message where it has one."""
    if isinstance(error, client.ApiException):
        said = message_of(error.body) or " ".join(str(error.reason).split())
        return f"the cluster refused it: {said} ({error.status})" if error.status else f"no way to the API: {said}"
    return f"the cluster's API does not answer: {' '.join(str(error).split())}"


def message_of(body: str | bytes | None) -> str:
    """Return the message of the API's answer to a request that it refused; empty where it has none."""
    try:
        document = json.loads(body or "{}")
    except ValueError:
        return ""
    return " ".join(str(document.get("message") or "").split()) if isinstance(document, dict) else ""


def is_unchangeable_job(document: Document, error: BaseException | None) -> bool:
    """Tell whether an object is a Job, and was refused because it is there and can't be changed so."""
    return (
        document["kind"] == MADE_ANEW
        and isinstance(error, client.ApiException)
        and error.status == HTTPStatus.UNPROCESSABLE_ENTITY
        and IMMUTABLE in message_of(error.body)
    )


def name_of(document: Document) -> str:
    """Return what a message calls an object."""
    return f"{document['kind']} {document['metadata']['name']}"


def refuse_other_namespace(document: Document, namespace: str) -> None:
    """Refuse an object that names another namespace than the run's.

    Raises:
        RunError: It does.
    """
    named = document["metadata"].get("namespace")
    if named and named != namespace:
        what = f"{name_of(document)} names the namespace {named}, and the run has one of its own"
        msg = f"{what}: leave it out, or have its file in the tier's addons"
        raise LastingError(msg)
