"""What a repository says it needs: the table `[tool.floe-ci]` of its `pyproject.toml`.

Everything has a default. The table is validated as a whole, and every problem is told at once.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from string import Template
from typing import Annotated, Any, Final, Literal, Self

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from floe_ci.catalog import Catalog
from floe_ci.contract import (
    ENV_NAMESPACE,
    ENV_RESULTS_DIR,
    ENV_RUN_ID,
    ENV_SERVICES_DIR,
    ENV_TIER,
    ENV_TIMEOUTS,
    TIMEOUTS,
)
from floe_ci.errors import UserError, shown, suggest
from floe_ci.markers import marker_problem
from floe_ci.shards import MOST as MOST_SHARDS
from floe_ci.shards import Count, Schedule, Together
from floe_ci.tables import Quantity, RepositoryPath, Table, Text, Value, inside, problem, read, without_nul
from floe_ci.templates import faults
from floe_ci.tiers import TIERS, TierName, parse_tier
from floe_ci.toml_files import LARGEST_DOCUMENT, OWN_FILE, TABLE, only_configuration_file, parse_toml, read_text

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEBIAN_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+~:-]+)?")
LONGEST_TIME: Final = 7 * 86_400
"""Seconds; what waits for longer than a week waits for nothing, and a timer takes no number of any size."""
MOST_RETRIES: Final = 100
MOST_PATHS: Final = 1000
RUN_VARIABLES: Final = (ENV_RUN_ID, ENV_TIER, ENV_NAMESPACE, ENV_RESULTS_DIR, ENV_SERVICES_DIR, *ENV_TIMEOUTS.values())
"""The variables that every run has of its own."""
_FILES: Final = (".txt", ".in", ".whl")
_ELSEWHERE: Final = re.compile(r"-[nqUv]*[pt]|--(?:target|prefix|system|python|dry-run|check)(?![\w-])")
"""Options of `uv pip install` that name another environment than the tests', or change none; a short one may stand
behind others that take no value, as in `-qt`."""
_GROUP: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCHEMA: Final = "$schema"
"""By this key a file tells an editor what may be in it."""
OCI: Final = "oci://"
"""How the address of a chart in a registry begins."""
_OCI: Final = re.compile(r"oci://[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)+")
_CONFIG_MAP: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_RELEASE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONGEST_RELEASE: Final = 53
"""Characters, as Helm has it."""
_PASSED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")


def requirement_problem(text: str) -> str | None:
    """Return why a text is no argument of `uv pip install`; options, paths and addresses are uv's to judge."""
    is_uvs = text.startswith(("-", ".")) or any(char in text for char in "/\\:") or text.endswith(_FILES)
    try:
        if text.startswith("-"):
            if elsewhere := next(filter(None, map(_ELSEWHERE.match, shlex.split(text))), None):
                return f"{elsewhere[0]} leads packages past the environment that the tests run in: leave it out"
        elif not is_uvs:
            Requirement(text)
    except (InvalidRequirement, ValueError) as error:
        return f"not a requirement: {shown(text)}: {str(error).splitlines()[0]}"
    return None


def _requirement(text: str) -> str:
    if reason := requirement_problem(without_nul(text)):
        raise problem(reason)
    return text


def _group(name: str) -> str:
    if not _GROUP.fullmatch(name):
        reason = f"not a name of letters, digits, '-', '_' and '.' with a letter or digit at each end: {shown(name)}"
        raise problem(reason)
    return name


def _marker(expression: str) -> str:
    if reason := marker_problem(expression):
        raise problem(reason)
    return expression


def _passed_name(name: str) -> str:
    if not _PASSED.fullmatch(name):
        reason = f"not the name of a variable, nor the beginning of some with a '*' at its end: {shown(name)}"
        raise problem(reason)
    return name


def _catalog(info: ValidationInfo) -> Catalog:
    """Return the services that the table is read with; one that is made in Python knows this package's."""
    return (info.context or {}).get("catalog") or Catalog.of_package()


def _known_service(name: str, info: ValidationInfo) -> str:
    catalog = _catalog(info)
    if name not in catalog.services:
        reason = f"unknown service {shown(name)}; {suggest(name, catalog.services)}"
        raise problem(reason)
    return name


def _known_tier(name: object) -> object:
    if name not in TIERS:
        reason = f"unknown tier; {suggest(str(name), TIERS)}"
        raise problem(reason)
    return name


