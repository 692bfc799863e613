"""What a repository says it needs: the table `[tool.floe-ci]` of its `pyproject.toml`.

Everything has a default. The table is validated as a whole, and every problem is told at once.
"""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from string import Template
from typing import Annotated, Any, Final, Literal, Self, get_args

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from floe_ci.contract import (
    ENV_NAMESPACE,
    ENV_RESULTS_DIR,
    ENV_RUN_ID,
    ENV_SERVICES_DIR,
    ENV_TIER,
    ENV_TIMEOUTS,
    SERVICE_VARIABLES,
    TIMEOUTS,
    service_variable,
)
from floe_ci.errors import UserError, shown, suggest
from floe_ci.markers import marker_problem
from floe_ci.toml_files import parse_toml, read_text

TABLE: Final = "floe-ci"
TierName = Literal["unit", "integration", "e2e"]
TIERS: Final[tuple[TierName, ...]] = get_args(TierName)

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEBIAN_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+~:-]+)?")
LONGEST_TIME: Final = 7 * 86_400
"""Seconds; what waits for longer than a week waits for nothing, and a timer takes no number of any size."""
MOST_RETRIES: Final = 100
MOST_PATHS: Final = 1000
LONGEST_TEXT: Final = 100_000
"""Characters of one argument or variable: a process takes no more."""
RUN_VARIABLES: Final = (ENV_RUN_ID, ENV_TIER, ENV_NAMESPACE, ENV_RESULTS_DIR, ENV_SERVICES_DIR, *ENV_TIMEOUTS.values())
"""The variables that every run has of its own."""
_PASSED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")

_REASONS: Final = {
    "literal_error": "must be {expected}, not {value}",
    "tuple_type": "must be a list of strings, not {value}",
    "string_type": "must be a string in quotes, not {value}",
    "int_type": "must be a whole number, not {value}",
    "greater_than_equal": "must be at least {ge}, not {value}",
    "less_than_equal": "must be at most {le}, not {value}",
    "string_too_long": "must not be longer than {max_length} characters",
    "model_type": "must be a table, not {value}",
    "mapping_type": "must be a table, not {value}",
    "dict_type": "must be a table, not {value}",
    "string_too_short": "must not be empty",
}
"""Pydantic's kinds of errors, in words for a reader of TOML."""


def parse_tier(text: str) -> TierName:
    """Return the tier named `text`; an unknown one is a `UserError` that lists the tiers."""
    for tier in TIERS:
        if tier == text:
            return tier
    hint = suggest(text, TIERS)
    nearest = f" {hint}" if hint.endswith("?") else ""
    msg = f"unknown tier '{text}':{nearest} The tiers are {', '.join(TIERS)}."
    raise UserError(msg)


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("floe_ci", "{text}", {"text": text})


def _inside(path: str) -> str:
    """Refuse a path that leaves the repository, or that a command would take for an option."""
    if PurePosixPath(path).is_absolute():
        reason = f"must be relative to the repository, not absolute: {shown(path)}"
        raise _problem(reason)
    if ".." in PurePosixPath(path).parts:
        reason = f"must stay inside the repository, without '..': {shown(path)}"
        raise _problem(reason)
    if path.startswith(("-", "@")):
        reason = f"must not start with '{path[0]}', which pytest takes for something else: {shown(path)}"
        raise _problem(reason)
    return _printable(path)


def _without_nul(text: str) -> str:
    if "\0" in text:
        reason = f"must not hold a NUL character, which ends a text for the system: {shown(text)}"
        raise _problem(reason)
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        reason = f"must not hold control characters: {shown(text)}"
        raise _problem(reason)
    return text


def _requirement(text: str) -> str:
    """Refuse what is no requirement; options, paths and addresses are uv's to judge."""
    _without_nul(text)
    if text.startswith(("-", ".")) or any(char in text for char in "/\\:") or text.endswith((".txt", ".in", ".whl")):
        return text
    try:
        Requirement(text)
    except InvalidRequirement as error:
        reason = f"not a requirement: {shown(text)}: {str(error).splitlines()[0]}"
        raise _problem(reason) from None
    return text


def _marker(expression: str) -> str:
    if problem := marker_problem(expression):
        raise _problem(problem)
    return expression


def _passed_name(name: str) -> str:
    if not _PASSED.fullmatch(name):
        reason = f"not the name of a variable, nor the beginning of some with a '*' at its end: {shown(name)}"
        raise _problem(reason)
    return name


