"""The Dagger module: the functions that `dagger call` offers. What they do is in `run`.

Each imports that when it is called: the engine imports this file for a mere list of the functions too.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import dagger
from dagger import Doc, check, dag, field, function, object_type, up
from dagger.mod._exceptions import FunctionError  # the SDK's own way to fail without a traceback

from floe_ci.engine import explained
from floe_ci.errors import RunError, UserError
from floe_ci.images import node_image_of
from floe_ci.selection import Selection

if TYPE_CHECKING:
    from floe_ci.origin import Origin
    from floe_ci.verdict import Outcome

Parsed = TypeVar("Parsed")
RESULTS = Path("results")
"""Where a call keeps its results, in the module's own working directory."""

Source = Annotated[dagger.Directory | None, Doc("The repository to test; default: the one the call is made in")]
Tier = Annotated[str, Doc("Which tests: unit, integration or e2e")]
PytestArgs = Annotated[str, Doc("Further arguments for pytest, as on its command line")]
Keyword = Annotated[str, Doc("Run the tests whose name matches this expression, like pytest's -k")]
Marker = Annotated[str, Doc("Run the tests whose markers match this expression, like pytest's -m")]
Shards = Annotated[
    str, Doc("Run so many parts of the tests, each in a pod or a container of its own; auto: one a processor")
]
Schedule = Annotated[
    str, Doc("static: each shard has its tests from the start; dynamic: it is handed them as it becomes free")
]
Timeout = Annotated[int, Doc("Seconds for the tests as a whole; 0: as configured")]
Mirror = Annotated[str, Doc("Take every public image from this registry, by tag: a mirror, an air-gapped site")]
User = Annotated[str, Doc("Who asks that registry; default: as Docker's configuration says")]
Password = Annotated[dagger.Secret | None, Doc("The password of that user")]
NodeImage = Annotated[str, Doc("The image of the Kind nodes; default: the pinned one")]
KubernetesVersion = Annotated[str, Doc("Kubernetes' version, such as 1.31.6, for another node image of Kind's")]
Keep = Annotated[bool, Doc("Leave the cluster of a failed run, and say how to enter it")]
Named = Annotated[str, Doc("Run in the cluster that `cluster --name` has left under this name, and leave it again")]


class Failure(FunctionError):  # noqa: N818 - what the caller sees is not its name
    """An error that is explained already: its message is all that is shown."""


Failure.__module__, Failure.__qualname__ = "builtins", "floe-ci"