def _variable_name(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        reason = "not a name for an environment variable: use letters, digits and '_', no digit first"
        raise problem(reason)
    if name in RUN_VARIABLES:
        reason = "is the run's own variable, which can't be set here"
        raise problem(reason)
    return name


def _debian_package(name: str) -> str:
    if not _DEBIAN_PACKAGE.fullmatch(name):
        reason = f"not the name of a Debian package: {shown(name)}"
        raise problem(reason)
    return name


def _some(paths: tuple[str, ...]) -> tuple[str, ...]:
    # Not a `min_length`: pydantic tells that as well when an item is refused.
    if not paths:
        reason = "must not be empty"
        raise problem(reason)
    if len(paths) > MOST_PATHS:
        reason = f"must not name more than {MOST_PATHS} paths: name a folder above them"
        raise problem(reason)
    return paths


def _integer(value: object) -> object:
    # To Python, and so to pydantic, `true` is as good as 1.
    if type(value) is not int:
        reason = f"must be a whole number, not {shown(value)}"
        raise problem(reason)
    return value


def _count(value: object) -> object:
    if value != "auto" and (type(value) is not int or not 1 <= value <= MOST_SHARDS):
        reason = f"must be a whole number from 1 to {MOST_SHARDS}, or 'auto', not {shown(value)}"
        raise problem(reason)
    return value


def _chart_path(path: str) -> str:
    if not path.startswith(OCI):
        return inside(path)
    if not _OCI.fullmatch(path):
        reason = f"must be {OCI}HOST/NAME, with the version in a key of its own: {shown(path)}"
        raise problem(reason)
    return path


def _release(name: str) -> str:
    if not _RELEASE.fullmatch(name) or len(name) > LONGEST_RELEASE:
        reason = (
            f"a release's name has lower-case letters, digits and '-', at most {LONGEST_RELEASE}, "
            f"and is this chart's 'release', or the last part of its path: {shown(name)}"
        )
        raise problem(reason)
    return name


def _config_map(text: str) -> str:
    if not _CONFIG_MAP.fullmatch(text):
        reason = f"must be the namespace and the name of a ConfigMap, such as 'ci/durations', not {shown(text)}"
        raise problem(reason)
    return text


def _chart_list(value: object) -> object:
    if not isinstance(value, list | tuple) or any(isinstance(each, str) for each in value):
        reason = f'must be a list of tables, such as [{{ path = "charts/app" }}], not {shown(value)}'
        raise problem(reason)
    return value


Marker = Annotated[Text, AfterValidator(_marker)]
Group = Annotated[Text, AfterValidator(_group)]
InstallArgument = Annotated[Text, AfterValidator(_requirement)]
PassedName = Annotated[str, AfterValidator(_passed_name)]
Service = Annotated[str, AfterValidator(_known_service)]
Tier = Annotated[TierName, BeforeValidator(_known_tier)]
Variable = Annotated[str, AfterValidator(_variable_name)]
DebianPackage = Annotated[str, AfterValidator(_debian_package)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=LONGEST_TIME)]
Times = Annotated[int, Field(strict=True, ge=0, le=MOST_RETRIES)]
ChartPath = Annotated[Text, AfterValidator(_chart_path)]
Release = Annotated[Text, AfterValidator(_release)]


class RunnerConfig(Table):
    """What the runner image holds beside the repository's tests."""

    groups: tuple[Group, ...] = ()
    """Dependency groups to install from `uv.lock`; none: uv's default groups."""
    extras: tuple[Group, ...] = ()
    """Extras of the project to install from `uv.lock`."""
    install: tuple[InstallArgument, ...] = ()
    """Requirements for `uv pip install`, such as `.[test]` or `-r requirements.txt`, in the lock file's place."""
    packages: tuple[DebianPackage, ...] = ()
    """Debian packages that the tests need."""
    build_packages: tuple[DebianPackage, ...] = ()
    """Debian packages that the installation needs, such as a compiler; they are not part of the image."""
    files: tuple[RepositoryPath, ...] = ()
    """Further files and folders of the repository that the tests need."""

    @model_validator(mode="after")
    def _one_source_of_dependencies(self) -> "RunnerConfig":
        if self.install and (self.groups or self.extras):
            reason = "'install' takes the place of the lock file: remove it, or 'groups' and 'extras'"
            raise problem(reason)
        return self


class Resources(Table):
    """What one workload of a cluster, or the tests, may take."""

    cpu: Quantity | None = None
    """Processors, such as `"2"` or `"500m"`; none: as its manifest says."""
    memory: Quantity | None = None
    """Memory, such as `"512Mi"`; none: as its manifest says."""
    storage: Quantity | None = None
    """The size of its volumes, of the tests that of their results; none: as its manifest says."""


