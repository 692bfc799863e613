"""Which rules there are, and which of them a suite follows."""

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from floe_testing.audit.config import AuditConfig
from floe_testing.audit.rule import Rule
from floe_testing.audit.rules import BUILT_IN
from floe_testing.errors import FloeTestingError

ENTRY_POINTS: Final = "floe_testing.audit_rules"
"""The entry point group by which other packages add rules; each entry is a `Rule` class."""


class BrokenRuleError(FloeTestingError):
    """An entry point is no rule."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return this package's rules and those of others, by id.

    Raises:
        BrokenRuleError: Names each entry point that is no rule, or takes an id that is taken.
    """
    found: dict[str, Rule] = {kind.id: kind() for kind in BUILT_IN}
    problems: list[str] = []
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            kind = entry.load()
        except Exception as error:  # noqa: BLE001 - whatever a package of someone else's raises
            problems.append(f"{entry.name} = {entry.value!r} can't be loaded: {type(error).__name__}: {error}")
            continue
        if not (isinstance(kind, type) and issubclass(kind, Rule)):
            problems.append(f"{entry.name} = {entry.value!r} is no class derived from floe_testing.audit.Rule")
        elif kind.id in found:
            problems.append(f"{entry.name} = {entry.value!r}: the id {kind.id} is taken by {found[kind.id].name}")
        else:
            found[kind.id] = kind()
    if problems:
        message = f"entry points of {ENTRY_POINTS}:\n  " + "\n  ".join(problems)
        raise BrokenRuleError(message)
    return tuple(rule for _, rule in sorted(found.items()))


def followed_rules(config: AuditConfig) -> tuple[Rule, ...]:
    """Return the rules that a suite follows.

    Raises:
        BrokenRuleError: As for `all_rules`.
    """
    return tuple(rule for rule in all_rules() if config.is_selected(rule.id))
