"""Measures the integration tier as a plain shell script in one container, and as the module runs it.

`README.md` says what is compared, how to run this, and what came of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import dagger
from anyio import to_thread
from dagger import CacheSharingMode, dag
from floe_ci.build import RUNNER_IMAGE, Build
from floe_ci.cluster import VOLUME, loaded, path
from floe_ci.excluded import NOT_SOURCE
from floe_ci.listeners import Step
from floe_ci.origin import Origin, through_a_tunnel
from floe_ci.request import RunRequest
from floe_ci.steps import Measured, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
SCRIPT = "benchmarks/plain-shell.sh"
VOLUME_NAME = "floe-ci-plain-shell"


@dataclass(frozen=True)
class Run:
    """One run of either side."""

    side: str
    total: float
    """Seconds from the first step to the last, as the side itself measures them."""
    exit_code: int
    steps: tuple[Step, ...]


async def prepare(options: argparse.Namespace) -> dagger.Container:
    """Return the toolbox with all that the script uses, each image built or pulled before."""
    source = dag.host().directory(str(ROOT), gitignore=True).filter(exclude=[*NOT_SOURCE])
    origin = Origin(source, source.directory("k8s"), source.directory("ci"), through_a_tunnel)
    request = RunRequest("integration", registry=options.registry, node_image=options.node_image)
    build = await Build.read(origin, request, Timings())
    tools = build.tools
    images = await all_images(build, tools)
    container = (
        tools.with_workdir("/work")
        .with_directory("k8s", origin.k8s)
        .with_file("plain-shell.sh", source.file(SCRIPT))
        .with_mounted_cache(VOLUME, dag.cache_volume(VOLUME_NAME), sharing=CacheSharingMode.LOCKED)
    )
    targets = []
    for number, (name, image) in enumerate(images.items()):
        folder = f"/images/{number}"
        container = container.with_mounted_directory(folder, loaded(tools, image, name))
        targets.append(f"{folder}={path(name)}")
    arguments = [
        path(build.node_image),
        str(build.plan.config.timeouts.job),
        json.dumps(build.plan.pytest_arguments(variables={})),
        *targets,
    ]
    return await container.with_default_args(["sh", "plain-shell.sh", *arguments]).sync()


async def all_images(build: Build, tools: dagger.Container) -> dict[str, dagger.Container]:
    """Return the images that the run needs, by name."""
    plan = await build.manifests(tools)
    node = {build.node_image: build.registry.pull(build.node_image)}
    return node | await build.services(plan) | {RUNNER_IMAGE: await build.runner()}


async def run_script(container: dagger.Container) -> Run:
    """Run the script once."""
    done = container.with_env_variable("RUN_ID", uuid.uuid4().hex).with_exec(
        await container.default_args(), insecure_root_capabilities=True
    )
    sys.stderr.write(await done.stdout())
    results = done.directory("/results")
    lines = (await results.file("steps.tsv").contents()).splitlines()
    exit_code = int(await results.file("pytest-exit-code").contents())
    fields = [line.split("\t") for line in lines]
    steps = tuple(Step(name, float(start), float(took)) for start, took, name in fields)
    return Run("script", max(step.started + step.seconds for step in steps), exit_code, steps)


def run_module(options: argparse.Namespace) -> Run:
    """Run the module once, as a user does."""
    chosen = {"--registry": options.registry, "--node-image": options.node_image}
    given = [word for name, value in chosen.items() if value for word in (name, value)]
    with tempfile.TemporaryDirectory() as folder:
        call = ["dagger", "call", "test", "--tier", "integration", *given, "export", "--path", folder]
        subprocess.run(call, cwd=ROOT, stdout=sys.stderr, check=True)
        sys.stderr.write(Path(folder, "summary.md").read_text(encoding="utf-8"))
        measured = Measured.from_json(Path(folder, "timings.json").read_text(encoding="utf-8"))
        exit_code = int(Path(folder, "exit-code").read_text(encoding="utf-8"))
    return Run("module", measured.total_seconds, exit_code, measured.steps)


def report(run: Run) -> None:
    """Print one run's steps."""
    print(f"{run.side}: {run.total:.1f} s, exit code {run.exit_code}")
    for step in sorted(run.steps, key=lambda step: step.started):
        print(f"  {step.started:7.1f} {step.seconds:7.1f}  {step.name}")


def compare(runs: Sequence[Run]) -> None:
    """Print the shortest and the median run of each side, and their ratio."""
    sides = {side: [run.total for run in runs if run.side == side] for side in ("script", "module")}
    for name, measure in (("min", min), ("median", statistics.median)):
        script, module = (measure(totals) for totals in sides.values())
        print(f"{name}: script {script:.1f} s, module {module:.1f} s, ratio {module / script:.2f}")


async def main(options: argparse.Namespace) -> int:
    """Run both sides in turn and print what was measured; runs whose tests fail are no measurement."""
    runs = []
    async with dagger.connection(dagger.Config(log_output=sys.stderr)):
        container = await prepare(options)
        for turn in range(options.runs + options.warm_up):
            for side in (partial(run_script, container), partial(to_thread.run_sync, run_module, options)):
                run = await side()
                report(run)
                if run.exit_code:
                    print("its tests failed, so there is nothing to compare", file=sys.stderr)
                    return 1
                if turn >= options.warm_up:
                    runs.append(run)
    if runs:
        compare(runs)
    return 0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--registry", default="", help="take every public image from this registry, by tag")
    parser.add_argument("--node-image", default="", help="the Kind nodes' image; default: the pinned one")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each side (%(default)s)")
    parser.add_argument("--warm-up", type=int, default=1, help="runs of each side before (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(anyio.run(main, parse()))
    except dagger.ExecError as failed:
        sys.exit(f"`{' '.join(failed.command)}` failed with exit code {failed.exit_code}:\n{failed.stderr}")
