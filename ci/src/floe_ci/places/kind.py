"""Kind in a Dagger service: a cluster of the run's own, driven from this process through its API."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import dagger
import yaml
from anyio import fail_after
from dagger import ReturnType, dag

from floe_ci import cluster, lacking, selection
from floe_ci.build import RUNNER_IMAGE, Build
from floe_ci.cluster import HOST, Cluster
from floe_ci.config import expand_environment
from floe_ci.contract import CREDENTIALS_SECRET, LABEL_CONNECTION
from floe_ci.driver import unwell
from floe_ci.driver.apis import Apis
from floe_ci.engine import AWAY, explained
from floe_ci.errors import RunError
from floe_ci.places.driven import Driven, DrivenStay
from floe_ci.tasks import in_thread, together

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractAsyncContextManager

    from floe_ci.build import Steps
    from floe_ci.origin import Origin
    from floe_ci.plan import Plan
    from floe_ci.run import Run

SERVICES_NAMESPACE: Final = "floe-test"
"""Where the services are in a cluster that more than one run uses."""
STARTING: Final = 300.0
ANSWER: Final = 10.0
"""Seconds in which the engine must say that it is there; Dagger tries for longer."""
JOURNALS: Final = 30.0
"""Seconds in which the nodes must tell what they wrote."""
CREATING: Final = 600.0
"""Seconds until Docker, and until the cluster, must be there."""


class KindStay(DrivenStay):
    """A run's stay in a cluster of its own."""

    def __init__(
        self,
        run: Run,
        origin: AbstractAsyncContextManager[Origin],
        *,
        name: str | None = None,
        namespace: str = "",
        is_there: bool = False,
    ) -> None:
        """Prepare.

        Args:
            run: What is done in it.
            origin: Is opened when the run enters.
            name: Lets the cluster outlive the session under this name; None: the run's, where it is to be kept.
            namespace: Where the services are; empty: a namespace of the run's own.
            is_there: Whether it is one that was left before, and is left again.
        """
        self._run, self._origin, self._namespace, self._is_there = run, origin, namespace, is_there
        self._name = name or (run.request.run_id if run.request.keep else None)
        self._cluster: Cluster | None = None

    async def enter(self) -> None:
        """Create the cluster, while the images are built that go into it."""
        with explained():
            with self._run.step("configure"):
                build = await Build.read(await self._run.held.hold(self._origin), self._run.request, self._run)
                known = await build.durations(self._run.folder.path) if build.plan.shards != 1 else {}
            with self._run.step("toolbox"):
                tools = await build.tools.sync()
            await lacking.require_whole(build, tools)
            if self._is_there and self._name:
                await cluster.require(tools, self._run.request.run_id, self._name)
            self._cluster = new = Cluster.of(tools, self._run.request.run_id, build.nodes, self._name)
            self._run.versions["Kubernetes"] = build.node_image
            prepared = prepare(build, new, self._run, self._rendered(build, new))
            created, (plan, names) = await together(create(build, new, self._run), prepared)
            self._cluster = created
            self._run.ran_with(plan)
            url = await self._run.held.hold(build.origin.reach(created))
            kubeconfig = await created.kubeconfig()
        spec = plan.spec(names.__getitem__, namespace=self._namespace).model_copy(update={"durations": known})
        self._driven = Driven(self._run, connect(kubeconfig, url), spec)

    async def services(self) -> None:
        """Deploy the services and wait for them, and for what answers for their names."""
        await in_thread(partial(self._there.services, is_new=True))

    async def tests(self) -> int:
        """Run the tests as a Job.

        Raises:
            RunError: They can't be run to their end; a cluster that was lost with the engine is told as such.
        """
        try:
            return await super().tests()
        except RunError as error:
            if self._there.is_away:
                try:
                    with explained(), fail_after(ANSWER):
                        await dag.version()
                except TimeoutError:
                    msg = f"{AWAY}, nor does the cluster in it: {error}"
                    raise RunError(msg) from error
            raise

    async def collect(self) -> tuple[str, ...]:
        """Copy out of the cluster what is there; where a step failed, what its nodes wrote as well."""
        try:
            return await super().collect()
        finally:
            if self._driven and self._run.has_broken and self._run.interrupts.signal is None:
                with suppress(TimeoutError, OSError, dagger.DaggerError), fail_after(JOURNALS):
                    for node, text in (await self.cluster.journals()).items():
                        self._run.folder.write(f"{unwell.FOLDER}/{node}.log", text)

    def kept(self) -> tuple[str, ...]:
        """Return how to enter the cluster, and how to be rid of it."""
        name = self._run.request.run_id
        return (
            f"enter it: `dagger call cluster --name {name} shell terminal`, with the options of the run",
            f"delete it: `dagger call delete-cluster --name {name}`",
        )

    async def leave(self, *, keep: bool, hurry: bool) -> None:  # noqa: ARG002 - to kill is quick enough
        """Kill the cluster with the service that it is in, or stop it for a look."""
        if self._driven and self._is_there and not keep:
            await in_thread(self._driven.clear)
        await self.let_go()
        if self._cluster:
            keep = keep or self._is_there
            with self._run.step("leave cluster" if keep else "kill cluster"), explained():
                await (self._cluster.leave() if keep else self._cluster.kill())

    async def _rendered(self, build: Build, cluster: Cluster) -> Plan:
        """Return the plan with its manifests.

        Raises:
            UserError: They can't come to anything in a new cluster; what is in one that was left, it knows itself.
        """
        plan = await build.manifests(cluster.tools, self._namespace)
        if not self._is_there:
            plan.addons.require_whole(plan.services)
        return plan

    @property
    def cluster(self) -> Cluster:
        """The cluster, once the run has entered."""
        assert self._cluster  # noqa: S101 - the story enters first
        return self._cluster


