"""Polaris, through PyIceberg's REST catalog. Any server of the Iceberg REST protocol will do."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import requests
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    BadRequestError,
    ForbiddenError,
    NoSuchNamespaceError,
    OAuthError,
    ServerError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from pyiceberg.typedef import Identifier

from floe_testing.services.models import MinIOConfig, PolarisConfig
from floe_testing.waiting.polling import PollingConfig, wait_for_condition

NOT_YET = (requests.ConnectionError, requests.Timeout, ServerError, ServiceUnavailableError)
"""What a server does that is still starting. A refused credential is not among them."""
REFUSALS = (BadRequestError, ForbiddenError, OAuthError, UnauthorizedError)
"""What a server does that will have it no other way, however long one waits."""


@contextmanager
def connect(config: PolarisConfig, timeout: float = 60.0, storage: MinIOConfig | None = None) -> Iterator[RestCatalog]:
    """Yield the catalog that the configuration names, of a server that answers; its connections are closed after.

    Args:
        config: Where the server is, and with which credential.
        timeout: Seconds to wait for an answer.
        storage: Where its tables' files are, in a MinIO that the server does not tell its clients how to reach.

    Raises:
        ConditionTimeoutError: No answer came for `timeout` seconds.
        pyiceberg.exceptions.RESTError: The server answers, and refuses.
    """
    properties: dict[str, Any] = {"uri": config.uri, "warehouse": config.warehouse}
    if trusted := os.environ.get("SSL_CERT_FILE"):
        # As of the other clients; the library that this one asks with has another variable.
        properties["ssl"] = {"cabundle": trusted}
    if storage:
        # What the server says of a table's files comes before this.
        properties |= {
            "s3.endpoint": storage.url,
            "s3.access-key-id": storage.access_key,
            "s3.secret-access-key": storage.secret_key.get_secret_value(),
            "s3.region": "us-east-1",
        }
    if config.credential:
        properties |= {
            "credential": config.credential.get_secret_value(),
            # The default, which PyIceberg warns that it will give up.
            "oauth2-server-uri": f"{config.uri}/v1/oauth/tokens",
            # All roles that the client has; Polaris knows no scope `catalog`.
            "scope": "PRINCIPAL_ROLE:ALL",
        }

    def answers() -> RestCatalog:
        return RestCatalog("polaris", **properties)

    waiting = PollingConfig(timeout=timeout, interval=0.2, description=f"the catalog at {config.uri} answers")
    with closing(wait_for_condition(answers, waiting, retry_on=NOT_YET)) as catalog:
        yield catalog


@contextmanager
def temporary_namespace(catalog: RestCatalog, name: str) -> Iterator[str]:
    """Make a namespace and yield its name; drop it after, with all that is in it."""
    catalog.create_namespace(name)
    try:
        yield name
    finally:
        drop_namespace(catalog, name)


def namespaces(catalog: RestCatalog) -> list[str]:
    """Return the names of the catalog's outermost namespaces."""
    return [name for (name,) in catalog.list_namespaces()]


def drop_namespace(catalog: RestCatalog, name: str | Identifier) -> None:
    """Drop a namespace with its tables, views and inner namespaces. One that is gone already is no error.

    The tables' files stay in the object store: they belong to whoever made the bucket.
    """
    try:
        for inner in catalog.list_namespaces(name):
            drop_namespace(catalog, inner)
        for table in catalog.list_tables(name):
            catalog.drop_table(table)
        for view in catalog.list_views(name):
            catalog.drop_view(view)
        catalog.drop_namespace(name)
    except NoSuchNamespaceError:
        # The test dropped it itself.
        return
