"""The rules of this package."""

from typing import Final

from floe_testing.audit.rule import Rule
from floe_testing.audit.rules.clocks import RealClock, Sleep
from floe_testing.audit.rules.coverage import JourneyWithoutTest, PluginWithoutTest
from floe_testing.audit.rules.duplication import CopiedInfrastructure, DuplicatedConfiguration, RepeatedSetting
from floe_testing.audit.rules.ineffective import (
    AssertionInExcept,
    AssertionInRaises,
    BroadRaises,
    NeverAsserted,
    RedefinedTest,
    SwallowedAssertion,
    Tautology,
)
from floe_testing.audit.rules.mocks import MockedService, MockFallback
from floe_testing.audit.rules.process import ProcessState
from floe_testing.audit.rules.side_effects import UncheckedSideEffect
from floe_testing.audit.rules.skips import SilentSkip, SkipWithoutReason
from floe_testing.audit.rules.state import OrderDependence, SharedState
from floe_testing.audit.rules.tiers import FileInUnit, NetworkInUnit, NothingReal, TierContradiction
from floe_testing.audit.rules.weak import LengthOnly, NoCheck, TruthinessOnly

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
    AssertionInExcept,
    RedefinedTest,
    UncheckedSideEffect,
    Sleep,
    RealClock,
    NetworkInUnit,
    FileInUnit,
    TierContradiction,
    NothingReal,
    DuplicatedConfiguration,
    CopiedInfrastructure,
    RepeatedSetting,
    SkipWithoutReason,
    SilentSkip,
    SharedState,
    ProcessState,
    OrderDependence,
    JourneyWithoutTest,
    PluginWithoutTest,
)
