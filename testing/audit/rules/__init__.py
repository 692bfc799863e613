"""The rules of this package."""

from typing import Final

from testing.audit.rule import Rule
from testing.audit.rules.clocks import RealClock, Sleep
from testing.audit.rules.coverage import JourneyWithoutTest, PluginWithoutTest
from testing.audit.rules.duplication import CopiedInfrastructure, DuplicatedConfiguration
from testing.audit.rules.ineffective import (
    AssertionInRaises,
    BroadRaises,
    NeverAsserted,
    SwallowedAssertion,
    Tautology,
)
from testing.audit.rules.mocks import MockedService, MockFallback
from testing.audit.rules.process import ProcessState
from testing.audit.rules.side_effects import UncheckedSideEffect
from testing.audit.rules.skips import SilentSkip, SkipWithoutReason
from testing.audit.rules.state import OrderDependence, SharedState
from testing.audit.rules.tiers import FileInUnit, NetworkInUnit, NothingReal, TierContradiction
from testing.audit.rules.weak import LengthOnly, NoCheck, TruthinessOnly

BUILT_IN: Final[tuple[type[Rule], ...]] = (
    MockFallback,
    MockedService,
    NoCheck,
    TruthinessOnly,
    LengthOnly,
    Tautology,
    BroadRaises,
    SwallowedAssertion,
    AssertionInRaises,
    NeverAsserted,
    UncheckedSideEffect,
    Sleep,
    RealClock,
    NetworkInUnit,
    FileInUnit,
    TierContradiction,
    NothingReal,
    DuplicatedConfiguration,
    CopiedInfrastructure,
    SkipWithoutReason,
    SilentSkip,
    SharedState,
    ProcessState,
    OrderDependence,
    JourneyWithoutTest,
    PluginWithoutTest,
)
