"""What services take more in a run of several shards: limits, settings, and what is wrong with saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import bundled
from floe_ci.catalog import Catalog, growth_faults
from floe_ci.config import read_config
from floe_ci.errors import UserError
from floe_ci.growth import PerShard, grown, setting
from floe_ci.local.site import Site
from floe_ci.manifests import Document, Manifests, containers
from floe_ci.plan import Plan
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = Catalog.of_package()
SEARCH = """
about = "a search engine"
[per-shard.search]
memory = "256Mi"
settings = { threads = 4, CACHE = 10 }
"""
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: search}
spec:
  template:
    spec:
      initContainers:
        - {name: first, image: search, args: [--threads 4], resources: {limits: {memory: 64Mi}}}
      containers:
        - name: search
          image: search
          command: [search, "threads=4", "--more-threads=4"]
          env: [{name: CACHE, value: "10"}, {name: OTHER, value: "10"}]
          resources: {limits: {cpu: "1", memory: 1Gi}}
        - {name: beside, image: search, args: [threads=4], resources: {limits: {memory: 64Mi}}}
"""


def of_tier(manifests: Manifests, shards: Any, table: str = "") -> Document:  # noqa: ANN401 - a count
    """Return what is applied of some manifests' first workload in a run of so many shards."""
    plan = Plan.of(RunRequest(tier="unit", run_id="r1", shards=shards), read_config(table))
    text = plan.with_manifests(manifests, Manifests(())).spec().services
    return next(each for each in Manifests.parse(text, "spec").documents if "template" in (each.get("spec") or {}))


def container(document: Document, index: int = 0) -> Any:  # noqa: ANN401 - a manifest's own
    """Return a container of a workload."""
    return document["spec"]["template"]["spec"]["containers"][index]


@pytest.mark.parametrize(
    ("count", "connections", "memory", "cpu"),
    [
        (1, 100, "512Mi", "2"),
        (4, 400, "2048Mi", "3.5"),
        (200, 2000, "10240Mi", "11.5"),
        ("auto", 800, "4096Mi", "5.5"),
    ],
)
def test_postgres(count: Any, connections: int, memory: str, cpu: str) -> None:  # noqa: ANN401 - a count
    """PostgreSQL takes the connections of each shard, and what they need, up to what one server bears."""
    found = container(of_tier(CATALOG.services["postgres"].manifests, count))
    assert found["args"][-1] == f"max_connections={connections}"
    assert found["resources"]["limits"] == {"memory": memory, "cpu": cpu}


@pytest.mark.parametrize(("asked", "connections"), [(0, 400), (1, 400), (6, 600), ("auto", 800)])
def test_table_says_the_least(asked: Any, connections: int) -> None:  # noqa: ANN401 - a count
    """Services are made for the shards of the table also for a run of one part, and for more where it has more."""
    table = "[tool.floe-ci.tiers.unit]\nshards = 4\n"
    found = container(of_tier(CATALOG.services["postgres"].manifests, asked, table))
    assert found["args"][-1] == f"max_connections={connections}"


def test_what_it_is_without_shards() -> None:
    """A run of several shards knows what its services would be for one, where that is something else."""
    postgres = CATALOG.services["postgres"].manifests
    for shards, limits in ((3, ["1536Mi", "512Mi"]), (1, ["512Mi"])):
        plan = Plan.of(RunRequest(tier="unit", run_id="r1", shards=shards), read_config(""))
        spec = plan.with_manifests(postgres, Manifests(())).spec()
        made = [text for text in (spec.services, spec.services_of_one) if text]
        first = [next(containers(Manifests.parse(text, "spec").documents)) for text in made]
        assert [each["resources"]["limits"]["memory"] for each in first] == limits


def test_redis() -> None:
    """Redis may keep the data of each shard, and half of what it may take is left for what it does with them."""
    found = container(of_tier(CATALOG.services["redis"].manifests, 3))
    assert "maxmemory 288mb\n" in found["args"][-1]
    assert found["resources"]["limits"]["memory"] == "576Mi"


