"""Clusters that outlive a run: brought up with the services, held open, kept under a name, removed."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import dagger

from floe_ci import cluster, pipeline, toolbox
from floe_ci.cluster import Cluster
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests
from floe_ci.registry import Registry
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from floe_ci.pipeline import Bundle, Request
    from floe_ci.steps import Listener

SERVICES_NAMESPACE = "floe-test"
"""Where the services of a cluster without tests are."""
NO_SUCH_CLUSTER = 3
"""What forget-cluster.sh exits with where there is none of the name."""


async def bring_up(request: Request, name: str | None, *, services: bool, listener: Listener | None = None) -> Cluster:
    """Start a cluster and leave it running for the session, with the tier's services if asked for.

    Raises:
        UserError: What was asked for can't be, or broke; the message says where.
    """
    timings = Timings(listener=listener)
    plan = await pipeline.read_plan(request)
    check_name(name)
    tools = await plan.tools.sync()
    starting = Cluster.of(tools, request.run_id, name)
    try:
        rendered, _ = await pipeline.render_manifests(plan, tools, timings)
        images = await pipeline.service_images(plan, rendered) if services else {}
        created: Cluster
        created, _ = await together(
            pipeline.start_cluster(plan, starting, timings), pipeline.load_images(starting, images, timings)
        )
        if services:
            spec = pipeline.run_spec(plan, rendered, Manifests.parse("", "no Job"))
            report, _ = await pipeline.drive(
                created, spec.model_copy(update={"namespace": SERVICES_NAMESPACE}), timings
            )
            if report.problem:
                raise UserError(report.problem)
    except dagger.QueryError as error:
        await starting.kill()
        raise UserError(pipeline.describe(error)) from error
    return created


async def forget(bundle: Bundle, name: str, mirror: str, *, missing_ok: bool = False) -> None:
    """Remove a cluster that outlived its session; with `missing_ok`, one that isn't there is no error.

    Raises:
        UserError: There is none of that name, or it is running.
    """
    check_name(name)
    tools = toolbox.build(Registry(await pipeline.read_images(bundle.k8s), mirror), bundle.package)
    try:
        await cluster.forget(tools, uuid.uuid4().hex, name)
    except dagger.ExecError as error:
        if missing_ok and error.exit_code == NO_SUCH_CLUSTER:
            return
        raise UserError(error.stderr.strip()) from error


def check_name(name: str | None) -> None:
    """Refuse a cluster's name that is none: it becomes part of a path."""
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        msg = f"--name {name!r}: use up to 41 lower-case letters, digits and '-', a letter or digit first"
        raise UserError(msg)
