"""What a run puts into the cluster: namespace, credentials, manifests."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from kubernetes import client

from floe_ci import contract
from floe_ci.config import expand_environment

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Manifests
    from floe_ci.shards import Shard

MANAGER = "floe-ci"
"""By this name the cluster knows whose the objects and their fields are."""


def labels(run_id: str) -> dict[str, str]:
    """Return the labels of everything that the run makes."""
    return {contract.LABEL_RUN_ID: run_id, contract.LABEL_MANAGED_BY: MANAGER}


def make_namespace(core: client.CoreV1Api, spec: RunSpec) -> None:
    """Create the run's namespace; in a cluster that was kept it is there already.

    Raises:
        ApiException: The cluster refuses.
    """
    metadata = client.V1ObjectMeta(name=spec.namespace, labels=labels(spec.run_id))
    try:
        core.create_namespace(client.V1Namespace(metadata=metadata))
    except client.ApiException as error:
        if error.status != HTTPStatus.CONFLICT:
            raise


@dataclass(frozen=True)
class Given:
    """What the tests of a run are given."""

    passwords: tuple[str, ...] = ()
    """The services'."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of the services."""
    arguments: tuple[str, ...] = ()
    """pytest's."""
    found: Mapping[str, str] = field(default_factory=dict)
    """Variables of the services, and their passwords."""
    before: tuple[str, ...] = ()
    """A command that their pod runs before them."""

    def with_more(self, environment: Mapping[str, str], arguments: tuple[str, ...]) -> Given:
        """Return it with further variables, and arguments before the others."""
        return replace(self, environment={**self.environment, **environment}, arguments=(*arguments, *self.arguments))

    def to_shard(self, spec: RunSpec, shard: Shard) -> Given:
        """Return what the tests of a shard are given, whose run has an id of its own: so has all that they make.

        Raises:
            UserError: The configuration names variables that aren't there.
        """
        own = spec.variables | {contract.ENV_RUN_ID: f"{spec.run_id}{shard.suffix}"}
        return replace(
            given(spec.model_copy(update={"variables": own}), self.found, self.passwords), before=self.before
        )


def make_credentials(core: client.CoreV1Api, spec: RunSpec, services: Manifests) -> Given:
    """Create the Secret with the services' passwords, and return what the tests are given.

    One is generated for each key of it that a manifest refers to; one that is there stays, since a service may have
    been set up with it.

    Raises:
        UserError: The configuration names variables that aren't there; nothing was made.
        ApiException: The cluster refuses.
    """
    keys = services.credential_keys(contract.CREDENTIALS_SECRET)
    there = read_secret(core, spec, contract.CREDENTIALS_SECRET)
    passwords = {key: there.get(key) or secrets.token_urlsafe(24) for key in keys}
    found = services.connection_variables(contract.LABEL_CONNECTION) | passwords
    what = given(spec, found, tuple(passwords.values()))
    if passwords != there or not keys:
        metadata = client.V1ObjectMeta(name=contract.CREDENTIALS_SECRET, labels=labels(spec.run_id))
        secret = client.V1Secret(metadata=metadata, string_data=passwords)
        try:
            core.create_namespaced_secret(spec.namespace, secret)
        except client.ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            core.replace_namespaced_secret(contract.CREDENTIALS_SECRET, spec.namespace, secret)
    return what


def given(spec: RunSpec, found: Mapping[str, str], passwords: tuple[str, ...]) -> Given:
    """Return what tests are given.

    Args:
        spec: Their run.
        found: Variables of the services, and their passwords.
        passwords: The latter alone.

    Raises:
        UserError: The configuration names variables that aren't there.
    """
    variables = {**found, **spec.variables}
    environment = expand_environment(spec.environment, variables) | spec.variables
    return Given(passwords, environment, spec.arguments(variables | environment), found)


def read_secret(core: client.CoreV1Api, spec: RunSpec, name: str) -> dict[str, str]:
    """Return what a Secret of the run's namespace holds; nothing where there is none."""
    try:
        data = core.read_namespaced_secret(name, spec.namespace).data or {}
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def apply(apis: Apis, spec: RunSpec, manifests: Manifests, stop: threading.Event | None = None) -> None:
    """Apply manifests into the run's namespace, server-side; a Job of its own that has changed is made anew.

    What somebody has changed there by hand is as the manifests have it again: the namespace is the run's.

    Raises:
        RunError: The cluster refused one of them.
        Stopped: It was told to stop.
    """
    own = labels(spec.run_id)
    documents = manifests.labelled(own).documents
    apis.apply(documents, namespace=spec.namespace, manager=MANAGER, force=True, owner=own, stop=stop)