async def create(build: Build, cluster: Cluster, run: Steps) -> Cluster:
    """Start Docker and a registry in a service, and the cluster on them."""

    async def start() -> None:
        with run.step("start service", STARTING):
            await cluster.start()

    layout, _ = await together(build.node_layout(cluster), start())
    with run.step("create cluster", CREATING):
        return await cluster.create(layout)


async def prepare(build: Build, cluster: Cluster, run: Run, rendered: Awaitable[Plan]) -> tuple[Plan, dict[str, str]]:
    """Build the runner and render the manifests, then load every image.

    Args:
        build: What is built.
        cluster: Where the images go.
        run: What it is for.
        rendered: Renders the manifests.

    Returns:
        The plan with the manifests, and what the nodes pull each of their images under.
    """
    if not run.with_tests:
        alone = (await rendered).without_tests()
        return alone, await build.load(cluster, await build.services(alone))
    runner: dagger.Container
    plan: Plan
    runner, plan = await together(build.runner(), rendered)
    images = await build.services(plan) | {RUNNER_IMAGE: runner}
    _, names = await together(check_selection(plan, runner, run), build.load(cluster, images))
    return plan, names


async def check_selection(plan: Plan, runner: dagger.Container, run: Run) -> None:
    """Find out early, while the cluster starts, that no test is selected.

    Raises:
        UserError: It is so, or pytest doesn't take its arguments.
    """
    with run.step(selection.COLLECT_TESTS):
        variables = stand_in_variables(plan)
        for name, value in variables.items():
            runner = runner.with_env_variable(name, value)
        arguments = selection.selecting_arguments(plan.tier.with_pytest_args(variables), run.request.selection)
        done = runner.with_exec(["pytest", "--collect-only", "--quiet", *arguments], expect=ReturnType.ANY)
        code = await done.exit_code()
        output = await done.stdout() + await done.stderr() if code else ""
        selection.refuse_nothing(run.request.tier, run.request.selection, code, output)


def stand_in_variables(plan: Plan) -> dict[str, str]:
    """Return the variables that the tests will have, with no service behind them yet."""
    passwords = dict.fromkeys(plan.services.credential_keys(CREDENTIALS_SECRET), "not-yet-generated")
    known = plan.services.connection_variables(LABEL_CONNECTION) | passwords | plan.variables(namespace=plan.namespace)
    return expand_environment(plan.tier.environment, known) | known


def connect(kubeconfig: str, url: str) -> Apis:
    """Return clients of a Kind cluster whose API this process reaches under another address than its certificate's."""
    document = yaml.safe_load(kubeconfig)
    for each in document["clusters"]:
        each["cluster"] |= {"server": url, "tls-server-name": HOST}
    return Apis.of_kubeconfig(yaml.safe_dump(document))