def test_what_a_tier_sets_stays() -> None:
    """The memory that a tier's table gives a server is for all of its connections; the rest grows."""
    table = '[tool.floe-ci.tiers.unit.resources]\npostgres = { memory = "1Gi" }\n'
    found = container(of_tier(CATALOG.services["postgres"].manifests, 4, table))
    assert found["args"][-1] == "max_connections=400"
    assert found["resources"]["limits"] == {"memory": "1Gi", "cpu": "3.5"}


def test_service_of_the_tiers_own_folder() -> None:
    """A service that a tier's Kustomize folder brings grows as it does where the tier names it."""
    unnamed = CATALOG.services["cube"].manifests
    assert container(of_tier(unnamed, 2))["resources"]["limits"]["memory"] == "704Mi"


def test_only_the_service_itself() -> None:
    """The first container grows, by the names of its settings; what is before and beside it stays."""
    told = {"search": PerShard(memory="256Mi", settings={"threads": 4, "CACHE": 10})}
    before = Manifests.parse(MANIFESTS, "search")
    (after,) = grown(before, 3, told).documents
    found = container(after)
    assert found["command"] == ["search", "threads=12", "--more-threads=4"]
    assert found["env"] == [{"name": "CACHE", "value": "30"}, {"name": "OTHER", "value": "10"}]
    assert found["resources"] == {"limits": {"cpu": "1", "memory": str(1536 * 2**20)}, "requests": {"memory": "1Gi"}}
    assert container(after, 1) == container(before.documents[0], 1)
    assert (
        after["spec"]["template"]["spec"]["initContainers"]
        == before.documents[0]["spec"]["template"]["spec"]["initContainers"]
    )


@pytest.mark.parametrize(
    ("arguments", "raised"),
    [
        (["--max_connections=151"], ["--max_connections=161"]),
        (["--max-connections", "151"], ["--max-connections", "161"]),
        (["server", "max_connections", "'151'", "151"], ["server", "max_connections", "'161'", "151"]),
        (["-c", "max_connections='100'"], ["-c", "max_connections='110'"]),
        (["-cmax_connections=100"], ["-cmax_connections=110"]),
        (["server --max_connections 96mb\nlog 1"], ["server --max_connections 106mb\nlog 1"]),
        (["max_connections 1073741824"], ["max_connections 1073741834"]),
    ],
)
def test_setting_as_servers_take_it(arguments: list[str], raised: list[str]) -> None:
    """A setting is found as an option, as an argument before its number, and its number is raised as a whole."""
    manifests = Manifests.parse(MANIFESTS, "search")
    container(manifests.documents[0])["command"], container(manifests.documents[0])["args"] = (
        arguments[:1],
        arguments[1:],
    )
    assert isinstance(setting(manifests, "search", "max_connections"), int)
    found = container(grown(manifests, 2, {"search": PerShard(settings={"max_connections": 10})}).documents[0])
    assert [*found["command"], *found["args"]] == raised


@pytest.mark.parametrize(
    "argument", ["threads=1_00", "threads 1.5gb", "threads 1e9", "threads 0x10", "my-threads 4", "--no.threads=4", "4"]
)
def test_what_is_no_whole_number_of_a_setting(argument: str) -> None:
    """A number that goes on behind its digits stays as it is, as does that of another setting."""
    manifests = Manifests.parse(MANIFESTS, "search")
    container(manifests.documents[0])["command"] = [argument]
    assert setting(manifests, "search", "threads") is None
    found = container(grown(manifests, 2, {"search": PerShard(settings={"threads": 4})}).documents[0])
    assert found["command"] == [argument]


def test_one_shard_changes_nothing() -> None:
    """A run that is not split has the manifests as they are."""
    before = Manifests.parse(MANIFESTS, "search")
    assert grown(before, 1, {"search": PerShard(memory="256Mi")}) == before


