"""What a run in an existing cluster is to do: configuration and manifests, read and rendered on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci import bundled, kustomize, selection
from floe_ci.config import read_file
from floe_ci.driver.kubectl import kubectl
from floe_ci.driver.spec import RunSpec
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.config import Config, TierConfig
    from floe_ci.places import RunRequest

REACHES_OUT: Final = "e2e"
"""The tier whose tests may change something outside of their namespace: they make namespaces of their own."""
SEES: Final = {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list"]}
"""What tests of other tiers may do outside of theirs in a cluster of somebody else's."""


@dataclass(frozen=True)
class Plan:
    """A request, with everything that had to be read to carry it out."""

    request: RunRequest
    config: Config
    tier: TierConfig
    services: Manifests
    job: Manifests
    """The runner's; empty where the services are brought up alone."""

    @classmethod
    def read(cls, request: RunRequest, *, with_tests: bool = True) -> Plan:
        """Read the repository's configuration, and render the manifests.

        Raises:
            UserError: Something of it isn't there, or is wrong.
        """
        if not request.source.is_dir():
            msg = f"--source {request.source}: there is no such folder"
            raise UserError(msg)
        config = read_file(request.source / "pyproject.toml").with_job_timeout(request.timeout)
        tier = config.tier(request.tier)
        services, runner = render(bundled.manifests(), request.source, tier)
        if request.tier != REACHES_OUT:
            runner = Manifests(
                tuple({**each, "rules": [SEES]} if each["kind"] == "ClusterRole" else each for each in runner.documents)
            )
        return cls(request, config, tier, services, runner if with_tests else Manifests(()))

    @property
    def images(self) -> tuple[str, ...]:
        """The images that the run needs, as the manifests call them."""
        return (*self.services.images(), *self.job.images())

    def spec(self, run_id: str, image_of: Callable[[str], str] = str) -> RunSpec:
        """Return what the driver is told, with each image by the name that the cluster pulls it under."""
        tier = self.request.tier
        return RunSpec(
            run_id=run_id,
            tier=tier,
            namespace=f"floe-{tier}-{run_id}",
            nodes=self.tier.nodes,
            services=self.services.with_images(image_of).to_yaml(),
            runner=self.job.to_yaml() if self.job.documents else "",
            runner_image=next(map(image_of, self.job.images()), ""),
            pytest_args=selection.pytest_arguments(self.tier, self.config, self.request.selection),
            environment=dict(self.tier.environment),
            timeouts=self.config.timeouts,
        )


def render(k8s: Path, source: Path, tier: TierConfig) -> tuple[Manifests, Manifests]:
    """Return the manifests of a tier's services, and of the runner's Job.

    Raises:
        UserError: A manifest is not there or does not parse.
    """
    with TemporaryDirectory(prefix="floe-ci-") as folder:
        root = Path(folder).resolve()
        (root / "k8s").symlink_to(k8s.resolve())
        (root / "source").symlink_to(source.resolve())
        (root / "run").mkdir()
        text = kustomize.kustomization(tier)
        if text:
            (root / "run" / "kustomization.yaml").write_text(text, encoding="utf-8")
        services = _render(root, "run") if text else Manifests(())
        return services, _render(root, "k8s/runner")


def _render(root: Path, name: str) -> Manifests:
    try:
        rendered = kubectl(*kustomize.COMMAND, str(root / name))
    except RunError as error:
        raise kustomize.refusal(str(error).partition(" failed: ")[2] or str(error), str(root)) from error
    return Manifests.parse(rendered.decode(), "the rendered manifests")
