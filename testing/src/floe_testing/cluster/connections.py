"""What a namespace tells of its services: the ConfigMaps of connections and the Secret of passwords.

Imported on demand, since the Kubernetes client takes half a second to load.
"""

import base64
from http import HTTPStatus

from kubernetes.client import ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from floe_testing.cluster import kube
from floe_testing.cluster.api_errors import REQUEST_TIMEOUT, explain
from floe_testing.contract import CREDENTIALS_SECRET, LABEL_CONNECTION
from floe_testing.errors import NamespaceUnreadableError, NoClusterError


def read_connections(namespace: str) -> dict[str, str]:
    """Return the variables that a pod of the tests would have in this namespace, passwords included.

    Raises:
        NamespaceUnreadableError: There is no cluster, it doesn't answer, or it refuses.
    """
    try:
        with kube.connect() as api:
            maps = api.list_namespaced_config_map(
                namespace, label_selector=f"{LABEL_CONNECTION}=true", _request_timeout=REQUEST_TIMEOUT
            )
            passwords = _read_secret(api, namespace)
    except (ApiException, HTTPError, NoClusterError) as error:
        message = f"namespace {namespace} can't be read: {explain(error)}"
        raise NamespaceUnreadableError(message) from error
    return {key: value for each in maps.items for key, value in (each.data or {}).items()} | passwords


def _read_secret(api: CoreV1Api, namespace: str) -> dict[str, str]:
    """Return the passwords; none where there is no Secret, as where no service has one."""
    try:
        secret = api.read_namespaced_secret(CREDENTIALS_SECRET, namespace, _request_timeout=REQUEST_TIMEOUT)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {}
    return {key: base64.b64decode(value).decode() for key, value in (secret.data or {}).items()}