@object_type
class KindCluster:
    """A Kind cluster in a service of this session."""

    service: dagger.Service = field()
    """The service: `service up --ports 6443:6443` opens it to this machine."""
    kubeconfig: dagger.File = field()
    """For this machine, while the service's port 6443 is open on it."""
    shell: dagger.Container = field()
    """kubectl, kind and docker, bound to the cluster: `shell terminal` opens a shell."""


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
        shards: Shards = "",
        schedule: Schedule = "",
        registry: Mirror = "",
        registry_user: User = "",
        registry_password: Password = None,
        node_image: NodeImage = "",
        kubernetes_version: KubernetesVersion = "",
        keep: Keep = False,
        cluster: Named = "",
    ) -> dagger.Directory:
        """Run a tier's tests and return the results, whatever the verdict, which is in the file exit-code."""
        selection = Selection(keyword, marker, pytest_args)
        with told_plainly():
            nodes = node_image_of(node_image, kubernetes_version)
            outcome = await run_tier(
                tier,
                await repository(source, ws),
                selection,
                timeout,
                registry,
                nodes,
                keep=keep,
                cluster=cluster,
                shards=shards,
                schedule=schedule,
                user=registry_user,
                password=registry_password,
            )
            if outcome.verdict == "refused" and not outcome.began:
                raise UserError(outcome.problem or outcome.reason)
        return dag.current_module().workdir(str(RESULTS))

    @function(cache="never")
    async def verify(
        self,
        ws: dagger.Workspace,
        tier: Tier = "integration",
        source: Source = None,
        pytest_args: PytestArgs = "",
        keyword: Keyword = "",
        marker: Marker = "",
        timeout: Timeout = 0,
        shards: Shards = "",
        schedule: Schedule = "",
        registry: Mirror = "",
        registry_user: User = "",
        registry_password: Password = None,
        node_image: NodeImage = "",
        kubernetes_version: KubernetesVersion = "",
        keep: Keep = False,
        cluster: Named = "",
    ) -> dagger.Directory:
        """Do what test does, but fail unless the verdict is "passed": also where no test ran."""
        selection = Selection(keyword, marker, pytest_args)
        with told_plainly():
            nodes = node_image_of(node_image, kubernetes_version)
            outcome = await run_tier(
                tier,
                await repository(source, ws),
                selection,
                timeout,
                registry,
                nodes,
                keep=keep,
                cluster=cluster,
                shards=shards,
                schedule=schedule,
                user=registry_user,
                password=registry_password,
            )
            if not outcome.passed:
                raise UserError(outcome.summary)
        return dag.current_module().workdir(str(RESULTS))

    @check
    @function(cache="never")
    async def unit(self, ws: dagger.Workspace, registry: Mirror = "") -> str:
        """Check that the unit tier passes."""
        return await checked("unit", ws, registry, "")

    @check
    @function(cache="never")
    async def integration(self, ws: dagger.Workspace, registry: Mirror = "", node_image: NodeImage = "") -> str:
        """Check that the integration tier passes."""
        return await checked("integration", ws, registry, node_image)

    @up
    @function(cache="never")
    async def services(
        self, ws: dagger.Workspace, tier: Tier = "integration", registry: Mirror = "", node_image: NodeImage = ""
    ) -> dagger.Service:
        """Bring a tier's services up, and open them on this machine: `dagger up` prints how they are reached."""
        from floe_ci.lines import Lines
        from floe_ci.named_clusters import open_up
        from floe_ci.request import RunRequest
        from floe_ci.tiers import parse_tier

        with told_plainly(), explained():
            identity = of_this_command()
            request = RunRequest(parse_tier(tier), registry=registry, node_image=node_image, run_id=identity)
            return await open_up(origin_of(await repository(None, ws)), request, Lines())

    @function
    async def build_runner(
        self,
        ws: dagger.Workspace,
        source: Source = None,
        registry: Mirror = "",
        registry_user: User = "",
        registry_password: Password = None,
    ) -> dagger.Container:
        """Build the test-runner image: export it with as-tarball, or publish it with publish."""
        from floe_ci.build import Build
        from floe_ci.request import RunRequest
        from floe_ci.steps import Timings

        with told_plainly(), explained():
            origin = origin_of(await repository(source, ws), registry_password)
            request = RunRequest(registry=registry, registry_user=registry_user)
            return await (await Build.read(origin, request, Timings())).runner()

    @function(cache="never")
    async def cluster(
        self,
        ws: dagger.Workspace,
        tier: Tier = "integration",
        source: Source = None,
        services: Annotated[bool, Doc("Bring up the tier's services too, in the namespace floe-test")] = False,
        name: Annotated[str, Doc("Let it outlive the session: the next call with this name starts it again")] = "",
        registry: Mirror = "",
        registry_user: User = "",
        registry_password: Password = None,
        node_image: NodeImage = "",
        kubernetes_version: KubernetesVersion = "",
    ) -> KindCluster:
        """Start a Kind cluster of one node (integration) or three (e2e), without running tests."""
        from floe_ci.lines import Lines
        from floe_ci.named_clusters import bring_up
        from floe_ci.request import RunRequest
        from floe_ci.tiers import parse_tier

        with told_plainly(), explained():
            nodes = node_image_of(node_image, kubernetes_version)
            request = RunRequest(parse_tier(tier), registry=registry, registry_user=registry_user, node_image=nodes)
            origin = origin_of(await repository(source, ws), registry_password)
            running = await bring_up(origin, request, name or None, Lines(), services=services)
        return KindCluster(
            service=running.service,
            kubeconfig=await running.host_kubeconfig(),
            shell=running.client.with_default_terminal_cmd(["bash"]),
        )

    @function(cache="never")
    async def delete_cluster(
        self,
        name: Annotated[str, Doc("The cluster's name, or the id of the run that left it")],
        registry: Mirror = "",
    ) -> str:
        """Remove a cluster that outlived its session."""
        from floe_ci.named_clusters import forget
        from floe_ci.request import RunRequest

        with told_plainly(), explained():
            await forget(origin_of(dag.directory()), name, RunRequest(registry=registry))
        return f"cluster {name} is deleted"


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn an error that is the caller's to mend into its message alone."""
    try:
        yield
    except (UserError, RunError) as error:
        raise Failure(str(error)) from None


