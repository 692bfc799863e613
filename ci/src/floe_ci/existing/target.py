"""Which cluster a run may use: the one that is named, or a Kind cluster on this machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import urllib3
from kubernetes import client, config

from floe_ci.driver.apis import Apis
from floe_ci.driver.kubectl import kubectl
from floe_ci.errors import RunError, UserError, suggest

if TYPE_CHECKING:
    from pathlib import Path

KIND: Final = "kind-"
"""How the contexts that kind writes begin."""
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared, not listened on
PATIENCE: Final = 5.0
"""Seconds for a cluster's first answer."""


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
        settings = self._configuration()
        settings.retries = False
        try:
            with client.ApiClient(settings) as api_client:
                return str(client.VersionApi(api_client).get_code(_request_timeout=PATIENCE).git_version)
        except client.ApiException as error:
            # The client's own word for a certificate that it doesn't trust is the status 0.
            said = " ".join(f"{error.status or ''} {error.reason}".split())
            what = "refuses these credentials" if error.status == HTTPStatus.UNAUTHORIZED else "can't be talked to"
            msg = f"context {self.context}: {self.server} {what}: {said}"
            raise UserError(msg) from error
        except urllib3.exceptions.HTTPError as error:
            msg = f"context {self.context}: {self.server} does not answer: {error}"
            raise UserError(msg) from error

    def _configuration(self) -> client.Configuration:
        settings = client.Configuration()
        try:
            config.load_kube_config(
                str(self.kubeconfig) if self.kubeconfig else None, self.context, client_configuration=settings
            )
        except (config.ConfigException, OSError) as error:
            msg = f"context {self.context}: its kubeconfig can't be used: {error}"
            raise UserError(msg) from error
        if urlsplit(self.server).hostname in LOCAL:
            settings.proxy = None  # as with kubectl, which asks no proxy for this machine
        if not settings.verify_ssl:
            # The kubeconfig says so, and says it once; urllib3 would with every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return settings


def choose(kubeconfig: Path | None = None, context: str = "") -> Target:
    """Return the cluster of the context that is named; else of the current one, if that is Kind's and here.

    Raises:
        UserError: There is no such context, or the current one may be anybody's.
    """
    require_kubectl()
    if kubeconfig and not kubeconfig.is_file():
        msg = f"--kubeconfig {kubeconfig}: there is no such file"
        raise UserError(msg)
    try:
        view = json.loads(
            kubectl(*(("--kubeconfig", str(kubeconfig)) if kubeconfig else ()), "config", "view", "-o=json")
        )
    except RunError as error:
        raise UserError(str(error)) from error
    clusters = {each["name"]: each["cluster"] for each in view["clusters"] or ()}
    contexts = {each["name"]: each["context"] for each in view["contexts"] or ()}
    if not contexts:
        msg = f"{kubeconfig or 'kubeconfig'}: it names no cluster; name one that does: --kubeconfig FILE"
        raise UserError(msg)
    name = context or view["current-context"]
    if context and context not in contexts:
        msg = f"--context {context}: there is none of this name; {suggest(context, contexts)}"
        raise UserError(msg)
    server = str(clusters.get(contexts.get(name, {}).get("cluster"), {}).get("server", ""))
    if not context and not is_kind_here(name, server):
        current = (
            f"the current one, {name}, is not a Kind cluster on this machine" if name else "there is no current one"
        )
        msg = f"no context was named, and {current}: name it with --context; known: {', '.join(sorted(contexts))}"
        raise UserError(msg)
    return Target(kubeconfig, name, server)


def is_kind_here(context: str, server: str) -> bool:
    """Tell whether a context is one that kind wrote for a cluster of this machine."""
    return context.startswith(KIND) and urlsplit(server).hostname in LOCAL


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