def _known_service(name: str) -> str:
    if name not in SERVICE_VARIABLES:
        reason = f"unknown service {shown(name)}; {suggest(name, SERVICE_VARIABLES)}"
        raise _problem(reason)
    return name


def _variable_name(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        reason = "not a name for an environment variable: use letters, digits and '_', no digit first"
        raise _problem(reason)
    if name in RUN_VARIABLES:
        reason = "is the run's own variable, which can't be set here"
        raise _problem(reason)
    return name


def _debian_package(name: str) -> str:
    if not _DEBIAN_PACKAGE.fullmatch(name):
        reason = f"not the name of a Debian package: {shown(name)}"
        raise _problem(reason)
    return name


def _some(paths: tuple[str, ...]) -> tuple[str, ...]:
    # Not a `min_length`: pydantic tells that as well when an item is refused.
    if not paths:
        reason = "must not be empty"
        raise _problem(reason)
    if len(paths) > MOST_PATHS:
        reason = f"must not name more than {MOST_PATHS} paths: name a folder above them"
        raise _problem(reason)
    return paths


def _integer(value: object) -> object:
    # To Python, and so to pydantic, `true` is as good as 1.
    if type(value) is not int:
        reason = f"must be a whole number, not {shown(value)}"
        raise _problem(reason)
    return value


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_without_nul)]
Value = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_without_nul)]
"""Of a variable or an argument: it may be empty."""
Marker = Annotated[Text, AfterValidator(_marker)]
InstallArgument = Annotated[Text, AfterValidator(_requirement)]
PassedName = Annotated[str, AfterValidator(_passed_name)]
RepositoryPath = Annotated[Text, AfterValidator(_inside)]
Service = Annotated[str, AfterValidator(_known_service)]
Variable = Annotated[str, AfterValidator(_variable_name)]
DebianPackage = Annotated[str, AfterValidator(_debian_package)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=LONGEST_TIME)]
Times = Annotated[int, Field(strict=True, ge=0, le=MOST_RETRIES)]


class _Table(BaseModel):
    """A table of the file: keys in kebab-case, and no others than those named."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_alias=True,
        validate_by_name=True,  # for Python's own callers; `read_config` takes the kebab-case names only
    )


class RunnerConfig(_Table):
    """What the runner image holds beside the repository's tests."""

    groups: tuple[Text, ...] = ()
    """Dependency groups to install from `uv.lock`; none: uv's default groups."""
    extras: tuple[Text, ...] = ()
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
            raise _problem(reason)
        return self


