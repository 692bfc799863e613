"""An audit of tests: where they can't fail, fail for no reason, or don't test what they should.

Other packages add rules by classes derived from `Rule`, in the entry point group `floe_testing.audit_rules`.
"""

from floe_testing.audit.model import Example, Fact, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.project import Project
from floe_testing.audit.rule import Rule

__all__ = ["Call", "Example", "Fact", "Finding", "Function", "Module", "Project", "Rule", "Severity"]
