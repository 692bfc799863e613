"""Which cluster a run may use: the one that is named, or a Kind cluster on this machine."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config.kube_config import KubeConfigMerger

from floe_ci.driver.apis import LOCAL, Apis
from floe_ci.errors import UserError, shown, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND: Final = "kind-"
"""How the contexts that kind writes begin."""
PATIENCE: Final = 5.0
"""Seconds for a cluster's first answer."""
MALFORMED: Final = (KeyError, TypeError, AttributeError, ValueError)
"""What a file of another shape gives when it is read."""


@dataclass(frozen=True)
class Target:
    """A cluster, by the context that names it."""

    kubeconfig: Path | None
    """The file that has the context; None: where kubectl looks by itself."""
    context: str
    server: str

    @property
    def kubectl_options(self) -> tuple[str, ...]:
        """What tells kubectl to use this cluster, and no other."""
        file = ("--kubeconfig", str(self.kubeconfig)) if self.kubeconfig else ()
        return (*file, "--context", self.context)

    def connect(self) -> Apis:
        """Return clients of the cluster, which has answered.

        Raises:
            UserError: It doesn't answer, or doesn't take the credentials.
        """
        self.version()
        return Apis(self._configuration(), self.kubectl_options)

    def version(self) -> str:
        """Return the version of its Kubernetes.

        Raises:
            UserError: It doesn't answer, or doesn't take the credentials.
        """
        apis = Apis(self._configuration(), self.kubectl_options)
        try:
            return str(client.VersionApi(apis.api_client).get_code(_request_timeout=PATIENCE).git_version)
        except client.ApiException as error:
            # The client's own word for a certificate that it doesn't trust is the status 0.
            said = " ".join(f"{error.status or ''} {error.reason}".split())
            what = "refuses these credentials" if error.status == HTTPStatus.UNAUTHORIZED else "can't be talked to"
            msg = f"context {self.context}: {self.server} {what}: {said}"
            raise UserError(msg) from error
        except urllib3.exceptions.HTTPError as error:
            msg = f"context {self.context}: {self.server} does not answer: {error}"
            raise UserError(msg) from error
        finally:
            apis.close()

    def _configuration(self) -> client.Configuration:
        settings = client.Configuration()
        try:
            with _said() as lacking:
                config.load_kube_config(files(self.kubeconfig), self.context, client_configuration=settings)
        except (config.ConfigException, yaml.YAMLError, OSError, *MALFORMED) as error:
            msg = f"context {self.context}: its kubeconfig can't be used: {error}"
            raise UserError(msg) from error
        if lacking:
            msg = f"context {self.context}: its credentials can't be had: {'; '.join(lacking)}"
            raise UserError(msg)
        return settings


def choose(kubeconfig: Path | None = None, context: str = "") -> Target:
    """Return the cluster of the context that is named; else of the current one, if that is Kind's and here.

    Raises:
        UserError: There is no such context, or the current one may be anybody's.
    """
    if kubeconfig and not kubeconfig.is_file():
        msg = f"--kubeconfig {kubeconfig}: there is no such file"
        raise UserError(msg)
    current, servers = contexts(kubeconfig)
    if not servers:
        msg = f"{kubeconfig or 'kubeconfig'}: it names no cluster; name one that does: --kubeconfig FILE"
        raise UserError(msg)
    name = context or current
    if context and context not in servers:
        msg = f"--context {context}: there is none of this name; {suggest(context, servers)}"
        raise UserError(msg)
    server = servers.get(name, "")
    if name and (fault := _fault(server)) is not None:
        msg = f"context {name}: {shown(server)} is no server's address{fault}: mend it in the kubeconfig"
        raise UserError(msg)
    if not context and not is_kind_here(name, server):
        what = f"the current one, {name}, is not a Kind cluster on this machine" if name else "there is no current one"
        msg = f"no context was named, and {what}: name it with --context; known: {', '.join(sorted(servers))}"
        raise UserError(msg)
    return Target(kubeconfig, name, server)


def contexts(kubeconfig: Path | None) -> tuple[str, dict[str, str]]:
    """Return the name of the current context, and the server of each, as kubectl finds them.

    Raises:
        UserError: The kubeconfig can't be read.
    """
    where = files(kubeconfig)
    try:
        merged = KubeConfigMerger(where).config
        view = merged.value if merged else {}
        of = {each["name"]: (each.value.get("cluster") or {}).get("server") or "" for each in view.get("clusters", ())}
        servers = {
            each["name"]: str(of.get((each.value.get("context") or {}).get("cluster"), ""))
            for each in view.get("contexts", ())
        }
    except (config.ConfigException, yaml.YAMLError, OSError, UnicodeDecodeError, *MALFORMED) as error:
        msg = f"{where}: it is no kubeconfig: {' '.join(str(error).split())}"
        raise UserError(msg) from error
    return str(view.get("current-context") or ""), servers


def files(kubeconfig: Path | None) -> str:
    """Return the kubeconfig files that count, as KUBECONFIG names them."""
    return str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or "~/.kube/config"


def is_kind_here(context: str, server: str) -> bool:
    """Tell whether a context is one that kind wrote for a cluster of this machine."""
    return context.startswith(KIND) and urlsplit(server).hostname in LOCAL


def _fault(server: str) -> str | None:
    """Return why an address of a server is none; empty where it isn't said."""
    try:
        parts = urlsplit(server)
        _ = parts.port  # it raises
    except ValueError as error:
        return f" ({error})"
    return None if parts.scheme in {"http", "https"} and parts.hostname else ""


@contextmanager
def _said() -> Iterator[list[str]]:
    """Yield the errors that are logged meanwhile: the client goes on without credentials that it can't have."""
    lines: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lines.append(" ".join(record.getMessage().split()))  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)


def require_kubectl() -> None:
    """Refuse to go on without kubectl.

    Raises:
        UserError: It is not on PATH.
    """
    if not shutil.which("kubectl"):
        msg = (
            "kubectl is not on PATH, and a run in an existing cluster needs it: https://kubernetes.io/docs/tasks/tools"
        )
        raise UserError(msg)
