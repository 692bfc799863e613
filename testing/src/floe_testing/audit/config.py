"""What a repository says of its audit: the table `[tool.floe-testing.audit]`."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from floe_testing.audit.model import Severity
from floe_testing.settings import Table, suggest

TABLE: Final = "audit"
Tier = Literal["unit", "contract", "integration", "e2e"]
JOURNEY: Final = "journey"
"""The marker of a test that makes a journey, with the journey's name."""
RULE_IDS: Final = "rule-ids"
"""The key of all rules' ids in the context of a validation; without it, rules are not looked up."""
Text = Annotated[str, Field(min_length=1)]


def _known_rules(prefixes: Iterable[str], info: ValidationInfo) -> Iterable[str]:
    """Refuse what no rule's id starts with, where the context tells which ids there are."""
    ids: Iterable[str] | None = (info.context or {}).get(RULE_IDS)
    for prefix in prefixes if ids is not None else ():
        if not any(each.startswith(prefix) for each in ids or ()):
            message = f"no rule is called {prefix!r}; {suggest(prefix, ids or ())}"
            raise ValueError(message)
    return prefixes


RuleIds = Annotated[tuple[Text, ...], AfterValidator(_known_rules)]
"""Ids of rules, or how they start: `FT2` is all of them about assertions."""


class Journey(Table):
    """How to know the tests of a journey: by what they use, or by a marker of one's own.

    Whatever it says, a test that is marked `journey("<name>")` is one of it.
    """

    services: tuple[Text, ...] = ()
    """The services that it passes through: a test that uses all of them makes it."""
    marker: Text | None = None
    keyword: Text | None = None
    """Of earlier versions: a word in a name, which shows nothing, and finds no test any more."""

    @model_validator(mode="after")
    def _one_at_most(self) -> "Journey":
        if self.services and self.marker is not None:
            message = 'must be one of { services = ["…"] } and { marker = "…" }, not both'
            raise ValueError(message)
        return self

    def describe(self, name: str) -> str:
        """Return how tests are known, in words."""
        if self.services:
            return f"that uses {', '.join(self.services)}, or is marked {JOURNEY}({name!r})"
        why = f"; that {self.keyword!r} is in a name shows nothing" if self.keyword else ""
        return f"marked {self.marker or f'{JOURNEY}({name!r})'}{why}"


class AuditConfig(Table):
    """The whole table."""

    paths: tuple[Text, ...] = ("tests",)
    """Where the tests are."""
    select: RuleIds = ()
    """Rules to follow; none: all."""
    ignore: RuleIds = ()
    """Rules not to follow."""
    severity: Annotated[Mapping[str, Severity], AfterValidator(_known_rules)] = Field(default_factory=dict)
    """What rules' findings count for, where it is not what the rule says."""
    exclude: tuple[Text, ...] = ()
    """Files not to look at: globs, relative to the repository."""
    tiers: Mapping[Tier, tuple[Text, ...]] = Field(default_factory=dict)
    """Folders of each tier, relative to the repository; where none is named, a folder called like a tier is of it."""
    default_tier: Tier | None = None
    """The tier of tests that neither a folder nor a marker tells of."""
    journeys: Mapping[str, Journey] = Field(default_factory=dict)
    """What users do, each with how its end-to-end tests are known."""
    plugin_groups: tuple[Text, ...] | None = None
    """Entry point groups whose plugins need an integration test; all of `[project.entry-points]` unless given."""
    manifests: tuple[Text, ...] = (
        *("k8s/**/*.yaml", "k8s/**/*.yml", "manifests/**/*.yaml", "deploy/**/*.yaml", "charts/**/values*.yaml"),
        *("compose*.yaml", "compose*.yml", "docker-compose*.yaml", "docker-compose*.yml", "**/service.toml"),
    )
    """Where services are described: globs, relative to the repository."""
    infrastructure: tuple[Text, ...] = ()
    """Packages of test infrastructure, for the inventory in the report."""

    def is_selected(self, rule: str) -> bool:
        """Tell whether a rule is to be followed."""
        return rule.startswith(self.select or ("",)) and not self.is_ignored(rule)

    def is_ignored(self, rule: str) -> bool:
        """Tell whether a rule is not to be followed."""
        return rule.startswith(self.ignore) if self.ignore else False

    def is_excluded(self, path: str) -> bool:
        """Tell whether a file is not to be looked at."""
        return any(fnmatch(path, pattern) for pattern in self.exclude)

    def tier(self, path: str) -> str:
        """Return the tier that a path is of, empty if it tells none."""
        place = PurePosixPath(path)
        for tier, folders in self.tiers.items():
            if any(place.is_relative_to(folder) for folder in folders):
                return tier
        known = {"unit": "unit", "contract": "contract", "integration": "integration", "e2e": "e2e"}
        known |= {"end_to_end": "e2e", "end2end": "e2e"}
        named = [known[part] for part in place.parts[:-1] if part in known] if not self.tiers else []
        return named[-1] if named else ""
