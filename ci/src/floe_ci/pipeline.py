"""The story of a run: from source to results."""

from __future__ import annotations

import shlex
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import dagger
from dagger import dag

from floe_ci import contract, render, results, runner, selection, service_build, toolbox
from floe_ci.cluster import Cluster, layout
from floe_ci.config import Config, TierConfig, TierName, expand_environment, read_config
from floe_ci.driver.spec import DriverReport, RunSpec
from floe_ci.engine import explain
from floe_ci.errors import RunError
from floe_ci.images import Images, Reference
from floe_ci.registry import Registry
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.manifests import Manifests
    from floe_ci.results import Outcome
    from floe_ci.steps import Listener

NODE_IMAGE = "kindest/node"
RUNNER_IMAGE = "floe.local/runner:dev"
SHOWN = 2000
"""How many characters of a failed command's output are shown."""


@dataclass(frozen=True)
class Bundle:
    """What this product brings with it."""

    k8s: dagger.Directory
    """Its manifests."""
    package: dagger.Directory
    """The project of this package, which runs beside the cluster too."""


@dataclass(frozen=True)
class Request:
    """What the caller asks for."""

    tier: TierName
    source: dagger.Directory
    """The repository."""
    bundle: Bundle
    selection: selection.Selection = selection.Selection()
    timeout: int = 0
    """Seconds for the tests as a whole; 0: as the repository's configuration says."""
    mirror: str = ""
    """A registry that has every public image; empty: each image's own."""
    node_image: str = ""
    """The nodes' image; empty: the pinned one."""
    keep: bool = False
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])


@dataclass(frozen=True)
class Plan:
    """A request, with everything that had to be read to carry it out."""

    request: Request
    config: Config
    tier: TierConfig
    registry: Registry
    pytest_args: tuple[str, ...]

    @property
    def tools(self) -> dagger.Container:
        """The toolbox."""
        return toolbox.build(self.registry, self.request.bundle.package)

    @property
    def node_image(self) -> str:
        """The image of the cluster's nodes, by public name."""
        return self.request.node_image or self.registry.images.reference(NODE_IMAGE)


async def run(request: Request, folder: Path, listener: Listener | None = None) -> Outcome:
    """Carry out a run and leave its results in a folder, whatever became of the tests.

    A `listener` is told of each step as it begins and ends.

    Raises:
        UserError: What was asked for can't be run at all; nothing was started, or it was stopped again.
    """
    timings = Timings(listener=listener)
    with timings.step("configure"):
        plan = await read_plan(request)
    in_tier = run_in_container if request.tier == "unit" else run_in_cluster
    try:
        report, collected = await in_tier(plan, timings)
    except dagger.QueryError as error:
        # Bad input raises here; anything else is a run that broke, and still has results.
        report, collected = DriverReport(problem=describe(error)), dag.directory()
    except RunError as error:
        report, collected = DriverReport(problem=str(error)), dag.directory()
    await collected.export(str(folder), wipe=True)
    return results.assemble(folder, request.run_id, request.tier, report, timings)


def describe(error: dagger.QueryError) -> str:
    """Return what a failed call to the engine says, and of a command also what that said.

    Raises:
        UserError: It is something that the caller can mend.
    """
    message = explain(str(error))
    if isinstance(error, dagger.ExecError):
        said = (error.stderr or error.stdout).strip()
        return f"`{shlex.join(error.command)}` failed with exit code {error.exit_code}:\n{said[-SHOWN:]}"
    return message


async def read_plan(request: Request) -> Plan:
    """Read and check the repository's configuration, and the images that are pinned."""
    config, images = await together(read_table(request.source), read_images(request.bundle.k8s))
    config = config.with_job_timeout(request.timeout)
    tier = config.tier(request.tier)
    arguments = selection.pytest_arguments(tier, config, request.selection)
    return Plan(request, config, tier, Registry(images, request.mirror), arguments)


async def read_table(source: dagger.Directory) -> Config:
    """Read the repository's configuration; where there is none, everything has its default."""
    pyproject = "pyproject.toml"
    return read_config(await source.file(pyproject).contents() if await source.exists(pyproject) else "")


async def read_images(k8s: dagger.Directory) -> Images:
    """Read the file that pins the public images."""
    where = "images/kustomization.yaml"
    return Images.parse(await k8s.file(where).contents(), f"k8s/{where}")


async def runner_image(request: Request) -> dagger.Container:
    """Return the test-runner image of the repository, built."""
    return await build_runner(await read_plan(request), Timings())