class TierConfig(_Table):
    """One tier: which tests it holds, and what must be there for them."""

    paths: Annotated[tuple[RepositoryPath, ...], AfterValidator(_some)] = ("tests",)
    """Where its tests are; in a `Config` the default is `tests/<tier>`."""
    marker: Marker | None = None
    """The pytest marker expression that selects its tests."""
    services: tuple[Service, ...] = ()
    """Services that the module brings."""
    manifests: tuple[RepositoryPath, ...] = ()
    """Kustomize folders or YAML files of the repository, applied beside the services."""
    environment: Mapping[Variable, Value] = Field(default_factory=dict)
    """For the test process; `${FLOE_POSTGRES_HOST}` and the like refer to the run's variables."""
    pass_environment: tuple[PassedName, ...] = ()
    """Variables of the caller that the tests get on this machine, beside the usual ones; `PREFIX_*` names several."""
    pytest_args: tuple[Value, ...] = ()
    """Further arguments for pytest."""
    retries: Times = 0
    """How often a test that failed is tried again; one that passes then is told as flaky."""
    nodes: Annotated[Literal[1, 3], BeforeValidator(_integer)] = 1
    """The cluster's nodes; in a `Config` the default is 1, and 3 for e2e."""

    @field_validator("environment")
    @classmethod
    def _refers_to_what_is_there(cls, environment: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        services = info.data.get("services")
        # What the repository's own manifests bring is known only when they are rendered.
        open_ended = services is None or info.data.get("manifests") != ()
        there = [*RUN_VARIABLES, *(each for service in services or () for each in service_variables(service))]
        problems = [
            f"{name}: {problem}"
            for name, value in environment.items()
            for problem in _template_problems(Template(value), None if open_ended else there)
        ]
        if problems:
            raise _problem("; ".join(problems))
        return environment


class Timeouts(_Table):
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


class Config(_Table):
    """The whole table."""

    coverage: tuple[RepositoryPath, ...] = ()
    """Packages or paths to measure; none: the whole source."""
    runner: RunnerConfig = RunnerConfig()
    timeouts: Timeouts = Timeouts()
    tiers: Mapping[TierName, TierConfig] = Field(default_factory=dict, validate_default=True)

    @field_validator("tiers", mode="before")
    @classmethod
    def _fill_tiers(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        return {tier: _default_tier(tier) for tier in TIERS} | {
            tier: {**_default_tier(tier), **table} if isinstance(table, Mapping) else table
            for tier, table in given.items()
        }

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


def read_file(path: Path) -> Config:
    """Return what a `pyproject.toml` says; where there is no such file, everything has its default.

    Raises:
        UserError: It can't be read, is no TOML, or its table is wrong: every problem is told.
    """
    text = read_text(path)
    return Config() if text is None else read_config(text, str(path))


def read_config(pyproject: str, where: str = "pyproject.toml") -> Config:
    """Return what the text of a `pyproject.toml` says; no table means the defaults."""
    table = _find_table(parse_toml(pyproject, where), where)
    try:
        # A snake_case key must be refused, or a file would work here and nowhere else.
        return Config.model_validate(table, by_alias=True, by_name=False)
    except ValidationError as error:
        raise UserError.of([_explain(detail) for detail in error.errors(include_url=False)], where) from None


def expand_environment(environment: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with each `${NAME}` replaced by that variable; `$$` is a plain dollar."""
    problems = [
        f"{name}: {problem}"
        for name, value in environment.items()
        for problem in _template_problems(Template(value), list(variables))
    ]
    if problems:
        raise UserError.of(problems, "environment")
    return {name: Template(value).substitute(variables) for name, value in environment.items()}


def service_variables(service: str) -> list[str]:
    """Return the names of a service's variables."""
    return [service_variable(service, end) for end in SERVICE_VARIABLES[service]]


def _template_problems(template: Template, variables: list[str] | None) -> Iterator[str]:
    """Return what is wrong with a value; where it isn't known which variables there are, only its form is judged."""
    if not template.is_valid():
        yield f"a '$' without a name in {shown(template.template)}; write '$$' for a plain one"
        return
    for name in template.get_identifiers():
        if variables is None or name in variables:
            continue
        service = next((each for each in SERVICE_VARIABLES if name in service_variables(each)), None)
        remedy = f"add '{service}' to the tier's services" if service else suggest(name, variables)
        yield f"'{name}' is no variable of this run; {remedy}"


def _find_table(document: Mapping[str, Any], where: str) -> object:
    tools = document.get("tool", {})
    if not isinstance(tools, Mapping):
        msg = f"{where}: tool: must be a table, not {shown(tools)}"
        raise UserError(msg)
    # A table under a name like ours would be passed over without a word.
    for place, names in (("", [*document]), ("tool.", [name for name in tools if name != TABLE])):
        for name in names:
            if _is_like_ours(name) or (name == "floe" and "ci" in _keys((tools if place else document)[name])):
                msg = f"{where}: {place}{name}: unknown table; did you mean 'tool.{TABLE}'?"
                raise UserError(msg)
    return tools.get(TABLE, {})


def _is_like_ours(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    ours = TABLE.replace("-", "")
    return plain == ours or name.startswith(f"{TABLE}.") or bool(get_close_matches(plain, [ours], cutoff=0.82))


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, Mapping) else []


def _explain(error: ErrorDetails) -> str:
    place = error["loc"]
    if place and place[-1] == "[key]":
        place = place[:-1]
    return f"{_dotted(place)}: {_reason(error, place)}"


def _reason(error: ErrorDetails, place: tuple[int | str, ...]) -> str:
    value, kind = error["input"], error["type"]
    if kind == "extra_forbidden":
        return f"unknown key; {suggest(str(place[-1]), _known_keys(place[:-1]))}"
    if error["loc"][-1:] == ("[key]",) and kind == "literal_error":
        return f"unknown tier; {suggest(str(value), TIERS)}"
    reason = _REASONS.get(kind, error["msg"].replace("{", "{{").replace("}", "}}"))
    instead = f"; write [{shown(value)}]" if kind == "tuple_type" and isinstance(value, str) else ""
    return reason.format(**error.get("ctx", {}) | {"value": shown(value)}) + instead


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    tables: dict[int | str, type[_Table]] = {
        "runner": RunnerConfig,
        "timeouts": Timeouts,
        "tiers": TierConfig,
    }
    table = tables[place[0]] if place else Config
    return [field.alias or name for name, field in table.model_fields.items()]


def _dotted(place: tuple[int | str, ...]) -> str:
    text = f"tool.{TABLE}"
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if _BARE_KEY.fullmatch(part) else json.dumps(part)}"
    return text