class Chart(Table):
    """A chart of Helm's."""

    path: ChartPath
    """Its folder in the repository, or `oci://HOST/NAME`."""
    version: Text | None = None
    """Which version of it; for one of a registry."""
    values: tuple[RepositoryPath, ...] = ()
    """Files of values, of which a later one counts more."""
    release: Release | None = None
    """What the release is called; none: as the last part of the path."""

    @property
    def is_remote(self) -> bool:
        """Whether it is in a registry."""
        return self.path.startswith(OCI)

    @property
    def name(self) -> str:
        """The release's name."""
        return self.release or PurePosixPath(self.path).name

    @model_validator(mode="after")
    def _is_one_version(self) -> Self:
        if self.is_remote and not self.version:
            reason = (
                f"'version' is needed for a chart of a registry, so that every run has the same: {shown(self.path)}"
            )
            raise problem(reason)
        if self.version and not self.is_remote:
            reason = f"'version' is for a chart of a registry; that of {shown(self.path)} is in its Chart.yaml"
            raise problem(reason)
        _release(self.name)
        return self


class TierConfig(Table):
    """One tier: which tests it holds, and what must be there for them."""

    paths: Annotated[tuple[RepositoryPath, ...], AfterValidator(_some)] = ("tests",)
    """Where its tests are; in a file the default is `tests/<tier>`."""
    marker: Marker | None = None
    """The pytest marker expression that selects its tests."""
    services: tuple[Service, ...] = ()
    """Services that this package brings, or a folder of `service-folders`."""
    manifests: tuple[RepositoryPath, ...] = ()
    """Kustomize folders or YAML files of the repository, applied beside the services."""
    charts: Annotated[tuple[Chart, ...], BeforeValidator(_chart_list)] = ()
    """Charts of Helm's, a table each: `{ path = "charts/app", values = ["values-test.yaml"], release = "app" }`."""
    addons: tuple[RepositoryPath, ...] = ()
    """Kustomize folders or YAML files of add-ons: they are applied as they are, with the namespaces that they name."""
    environment: Mapping[Variable, Value] = Field(default_factory=dict)
    """For the test process; `${FLOE_POSTGRES_HOST}` and the like refer to the run's variables."""
    pass_environment: tuple[PassedName, ...] = ()
    """Variables of the caller that the tests get on this machine, beside the usual ones; `PREFIX_*` names several."""
    pytest_args: tuple[Value, ...] = ()
    """Further arguments for pytest; `${FLOE_POSTGRES_HOST}` and the like as in `environment`."""
    retries: Times = 0
    """How often a test that failed is tried again; one that passes then is told as flaky."""
    shards: Annotated[Count, BeforeValidator(_count)] = 1
    """Into how many parts its tests are split, each run in a process, container or pod; `"auto"`: one a processor."""
    schedule: Schedule = "static"
    """Whether each shard has its tests from the start, or is handed them as it becomes free."""
    keep_together: Together = "test"
    """What stays in one shard: each test by itself, or those of a class, of a module, of an `xdist_group`."""
    durations: RepositoryPath | None = None
    """A copy of a run's `durations.json`, by which shards are balanced; none: that of the former results."""
    durations_config_map: Annotated[str, AfterValidator(_config_map)] | None = None
    """A ConfigMap, as `NAMESPACE/NAME`, of a cluster that is there, and of no other tier: they are read before a run,
    and written after it.
    """
    resources: Mapping[str, Resources] = Field(default_factory=dict)
    """What runs in a cluster may take: a table for each workload by its name, and for the tests, `runner`."""
    nodes: Annotated[Literal[1, 3], BeforeValidator(_integer)] = 1
    """The cluster's nodes; in a file the default is 1, and 3 for e2e."""

    @field_validator("environment")
    @classmethod
    def _environment_refers_to_what_is_there(
        cls, environment: Mapping[str, str], info: ValidationInfo
    ) -> Mapping[str, str]:
        if problems := [f"{name}: {fault}" for name, value in environment.items() for fault in _faults(value, info)]:
            raise problem("; ".join(problems))
        return environment

    @field_validator("pytest_args")
    @classmethod
    def _arguments_refer_to_what_is_there(cls, arguments: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if problems := [fault for argument in arguments for fault in _faults(argument, info)]:
            raise problem("; ".join(problems))
        return arguments

    @field_validator("charts")
    @classmethod
    def _each_release_has_a_name_of_its_own(cls, charts: tuple[Chart, ...]) -> tuple[Chart, ...]:
        names = [each.name for each in charts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            reason = f"two charts have the release {', '.join(map(shown, twice))}: give one of them another 'release'"
            raise problem(reason)
        return charts

    @model_validator(mode="after")
    def _has_what_services_need(self, info: ValidationInfo) -> Self:
        if not (self.manifests or self.charts):  # the repository's own may bring it
            catalog = _catalog(info)
            lacking = [
                f"'{name}' needs '{need}' too; add it to the tier's services"
                for name in self.services
                for need in catalog.needs(name)
                if need not in self.services
            ]
            if lacking:
                reason = f"services: {'; '.join(dict.fromkeys(lacking))}"
                raise problem(reason)
        return self

    def with_pytest_args(self, variables: Mapping[str, str]) -> Self:
        """Return the tier with each `${NAME}` of its arguments for pytest replaced by that variable.

        Raises:
            UserError: One of them is not among the variables.
        """
        if problems := [fault for argument in self.pytest_args for fault in faults(argument, variables)]:
            raise UserError.of(problems, "pytest-args")
        expanded = tuple(Template(argument).substitute(variables) for argument in self.pytest_args)
        return self.model_copy(update={"pytest_args": expanded})


def _faults(text: str, info: ValidationInfo) -> Iterator[str]:
    """Yield what is wrong with a text of a tier that refers to the variables of its runs."""
    services, catalog = info.data.get("services"), _catalog(info)
    # What the repository's own manifests bring is known only when they are rendered.
    open_ended = services is None or info.data.get("manifests") != () or info.data.get("charts") != ()
    there = [*RUN_VARIABLES, *(each for service in services or () for each in catalog.variables(service))]
    return faults(text, None if open_ended else there, catalog.bringing)


class Timeouts(Table):
    """How long a thing may take, in seconds."""

    job: Seconds = TIMEOUTS["job"]
    """The whole run of pytest."""
    test: Seconds = TIMEOUTS["test"]
    """One test."""
    services: Seconds = TIMEOUTS["services"]
    """Until every service is ready."""
    probe: Seconds = TIMEOUTS["probe"]
    """One look at a service's health."""
    migration: Seconds = TIMEOUTS["migration"]
    """Until a service has brought its database's schema up to date."""

    def variables(self) -> dict[str, str]:
        """Return the table as the test process reads it: a variable for each of its entries."""
        return {ENV_TIMEOUTS[name]: str(seconds) for name, seconds in self.model_dump().items()}


class Config(Table):
    """The whole table."""

    coverage: tuple[RepositoryPath, ...] = ()
    """Packages or paths to measure; none: the whole source."""
    service_folders: tuple[RepositoryPath, ...] = ()
    """Folders of services that the repository brings itself, each in a folder of its own as in `k8s/base`."""
    runner: RunnerConfig = RunnerConfig()
    timeouts: Timeouts = Timeouts()
    tiers: Mapping[Tier, TierConfig] = Field(default_factory=dict, validate_default=True)
    """A table for each tier."""

    @field_validator("tiers", mode="before")
    @classmethod
    def _fill_tiers(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        return {tier: _default_tier(tier) for tier in TIERS} | {
            tier: {**_default_tier(tier), **table} if isinstance(table, Mapping) else table
            for tier, table in given.items()
        }

    @field_validator("tiers")
    @classmethod
    def _each_tier_keeps_durations_of_its_own(cls, tiers: Mapping[str, TierConfig]) -> Mapping[str, TierConfig]:
        keepers: dict[str, list[str]] = {}
        for name, tier in tiers.items():
            if tier.durations_config_map:
                keepers.setdefault(tier.durations_config_map, []).append(name)
        if shared := [
            f"{', '.join(names)} keep durations in one ConfigMap, {shown(config_map)}, and each would replace another's"
            for config_map, names in keepers.items()
            if len(names) > 1
        ]:
            reason = f"{'; '.join(shared)}: give each a 'durations-config-map' of its own"
            raise problem(reason)
        return tiers

    def tier(self, name: str) -> TierConfig:
        """Return the tier called `name`."""
        return self.tiers[parse_tier(name)]

    def test_files(self) -> list[str]:
        """Return the paths of all tiers' tests, and of each `conftest.py` that pytest reads in a folder above one."""
        paths = {path for tier in self.tiers.values() for path in tier.paths}
        above = {str(folder / "conftest.py") for path in paths for folder in PurePosixPath(path).parents}
        return sorted(paths | above)

    def with_job_timeout(self, seconds: int) -> Self:
        """Return the configuration with another limit for the tests as a whole; 0: with its own."""
        timeouts = self.timeouts.model_copy(update={"job": seconds or self.timeouts.job})
        return self.model_copy(update={"timeouts": timeouts})


def _default_tier(tier: str) -> dict[str, object]:
    return {"paths": [f"tests/{tier}"], "nodes": 3 if tier == "e2e" else 1}


def read_repository(folder: Path) -> tuple[Config, Catalog]:
    """Return what a repository's `pyproject.toml` or `floe-ci.toml` says, and the services that there are for it.

    Raises:
        UserError: The file can't be read, is no TOML, or its table is wrong: every problem is told. Or one of its
            services is none.
    """
    path, text = _configuration(folder)
    catalog = _catalog_of(folder, path, text)
    return read_config(text, str(path), catalog), catalog


def catalog_of(folder: Path) -> Catalog:
    """Return the services that there are for a repository, whatever else its table says.

    Raises:
        UserError: The file that says where its own are can't be read or is no TOML, or one of them is none.
    """
    return _catalog_of(folder, *_configuration(folder))


def _configuration(folder: Path) -> tuple[Path, str]:
    path = only_configuration_file(folder)
    return path, read_text(path, LARGEST_DOCUMENT) or ""


def _catalog_of(folder: Path, path: Path, text: str) -> Catalog:
    return Catalog.of_package().with_folders(folder, service_folders(text, str(path)))


def service_folders(pyproject: str, where: str = "pyproject.toml") -> tuple[str, ...]:
    """Return the folders of a repository's own services; what is wrong with them is told by `read_config`."""
    table = _find_table(parse_toml(pyproject, where), where)
    given = table.get("service-folders") if isinstance(table, Mapping) else None
    return tuple(path for path in given if _is_inside(path)) if isinstance(given, list) else ()


def read_config(pyproject: str, where: str = "pyproject.toml", catalog: Catalog | None = None) -> Config:
    """Return what the text of a `pyproject.toml` says; no table means the defaults.

    Args:
        pyproject: The text.
        where: The file, for messages.
        catalog: The services that there are; None: this package's.

    Raises:
        UserError: It is no TOML, or the table is wrong: every problem is told.
    """
    return read(Config, _find_table(parse_toml(pyproject, where), where), where, f"tool.{TABLE}", catalog=catalog)


def expand_environment(environment: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with each `${NAME}` replaced by that variable; `$$` is a plain dollar."""
    problems = [f"{name}: {fault}" for name, value in environment.items() for fault in faults(value, variables)]
    if problems:
        raise UserError.of(problems, "environment")
    return {name: Template(value).substitute(variables) for name, value in environment.items()}


def _is_inside(path: object) -> bool:
    try:
        return isinstance(path, str) and bool(inside(path))
    except PydanticCustomError:
        return False


def _find_table(document: Mapping[str, Any], where: str) -> object:
    tools = document.get("tool", {})
    if not isinstance(tools, Mapping):
        msg = f"{where}: tool: must be a table, not {shown(tools)}"
        raise UserError(msg)
    # A table under a name like ours would be passed over without a word.
    others = [(name, table) for name, table in document.items() if table is not tools and name != _SCHEMA]
    for name, table in [*others, *((f"tool.{name}", table) for name, table in tools.items() if name != TABLE)]:
        if wrong := _near_ours(name, table):
            msg = f"{where}: {wrong}: unknown table; did you mean 'tool.{TABLE}'?"
            raise UserError(msg)
    if others and Path(where).name == OWN_FILE:
        msg = f"{where}: {others[0][0]}: unknown table; this file has tables below 'tool.{TABLE}' only"
        raise UserError(msg)
    return tools.get(TABLE, {})


def _near_ours(name: str, table: object) -> str:
    """Return the name of a table that is meant to be ours, or that of one in it; empty: there is none."""
    last = name.removeprefix("tool.")
    if _is_like_ours(last) or (last == "floe" and "ci" in _keys(table)):
        return name
    return f"{name}.{TABLE}" if isinstance(table, Mapping) and isinstance(table.get(TABLE), Mapping) else ""


def _is_like_ours(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    ours = TABLE.replace("-", "")
    return plain == ours or name.startswith(f"{TABLE}.") or bool(get_close_matches(plain, [ours], cutoff=0.82))


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, Mapping) else []
