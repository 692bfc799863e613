"""What this machine can run is decided before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.errors import UserError
from floe_ci.local.offer import Offer
from floe_ci.local.session import first_lines
from floe_ci.plan import Plan
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with all services."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.floe-ci.tiers.integration]\nservices = ["postgres", "minio", "dagster"]\n'
        '[tool.floe-ci.runner]\npackages = ["libpq5"]\n'
    )
    return tmp_path


def read(repository: Path, **request: Any) -> Offer:  # noqa: ANN401 - the fields of a request
    """Return what this machine offers of a run's plan."""
    return Offer.of(Plan.read(RunRequest(source=repository, **request)))


def test_timeout_of_the_caller_counts(repository: Path) -> None:
    """A timeout on the command line takes the place of the configured one."""
    assert read(repository, timeout=7).plan.config.timeouts.job == 7


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A source that does not exist is refused, by the option's name."""
    with pytest.raises(UserError, match=r"--source .*missing: there is no such folder"):
        read(tmp_path / "missing")


def test_tier_of_several_nodes_needs_a_cluster(repository: Path) -> None:
    """The e2e tier is refused in one line that names the places where it runs."""
    with pytest.raises(
        UserError, match=r"^tier e2e: it needs a cluster of 3 nodes; run it with --on cluster, or where an engine "
    ):
        read(repository, tier="e2e")


def test_manifests_need_a_cluster(repository: Path) -> None:
    """A tier with manifests of its own is refused, and the manifests are named."""
    (repository / "pyproject.toml").write_text('[tool.floe-ci.tiers.integration]\nmanifests = ["deploy/redis.yaml"]\n')
    with pytest.raises(UserError, match=r"its manifests \(deploy/redis.yaml\) need Kubernetes"):
        read(repository)


def test_charts_need_a_cluster(repository: Path) -> None:
    """A tier with charts is refused on this machine, and they are named."""
    table = '[tool.floe-ci.tiers.integration]\ncharts = [{ path = "charts/app" }]\n'
    (repository / "pyproject.toml").write_text(table)
    with pytest.raises(UserError, match=r"its charts \(charts/app\) need Kubernetes; run it with --on cluster"):
        read(repository)


def test_add_ons_need_a_cluster(repository: Path) -> None:
    """A tier with add-ons is refused on this machine, and they are named."""
    (repository / "pyproject.toml").write_text('[tool.floe-ci.tiers.integration]\naddons = ["deploy/operator"]\n')
    with pytest.raises(
        UserError, match=r"its add-ons \(deploy/operator\) are of a cluster.*; run it with --on cluster"
    ):
        read(repository)


def test_absent_service_is_named_with_its_reason(repository: Path, installed: Callable[..., None]) -> None:
    """A service without a package is left out, and the first lines and the tests' environment say why."""
    installed("postgres", "dagster")
    offered = read(repository)
    assert offered.services == ("postgres", "dagster")
    assert set(offered.absent_variables()) == {"FLOE_MINIO_ABSENT"}
    assert "minio is not installed" in offered.absent_variables()["FLOE_MINIO_ABSENT"]
    assert any(
        line.startswith("minio: not here, and the tests that need it are skipped") for line in first_lines(offered)
    )


def test_service_whose_need_is_absent(repository: Path, installed: Callable[..., None]) -> None:
    """A service that needs one that is not here is not here either, and the reason names both."""
    installed("minio", "dagster")
    assert read(repository).absent["dagster"].startswith("dagster needs postgres: postgres is not installed")


def test_service_that_no_package_has(repository: Path) -> None:
    """A service that this machine has no way to run is absent as well."""
    (repository / "pyproject.toml").write_text('[tool.floe-ci.tiers.integration]\nservices = ["jaeger"]\n')
    assert read(repository).absent["jaeger"].startswith("jaeger is not in Python's package index")


def test_first_lines_tell_the_stand_in_and_what_is_not_installed(
    repository: Path, installed: Callable[..., None]
) -> None:
    """The reader learns what each service is here, and which Debian packages are not looked after."""
    installed("postgres", "minio", "dagster")
    lines = first_lines(read(repository))
    assert lines[1] == "minio: SeaweedFS in MinIO's place, which is in no package index; it speaks S3 as well"
    assert lines[-1].endswith("libpq5")


def test_arguments_of_an_absent_service_are_left_out(repository: Path, installed: Callable[..., None]) -> None:
    """An argument for pytest that is made of an absent service's address is left out: who needs that is skipped."""
    installed("postgres")
    (repository / "pyproject.toml").write_text(
        '[tool.floe-ci.tiers.integration]\nservices = ["postgres", "redis"]\n'
        'pytest-args = ["--db=${FLOE_POSTGRES_HOST}", "--queue=${FLOE_REDIS_HOST}", "-v"]\n'
    )
    plan = read(repository).plan_for_pytest()
    arguments = plan.pytest_arguments("/results", variables={"FLOE_POSTGRES_HOST": "here"})
    assert {"--db=here", "-v"} <= set(arguments)
    assert not [each for each in arguments if each.startswith("--queue")]


def test_arguments_in_a_pod(repository: Path) -> None:
    """In a pod an argument has the variables of its run, once these are known; a plain dollar stays one."""
    (repository / "pyproject.toml").write_text(
        '[tool.floe-ci.tiers.integration]\nservices = ["postgres"]\n'
        'pytest-args = ["--db=${FLOE_POSTGRES_HOST}", "-k$$x"]\n'
    )
    spec = Plan.read(RunRequest(source=repository)).spec()
    assert {"--db=here", "-k$x"} <= set(spec.arguments({"FLOE_POSTGRES_HOST": "here"}))
