"""What a rule is."""

import ast
from abc import ABC
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from floe_testing.audit.model import Example, Fact, Finding, Severity

if TYPE_CHECKING:
    from floe_testing.audit.module import Function, Module
    from floe_testing.audit.project import Project


class Rule(ABC):
    """One thing that a suite should not do.

    A rule looks at modules one by one (`check`), or notes facts in each of them (`note`) and draws its conclusions
    when all are there (`conclude`). A rule has no state: modules are read by several processes.
    """

    id: ClassVar[str]
    """Letters and three digits: `FT101`."""
    name: ClassVar[str]
    severity: ClassVar[Severity]
    """Of what is right nearly always; what a careful person may see otherwise is a note."""
    reason: ClassVar[str]
    """Why it matters, for someone who has just been told off by it."""
    bad: ClassVar[tuple[Example, ...]]
    good: ClassVar[tuple[Example, ...]]
    arguable: ClassVar[tuple[Example, ...]] = ()
    """Source whose author may have a reason that it does not show: found, but as a note."""

    def check(self, module: "Module") -> Iterator[Finding]:  # noqa: ARG002 - for those that override it
        """Yield what is wrong in one module."""
        yield from ()

    def note(self, module: "Module", project: "Project") -> Iterator[Fact]:  # noqa: ARG002 - as above
        """Yield what `conclude` needs to know of one module."""
        yield from ()

    def conclude(self, facts: Sequence[Fact], project: "Project") -> Iterator[Finding]:  # noqa: ARG002 - as above
        """Yield what is wrong in the suite, told by the facts of all its modules, in the order of paths and lines."""
        yield from ()

    def finding(
        self,
        module: "Module",
        node: ast.AST,
        message: str,
        function: "Function | None" = None,
        *,
        sure: bool = True,
    ) -> Finding:
        """Return a finding at a node of a function, or outside of any; a note where the rule is not sure of it."""
        line = getattr(node, "lineno", 1)
        return Finding(
            path=module.path,
            line=line,
            column=getattr(node, "col_offset", 0) + 1,
            rule=self.id,
            severity=self.severity if sure else Severity.NOTE,
            message=message,
            symbol=function.symbol if function else "",
            text=module.text(line),
        )

    def fact(
        self, module: "Module", node: ast.AST, function: "Function | None" = None, *, key: str, label: str = ""
    ) -> Fact:
        """Return a fact at a node."""
        line = getattr(node, "lineno", 1)
        symbol, column = function.symbol if function else "", getattr(node, "col_offset", 0) + 1
        return Fact(self.id, key, module.path, line, symbol, module.text(line), label, column)

    def finding_at(self, fact: Fact, message: str, *, sure: bool = True) -> Finding:
        """Return a finding where a fact was noted; a note where the rule is not sure of it."""
        severity = self.severity if sure else Severity.NOTE
        return Finding(fact.path, fact.line, fact.column, self.id, severity, message, fact.symbol, fact.text)