@pytest.mark.parametrize("argument", ["max_connections=10", "-cmax_connections=10", "--max_connections=10"])
def test_postgres_of_somebody_else(argument: str) -> None:
    """A PostgreSQL that nothing is said of takes the connections of each shard, and its memory as often.

    It asks for what it asked for, and for no more where it may take that of each shard.
    """
    found = alone(argument, "{memory: 1Gi}")
    assert found["args"] == [argument.replace("10", "80")]
    assert found["resources"] == {"limits": {"memory": "8Gi"}, "requests": {"memory": "1Gi"}}


@pytest.mark.parametrize(
    ("image", "connections"),
    [("mysql:8", 10), ("bitnami/mariadb", 10), ("percona/percona-distribution-postgresql", 80)],
)
def test_mysql_of_somebody_else(image: str, connections: int) -> None:
    """A server whose connections are threads stays as it is, though its setting has the same name."""
    assert alone("--max_connections=10", "{memory: 1Gi}", image)["args"] == [f"--max_connections={connections}"]


def test_limit_that_is_null() -> None:
    """A limit that is null is none, as for the cluster: there is nothing to raise."""
    assert alone("max_connections=10", "{memory: null}")["resources"] == {"limits": {"memory": None}}


def alone(argument: str, limits: str, image: str = "db") -> Any:  # noqa: ANN401 - a manifest's own
    """Return the container of a pod with one argument, in a run of eight shards."""
    pod = (
        f"spec: {{containers: [{{name: db, image: '{image}', args: ['{argument}'], resources: {{limits: {limits}}}}}]}}"
    )
    text = f"{{kind: Pod, apiVersion: v1, metadata: {{name: db}}, {pod}}}"
    (document,) = grown(Manifests.parse(text, "db"), 8, {}).documents
    (found,) = document["spec"]["containers"]
    return found


def test_on_this_machine(tmp_path: Path) -> None:
    """Servers of this machine have the settings of as many shards, and the manifests' own without any."""
    chosen = [CATALOG.services[name] for name in ("postgres", "redis")]
    asked = (("postgres", "max_connections"), ("redis", "maxmemory"))
    for shards, numbers in ((1, [100, 96]), (5, [500, 480])):
        site = Site.plan(chosen, tmp_path, shards)
        assert [site.number(*each) for each in asked] == numbers


def test_setting_that_is_not_there() -> None:
    """A number that nothing says is none."""
    manifests = Manifests.parse(MANIFESTS, "search")
    assert [setting(manifests, *each) for each in (("search", "thread"), ("gone", "threads"))] == [None, None]


def test_bundled_services_say_what_they_have() -> None:
    """What this package's services say of further shards is of workloads, limits and settings that they have."""
    there = Catalog.read(bundled.manifests() / "base").services.values()
    assert [fault for each in there for fault in growth_faults(each)] == []
    assert {"postgres", "redis", "minio", "dagster-code"} <= CATALOG.per_shard.keys()


@pytest.mark.parametrize(
    ("manifests", "reason"),
    [
        (MANIFESTS.replace("name: search}", "name: finder}"), "the manifests have no workload of that name"),
        (MANIFESTS.replace(", memory: 1Gi", ""), r"its first container has no limit of that to begin with"),
        (MANIFESTS.replace('"threads=4"', '"threads"'), r"no argument or variable .* says threads=NUMBER"),
        (MANIFESTS.replace("memory: 1Gi", "memory: null"), r"its first container has no limit of that to begin with"),
    ],
)
def test_service_that_says_what_it_lacks(tmp_path: Path, manifests: str, reason: str) -> None:
    """What a repository's service says of a workload, a limit or a setting that isn't there is refused with its key."""
    folder = tmp_path / "services" / "search"
    folder.mkdir(parents=True)
    files = {"service.toml": SEARCH, "kustomization.yaml": "resources: [search.yaml]\n", "search.yaml": manifests}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"services/search/service\.toml: per-shard\.search[.a-z]*: {reason}"):
        CATALOG.with_folders(tmp_path, ["services"])
