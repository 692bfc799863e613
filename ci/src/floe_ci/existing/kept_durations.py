"""How long tests took, in a ConfigMap of the cluster: for machines that keep no results, such as most of CI's."""

from __future__ import annotations

import base64
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import urllib3
from kubernetes import client

from floe_ci.contract import LABEL_MANAGED_BY
from floe_ci.driver.apis import explain
from floe_ci.driver.deploy import MANAGER
from floe_ci.errors import UserError
from floe_ci.shards import DURATIONS, durations_of

if TYPE_CHECKING:
    from floe_ci.driver.apis import Apis

KEY: Final = f"{DURATIONS}.gz"
"""In the ConfigMap's `binaryData`: the file of durations, compressed."""
LARGEST: Final = 1000 << 10
"""Bytes of it: all of a ConfigMap is 1 MiB at most."""
LARGEST_FILE: Final = 64 << 20
GZIP: Final = 31
"""What zlib calls a window of 32 KiB, with the head and the end of gzip."""


def read(apis: Apis, where: str) -> dict[str, float]:
    """Return the seconds of tests by their ids; nothing where there is no such ConfigMap yet.

    Args:
        apis: The cluster's.
        where: The ConfigMap, as NAMESPACE/NAME.

    Raises:
        UserError: The cluster refuses, or the ConfigMap holds something else.
    """
    namespace, _, name = where.partition("/")
    try:
        found = apis.core.read_namespaced_config_map(name, namespace)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, client.ApiException) and error.status == HTTPStatus.NOT_FOUND:
            return {}
        msg = f"ConfigMap {where} can't be read: {explain(error)}"
        raise UserError(msg) from error
    if KEY not in (found.binary_data or {}):
        msg = f"ConfigMap {where} has no {KEY}: it is something else; name another in 'durations-config-map'"
        raise UserError(msg)
    try:
        return durations_of(unpacked(base64.b64decode(found.binary_data[KEY])).decode())
    except (ValueError, zlib.error) as error:
        msg = f"{KEY} of ConfigMap {where} can't be read: {error}; delete the ConfigMap"
        raise UserError(msg) from None


def unpacked(packed: bytes) -> bytes:
    """Return what was compressed.

    Raises:
        ValueError: It is cut off, or larger than any durations.
        error: It is of another kind (zlib's own).
    """
    archive = zlib.decompressobj(GZIP)
    found = archive.decompress(packed, LARGEST_FILE)
    if not archive.eof:
        msg = f"it is cut off, or larger than {LARGEST_FILE >> 20} MiB"
        raise ValueError(msg)
    return found


def write(apis: Apis, where: str, text: str) -> None:
    """Keep the text of a file of durations, in the place of what is there; labels that others gave it stay.

    Args:
        apis: The cluster's.
        where: The ConfigMap, as NAMESPACE/NAME; the namespace has to be there.
        text: The file's.

    Raises:
        UserError: The cluster refuses, or it is too much for a ConfigMap.
    """
    namespace, _, name = where.partition("/")
    pack = zlib.compressobj(9, wbits=GZIP)
    packed = pack.compress(text.encode()) + pack.flush()
    if len(packed) > LARGEST:
        msg = f"ConfigMap {where} can't hold the durations: {len(packed) >> 10} KiB, and {LARGEST >> 10} are the most"
        raise UserError(msg)
    content = client.V1ConfigMap(binary_data={KEY: base64.b64encode(packed).decode()})
    try:
        try:
            apis.core.patch_namespaced_config_map(name, namespace, content)
        except client.ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            # Not the run's: it stays when all that is the run's is deleted by its label.
            content.metadata = client.V1ObjectMeta(name=name, labels={LABEL_MANAGED_BY: MANAGER})
            apis.core.create_namespaced_config_map(namespace, content)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        msg = f"the durations of this run are not in ConfigMap {where}: {explain(error)}"
        raise UserError(msg) from error