def of_this_command() -> str:
    """Return a run's id that all calls of one `dagger` command share, by the trace that they are in.

    `dagger up` calls a function once for its ports and once more for the service: the second is to find what the first
    has brought up, and brings nothing up again.
    """
    trace = os.environ.get("TRACEPARENT", "").split("-")
    return trace[1][:8] if len(trace) > 1 else uuid.uuid4().hex[:8]


async def checked(tier: str, ws: dagger.Workspace, mirror: str, node_image: str) -> str:
    """Run a tier's tests, and return what it came to, unless they don't pass."""
    with told_plainly():
        outcome = await run_tier(
            tier, await repository(None, ws), Selection(), 0, mirror, node_image, keep=False, cluster=""
        )
        if not outcome.passed:
            raise UserError(outcome.summary)
    return outcome.summary


async def run_tier(
    tier: str,
    source: dagger.Directory,
    selection: Selection,
    timeout: int,
    mirror: str,
    node_image: str,
    *,
    keep: bool,
    cluster: str,
    shards: str = "",
    schedule: str = "",
    user: str = "",
    password: dagger.Secret | None = None,
) -> "Outcome":
    """Run a tier's tests, and return how that ended; the results are in `RESULTS`."""
    from floe_ci.lines import Lines
    from floe_ci.places.dagger import DaggerPlace
    from floe_ci.request import RunRequest
    from floe_ci.run import run
    from floe_ci.shards import parse as shard_count
    from floe_ci.shards import parse_schedule
    from floe_ci.tiers import parse_tier

    request = RunRequest(
        parse_tier(tier),
        results=RESULTS,
        selection=selection,
        timeout=timeout,
        shards=parsed(shards, "--shards", shard_count) or 0,
        schedule=parsed(schedule, "--schedule", parse_schedule),
        registry=mirror,
        registry_user=user,
        node_image=node_image,
        keep=keep,
        cluster=cluster,
    )
    return await run(request, DaggerPlace(lambda _: nullcontext(origin_of(source, password))), Lines())


def parsed(given: str, option: str, parse: Callable[[str], Parsed]) -> Parsed | None:
    """Return what an option says; None: nobody gave it."""
    try:
        return parse(given) if given else None
    except ValueError as error:
        msg = f"{option} {error}"
        raise UserError(msg) from None


async def repository(source: dagger.Directory | None, ws: dagger.Workspace) -> dagger.Directory:
    """Return the repository to test, without what is no source."""
    from floe_ci.excluded import RESULTS, patterns

    whole = source or ws.directory("/", gitignore=True)
    inside = await whole.glob(f"{RESULTS}/*")
    return whole.filter(exclude=patterns(Path(path).name for path in inside))


def origin_of(source: dagger.Directory, password: dagger.Secret | None = None) -> "Origin":
    """Return where a run comes from that this module was called for."""
    from floe_ci.origin import Origin, in_the_engine

    package = dag.current_module().source()
    return Origin(source, package.directory("../k8s"), package, in_the_engine, password)
