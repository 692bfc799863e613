"""A cluster that is there already, by kubeconfig and context: a namespace of the run's own in it, and no more."""

from __future__ import annotations

import getpass
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import anyio

from floe_ci import bundled, helm, kustomize
from floe_ci.addons import Addons
from floe_ci.driver import kubectl as command
from floe_ci.driver.kubectl import kubectl
from floe_ci.errors import RunError, UserError
from floe_ci.existing import addons, images, kept_durations, ownership, target, tenancy
from floe_ci.manifests import Manifests
from floe_ci.places import Finding
from floe_ci.places.driven import Driven, DrivenStay
from floe_ci.plan import Plan, namespace
from floe_ci.run import run, up
from floe_ci.tasks import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.config import Chart
    from floe_ci.driver.apis import Apis
    from floe_ci.existing.tenancy import Tenancy
    from floe_ci.listeners import Progress
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.run import Run
    from floe_ci.verdict import Outcome

INSTALL: Final = "install it: https://kubernetes.io/docs/tasks/tools"
IMAGES: Final = "a run in it needs --push REF, a registry that it pulls from, or --image REF, a runner that is there"
REACHES_OUT: Final = "e2e"
"""The tier whose tests may change something outside of their namespace: they make namespaces of their own."""
OF_ADDONS: Final = frozenset({"metrics.k8s.io"})
"""Groups of APIs that a cluster has by an add-on alone."""
SEES: Final = {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list"]}
"""What tests of other tiers may do outside of theirs in a cluster of somebody else's."""


class ClusterPlace:
    """Runs tests in a Kubernetes cluster that was there before and stays after."""

    name: PlaceName = "cluster"

    def check(self) -> list[Finding]:
        """Return whether kubectl is here, and a cluster that answers."""
        try:
            target.require_kubectl()
        except UserError as error:
            return [Finding("kubectl", "missing", str(error), INSTALL)]
        kubectl = Finding("kubectl", "here", "on PATH")
        try:
            chosen = target.choose()
        except UserError as error:
            return [kubectl, Finding("cluster", "missing", str(error))]
        try:
            said = f"context {chosen.context}: Kubernetes {chosen.version()} at {chosen.server}"
        except UserError as error:
            return [kubectl, Finding("cluster", "broken", str(error), "start it, or name another: --context NAME")]
        return [kubectl, Finding("cluster", "here", said, IMAGES)]

    def stay(self, run: Run) -> ClusterStay:
        """Return a run's stay, which is still to begin."""
        return ClusterStay(run)

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier in a namespace of its own, which is deleted afterwards, and leave its results."""
        return anyio.run(run, request, self, progress)

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Bring the tier's services up in a namespace of the user's, and leave them; return how to see them.

        Raises:
            UserError: They can't be brought up; what was begun is deleted.
        """
        chosen = target.choose(request.kubeconfig, request.context)
        asked = replace(request, run_id=kept_id(request), keep=True)
        look = shlex.join(("kubectl", *chosen.kubectl_options, "--namespace", namespace(asked), "get", "all"))
        where = f"in namespace {namespace(asked)} of context {chosen.context}"
        told = f"{where}: `{look}`; `floe-ci down --on cluster` deletes them"
        if ownership.owned_namespaces(chosen.connect(), asked.run_id):
            return f"services are up already {told}"
        anyio.run(up, asked, self, progress)
        return f"services are up {told}"

    def down(self, request: RunRequest, progress: Progress) -> str:
        """Delete what `up` left of the user's.

        Raises:
            UserError: It can't be deleted; the message says what is left.
        """
        chosen = target.choose(request.kubeconfig, request.context)
        apis = chosen.connect()
        left = [each.metadata.name for each in ownership.owned_namespaces(apis, kept_id(request))]
        if not left:
            return f"no services of yours are up in context {chosen.context}"
        progress.note(f"deleting {', '.join(left)}")
        plan = read(request, with_tests=False, version=chosen.version)
        kinds = addons.kinds_of(apis, plan.addons.beside(plan.services))
        try:
            try:
                addons.remove(apis, kept_id(request), plan.addons)
            finally:
                ownership.delete(apis, kept_id(request), kinds)
        except RunError as error:
            raise UserError(str(error)) from error
        return f"deleted {', '.join(left)}"


class ClusterStay(DrivenStay):
    """A run's stay in somebody else's cluster: it is let in, makes what it needs, and leaves nothing behind."""

    def __init__(self, run: Run) -> None:
        """Prepare; nothing is asked of the cluster yet."""
        self._run = run
        self._tenancy: Tenancy | None = None
        self._store = ""
        """The ConfigMap of durations, where there is to be one."""

    async def enter(self) -> None:
        """Ask the cluster whether it lets the run in, push or find the images, and claim what is the run's."""
        request = self._run.request
        with self._run.step("configure"):
            chosen = await in_thread(lambda: target.choose(request.kubeconfig, request.context))
            plan = await in_thread(lambda: read(request, with_tests=self._run.with_tests, version=chosen.version))
            images.to_push(plan)
            known = await in_thread(lambda: plan.durations(self._run.folder.path) if plan.shards != 1 else {})
        with self._run.step("check the cluster"):
            self._run.versions["Kubernetes"] = await in_thread(chosen.version)
            self._tenancy = let_in = await in_thread(lambda: tenancy.check(plan.spec(), chosen, request.addons))
        self._run.note(let_in.where)
        self._run.ran_with(plan)
        if self._run.with_tests and plan.tier.durations_config_map:
            known = await self._recall(let_in.apis, plan.tier.durations_config_map) or known
        with self._run.step("push images" if request.push else "find images"):
            spec = plan.spec(await images.settle(plan)).model_copy(update={"durations": known, "addons_of_run": True})
        stop = self._run.interrupts.stop
        self._driven = Driven(self._run, let_in.apis, spec, claim=lambda: let_in.claim(spec, stop))

    def kept(self) -> tuple[str, ...]:
        """Return how to look at what was left, and how to be rid of it."""
        return self._tenancy.kept(self._shards) if self._tenancy else ()

    async def leave(self, *, keep: bool, hurry: bool) -> None:
        """Delete what the run made; in a hurry the cluster is told to, and not waited for."""
        await self.let_go()
        if self._tenancy and self._store and not hurry:
            await self._remember(self._tenancy.apis)
        if self._tenancy and self._driven and not keep:
            let_in = self._tenancy
            with self._run.step("leave the cluster"):
                stop = None if hurry else self._run.interrupts.stop
                notes = await in_thread(lambda: let_in.delete(shards=self._shards, hurry=hurry, stop=stop))
            for note in notes:
                self._run.told.note(note)

    async def _recall(self, apis: Apis, where: str) -> dict[str, float]:
        """Return how long tests took before, by a ConfigMap; without it the run is less balanced, and no worse."""
        try:
            known = await in_thread(lambda: kept_durations.read(apis, where))
        except UserError as error:
            self._run.note(f"durations of tests are not known: {error}")
            return {}
        self._store = where
        return known

    async def _remember(self, apis: Apis) -> None:
        """Keep how long tests took for the runs that follow, of this machine or another, beside what is there now."""
        if not self._run.live.durations:
            return
        try:
            known = await in_thread(lambda: kept_durations.read(apis, self._store))
            text = self._run.durations_after(known)
            await in_thread(lambda: kept_durations.write(apis, self._store, text))
        except UserError as error:
            self._run.told.note(str(error))

    @property
    def _shards(self) -> int:
        return max(1, len(self._run.live.parts))


def read(request: RunRequest, *, with_tests: bool = True, version: Callable[[], str] = str) -> Plan:
    """Read the repository's configuration, and render the manifests.

    Args:
        request: What is asked of the run.
        with_tests: Whether the tests' own Job is part of it.
        version: Returns the version of the cluster's Kubernetes, which charts may ask for.

    Raises:
        UserError: Something of it isn't there, or is wrong.
    """
    plan = Plan.read(request)
    services, of_cluster, runner = render(bundled.manifests(), plan, version)
    for each in runner.documents:
        if each["kind"] == "ClusterRole":
            each["rules"] = _rules(request.tier, each["rules"], of_cluster)
    return addons.answered(plan.with_manifests(services, runner if with_tests else Manifests(()), of_cluster))


def _rules(tier: str, rules: list[dict[str, list[str]]], of_cluster: Addons) -> list[dict[str, list[str]]]:
    """Return what a tier's tests may ask of the whole cluster: nothing that only an add-on serves which it hasn't."""
    if tier != REACHES_OUT:
        return [SEES]
    return [rule for rule in rules if not OF_ADDONS.intersection(rule["apiGroups"]) - of_cluster.served]


def render(k8s: Path, plan: Plan, version: Callable[[], str] = str) -> tuple[Manifests, Addons, Manifests]:
    """Return the manifests of a tier's services, its add-ons, and the manifests of the runner's Job.

    Raises:
        UserError: A manifest is not there or does not parse.
    """
    with TemporaryDirectory(prefix="floe-ci-") as folder:
        root = Path(folder).resolve()
        (root / "k8s").symlink_to(k8s.resolve())
        (root / "source").symlink_to(plan.request.source.resolve())
        (root / "run").mkdir()
        text = kustomize.kustomization(plan.tier, plan.catalog)
        if text:
            (root / "run" / kustomize.FILE).write_text(text, encoding="utf-8")
        services = _render(root, "run") if text else Manifests(())
        kubernetes = version() if plan.tier.charts else ""
        charts = helm.together([_render_chart(root, each, plan.namespace, kubernetes) for each in plan.tier.charts])
        services = Manifests((*services.documents, *charts.documents))
        names = plan.tier.addons
        return services, Addons({name: _render_addon(root, name) for name in names}), _render(root, "k8s/runner")


def _render_chart(root: Path, chart: Chart, namespace: str, kubernetes: str) -> Manifests | str:
    if shutil.which("helm") is None:
        return f"{chart.path}: helm is not on PATH; {helm.INSTALL}"
    try:
        rendered = command.run(*helm.command(chart, str(root), namespace, kubernetes))
    except RunError as error:
        return helm.refusal(chart, str(error).partition(" failed: ")[2] or str(error), str(root))
    return helm.manifests(chart, rendered.decode())


def _render_addon(root: Path, path: str) -> Manifests:
    folder = root / "addons" / "0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / kustomize.FILE).write_text(kustomize.alone(path), encoding="utf-8")
    return _render(root, "addons/0")


def _render(root: Path, name: str) -> Manifests:
    try:
        rendered = kubectl(*kustomize.COMMAND, str(root / name))
    except RunError as error:
        raise kustomize.refusal(str(error).partition(" failed: ")[2] or str(error), str(root)) from error
    return Manifests.parse(rendered.decode(), "the rendered manifests")


def kept_id(request: RunRequest) -> str:
    """Return the run id of the services that `up` leaves: the user's, so that two of one cluster don't meet."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "nobody"
    return f"dev-{re.sub('[^a-z0-9]+', '-', user.lower())[:30].strip('-')}-{request.tier}"