async def run_in_container(plan: Plan, timings: Timings) -> tuple[DriverReport, dagger.Directory]:
    """Run the unit tier: the runner image as a plain container."""
    image = await build_runner(plan, timings)
    variables = {
        contract.ENV_RUN_ID: plan.request.run_id,
        contract.ENV_TIER: plan.request.tier,
        contract.ENV_RESULTS_DIR: contract.RESULTS_DIR,
        **plan.config.timeouts.variables(),
    }
    for name, value in (expand_environment(plan.tier.environment, variables) | variables).items():
        image = image.with_env_variable(name, value)
    limit = str(plan.config.timeouts.job)
    with timings.step("tests"):
        # The exit code goes through a file: the engine takes some codes for its own failures.
        script = 'timeout --kill-after=30 "$@" > /results/runner.log 2>&1; echo $? > /results/pytest-exit-code'
        done = await image.with_exec(["sh", "-c", script, "sh", limit, "pytest", *plan.pytest_args]).sync()
        collected = done.directory(contract.RESULTS_DIR)
        exit_code = int(await collected.file("pytest-exit-code").contents())
    log = await collected.file("runner.log").contents()
    selection.refuse_nothing(plan.request.tier, plan.request.selection, exit_code, log)
    collected = (
        collected.without_files(["pytest-exit-code", "runner.log"])
        .with_file("logs/runner.log", collected.file("runner.log"))
        .with_new_file("events.txt", "no cluster: the unit tier runs as a container\n")
    )
    return DriverReport(exit_code=exit_code), collected


async def run_in_cluster(plan: Plan, timings: Timings) -> tuple[DriverReport, dagger.Directory]:
    """Run a tier in a Kind cluster of its own, which is deleted afterwards."""
    with timings.step("toolbox"):
        tools = await plan.tools.sync()
    cluster = Cluster.of(tools, plan.request.run_id, plan.request.run_id if plan.request.keep else None)
    keep = False
    try:
        created, (services, job) = await together(
            start_cluster(plan, cluster, timings),
            prepare_images(plan, cluster, timings),
        )
        report, collected = await drive(created, run_spec(plan, services, job), timings)
        keep = bool(plan.request.keep and (report.problem or report.exit_code))
    finally:
        problem = await tear_down(cluster, timings, keep=keep)
    if keep:
        report = report.model_copy(update={"kept_as": plan.request.run_id})
    if problem and not report.problem:
        report = report.model_copy(update={"problem": problem})
    return report, collected


async def start_cluster(plan: Plan, cluster: Cluster, timings: Timings) -> Cluster:
    """Start Docker and a registry in a service, and the cluster on them."""
    nodes = {plan.node_image: plan.registry.pull(plan.node_image)}
    layouts, _ = await together(prepare_layouts(cluster, nodes, timings), start_service(cluster, timings))
    with timings.step("load nodes"):
        await cluster.load(layouts)
    with timings.step("create cluster"):
        return await cluster.create(
            plan.node_image, plan.request.bundle.k8s.file(f"kind/{kind_config(plan.tier)}.yaml")
        )


async def start_service(cluster: Cluster, timings: Timings) -> None:
    """Start Docker and a registry."""
    with timings.step("start service"):
        await cluster.start()


async def prepare_images(plan: Plan, cluster: Cluster, timings: Timings) -> tuple[Manifests, Manifests]:
    """Build the runner and render the manifests, then load every image; return the manifests."""
    image, (services, job) = await together(build_runner(plan, timings), render_manifests(plan, cluster.tools, timings))
    images = await service_images(plan, services) | {RUNNER_IMAGE: image}
    await together(check_selection(plan, image, timings), load_images(cluster, images, timings))
    return services, job


async def build_runner(plan: Plan, timings: Timings) -> dagger.Container:
    """Build the runner image."""
    with timings.step("build runner"):
        return await (await runner.build_runner(plan.request.source, plan.config, plan.registry)).sync()


async def render_manifests(plan: Plan, tools: dagger.Container, timings: Timings) -> tuple[Manifests, Manifests]:
    """Render the tier's services, and the runner's Job."""
    request = plan.request
    with timings.step("render manifests"):
        services, job = await together(
            render.services(tools, request.bundle.k8s, request.source, plan.tier),
            render.folder(tools, request.bundle.k8s, "runner"),
        )
    return services, job


