"""The Dagger module: the functions that `dagger call` offers. What they do is in `pipeline`."""

from typing import Annotated

import dagger
from dagger import Doc, dag, function, object_type
from dagger.mod._exceptions import FunctionError  # the SDK's own way to fail without a traceback

from floe_ci import pipeline
from floe_ci.config import parse_tier
from floe_ci.errors import UserError
from floe_ci.pipeline import Request
from floe_ci.selection import Selection

NOT_SOURCE = [".git", ".venv", "**/__pycache__", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "results"]

Source = Annotated[dagger.Directory | None, Doc("The repository to test; default: the one the call is made in")]
Tier = Annotated[str, Doc("Which tests: unit, integration or e2e")]
PytestArgs = Annotated[str, Doc("Further arguments for pytest, as on its command line")]
Keyword = Annotated[str, Doc("Run the tests whose name matches this expression, like pytest's -k")]
Marker = Annotated[str, Doc("Run the tests whose markers match this expression, like pytest's -m")]
Timeout = Annotated[int, Doc("Seconds for the tests as a whole; 0: as configured")]
Mirror = Annotated[str, Doc("Take every public image from this registry, by tag: a mirror, an air-gapped site")]
NodeImage = Annotated[str, Doc("The image of the Kind nodes; default: the pinned one")]
KubernetesVersion = Annotated[str, Doc("Kubernetes' version, such as 1.31.6, for another node image of Kind's")]
Keep = Annotated[bool, Doc("Leave the cluster of a failed run, and say how to enter it")]


class Failure(FunctionError):
    """An error that is explained already: its message is all that is shown."""


Failure.__module__, Failure.__qualname__ = "builtins", "floe-ci"


@object_type
class FloeCi:
    """Runs tests against real services in a Kind cluster inside Dagger: the same on a laptop and in CI."""

    @function(cache="never")
    async def test(
        self,
        ws: dagger.Workspace,
        tier: Tier = "integration",
        source: Source = None,
        pytest_args: PytestArgs = "",
        keyword: Keyword = "",
        marker: Marker = "",
        timeout: Timeout = 0,
        registry: Mirror = "",
        node_image: NodeImage = "",
        kubernetes_version: KubernetesVersion = "",
        keep: Keep = False,
    ) -> dagger.Directory:
        """Run a tier's tests and return the results directory, whatever the verdict, which is in its file exit-code."""
        try:
            outcome = await pipeline.run(
                Request(
                    tier=parse_tier(tier),
                    source=(source or ws.directory("/", gitignore=True)).filter(exclude=NOT_SOURCE),
                    k8s=dag.current_module().source().directory("../k8s"),
                    selection=Selection(keyword, marker, pytest_args),
                    timeout=timeout or None,
                    mirror=registry or None,
                    node_image=node_image or (f"kindest/node:v{kubernetes_version}" if kubernetes_version else None),
                    keep=keep,
                )
            )
        except UserError as error:
            raise Failure(str(error)) from None
        return outcome.directory