def kind_config(tier: TierConfig) -> str:
    """Return the name of the Kind configuration with as many nodes as the tier wants."""
    return "integration" if tier.nodes == 1 else "e2e"


async def check_selection(plan: Plan, image: dagger.Container, timings: Timings) -> None:
    """Find out early, while the cluster starts, that no test is selected."""
    with timings.step("collect tests"):
        collect = [
            "pytest",
            "--collect-only",
            "--quiet",
            *selection.selecting_arguments(plan.tier, plan.request.selection),
        ]
        done = image.with_exec(collect, expect=dagger.ReturnType.ANY)
        output = await done.stdout() + await done.stderr()
        exit_code = await done.exit_code()
        selection.refuse_nothing(plan.request.tier, plan.request.selection, exit_code, output)
        if exit_code:
            msg = f"the tests can't be collected (pytest's exit code {exit_code}):\n{output.strip()[-SHOWN:]}"
            raise RunError(msg)


async def service_images(plan: Plan, services: Manifests) -> dict[str, dagger.Container]:
    """Return the images of the services by name: pulled, or built where it is one of the module's own."""
    names = services.images()
    images = await together(*(service_image(plan, Reference.parse(name)) for name in names))
    return dict(zip(names, images, strict=True))


async def service_image(plan: Plan, reference: Reference) -> dagger.Container:
    """Return one service's image."""
    if reference.is_built:
        folder = plan.request.bundle.k8s.directory(f"base/{reference.repository}/image")
        return await service_build.image(folder, reference.name, plan.registry)
    return plan.registry.pull(reference.canonical)


async def load_images(cluster: Cluster, images: Mapping[str, dagger.Container], timings: Timings) -> None:
    """Pull or build images, and load them."""
    layouts = await prepare_layouts(cluster, images, timings)
    if layouts:
        with timings.step("load images"):
            await cluster.load(layouts)


async def prepare_layouts(
    cluster: Cluster, images: Mapping[str, dagger.Container], timings: Timings
) -> dict[str, dagger.Directory]:
    """Pull or build images, and make of each what can be loaded."""

    async def prepare(name: str) -> dagger.Directory:
        with timings.step(f"prepare {Reference.parse(name).repository}"):
            return await layout(cluster.tools, images[name], name).sync()

    layouts = await together(*(prepare(name) for name in images))
    return dict(zip(images, layouts, strict=True))


def run_spec(plan: Plan, services: Manifests, job: Manifests) -> RunSpec:
    """Return what the driver is told."""
    return RunSpec(
        run_id=plan.request.run_id,
        tier=plan.request.tier,
        namespace=f"floe-{plan.request.tier}-{plan.request.run_id}",
        nodes=plan.tier.nodes,
        # The registry beside the nodes has images by tag; their digests were checked when the engine pulled them.
        services=services.with_images(lambda name: Reference.parse(name).tagged).to_yaml(),
        runner=job.to_yaml(),
        runner_image=RUNNER_IMAGE,
        pytest_args=plan.pytest_args,
        environment=dict(plan.tier.environment),
        timeouts=plan.config.timeouts,
    )


async def drive(cluster: Cluster, spec: RunSpec, timings: Timings) -> tuple[DriverReport, dagger.Directory]:
    """Run the driver beside the cluster and return its report and what it collected."""
    offset = timings.elapsed
    # The exit code goes through a file: the engine takes some codes for its own failures.
    script = "mkdir -p /results; python -m floe_ci.driver /run/spec.json /results 2>&1 | tee /results/driver.log"
    done = await (
        cluster.client.with_new_file("/run/spec.json", spec.model_dump_json()).with_exec(["sh", "-c", script]).sync()
    )
    collected = done.directory("/results")
    if not await collected.exists("driver.json"):
        said = await collected.file("driver.log").contents()
        return DriverReport(problem=f"the driver died: {said.strip()[-2000:]}"), collected
    report = DriverReport.model_validate_json(await collected.file("driver.json").contents())
    timings.extend(report.steps, offset=offset)
    return report, collected.without_files(["driver.json", "driver.log"])


async def tear_down(cluster: Cluster, timings: Timings, *, keep: bool) -> str | None:
    """Delete the cluster, or leave it for a look; return what went wrong with that, for the run's report."""
    with anyio.CancelScope(shield=True), timings.step("leave cluster" if keep else "delete cluster"):
        try:
            await (cluster.leave() if keep else cluster.delete())
        except dagger.QueryError as error:
            return f"the cluster could not be {'left' if keep else 'deleted'}: {describe(error)}"
    return None
