"""An audit, from paths to findings."""

import hashlib
import inspect
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter

from floe_testing.audit.baseline import Baseline, compare, with_fingerprints
from floe_testing.audit.checks import checks
from floe_testing.audit.model import Audit, Fact, Finding, ModuleReport, Severity
from floe_testing.audit.module import Module
from floe_testing.audit.project import PYPROJECT, Project
from floe_testing.audit.registry import BrokenRuleError, all_rules, followed_rules
from floe_testing.audit.rule import Rule
from floe_testing.audit.suppression import apply_suppressions, find_in_toml, find_suppressions
from floe_testing.audit.unread import NEEDED, why_no_test
from floe_testing.suite.cache import Cache, Form, digest, freshness
from floe_testing.suite.collection import CollectionRules, find_python_files, read_collection_rules
from floe_testing.suite.definitions import Modules
from floe_testing.suite.processes import read_each
from floe_testing.suite.reading import ParsedModule, Problem, parse_module
from floe_testing.suite.syntax import describe

T = TypeVar("T")

UNREADABLE: Final = "FT000"
_TESTS: Final = re.compile(
    rb"^class \w+\([^)]*TestCase\b[^)]*\):(?:.|\n)*?^    (?:async )?def test|^(?:async )?def test_", re.MULTILINE
)
"""What a module has that pytest would find tests in, if it looked."""


@dataclass(frozen=True)
class _File:
    path: Path
    is_test: bool


def audit(
    paths: Sequence[Path],
    root: Path,
    project: Project,
    *,
    baseline: Baseline = (),
    cache_folder: Path | None = None,
) -> Audit:
    """Look at the tests under `paths`, and at what stands beside them.

    Args:
        paths: Files and folders.
        root: The repository.
        project: What the repository says of itself.
        baseline: Findings that don't count.
        cache_folder: Where reports of earlier audits are; none: every file is read.

    Raises:
        NoSuchPathError: Names every path that is not there.
    """
    root = root.resolve()
    rules = read_collection_rules(root)
    found_files, others = _find_files(paths, rules)
    files = [file for file in found_files if not project.config.is_excluded(_relative(file.path, root))]
    known = Cache(_form(), cache_folder, root, version(project, rules)) if cache_folder else None
    modules = _read_all(files, root, rules, project, known)
    findings = [finding for module in modules for finding in module.findings]
    findings += _conclude(modules, project)
    findings = _with_severities(findings, project)
    spoken = [each for module in modules for each in module.suppressions]
    # What a file of settings silences is found only where all tests are looked at.
    spoken += find_in_toml(project.lines, PYPROJECT) if project.whole else ()
    left, silenced = apply_suppressions(findings, spoken)
    left = [finding for finding in left if not project.config.is_ignored(finding.rule)]
    found = with_fingerprints(sorted(left, key=_order))
    seen = {module.path for module in modules} | ({PYPROJECT} if project.whole else set())
    compared = compare(found, baseline, lambda path: project.whole or path in seen, root)
    return Audit(
        findings=compared.new,
        known=compared.known,
        suppressed=tuple(sorted(silenced, key=lambda each: _order(each[0]))),
        modules=tuple(modules),
        gone=compared.gone,
        kept=compared.kept,
        uncollected=tuple(_relative(file, root) for file in others if not _is_left_out(file, root, project)),
        excluded=len(found_files) - len(files),
        patterns=rules.python_files,
    )


def _is_left_out(file: Path, root: Path, project: Project) -> bool:
    """Tell whether a file is left out on purpose, or has no test."""
    if project.config.is_excluded(_relative(file, root)):
        return True
    try:
        return _TESTS.search(file.read_bytes()) is None
    except OSError:
        return True


def read_report(file: _File, root: Path, rules: CollectionRules, project: Project, modules: Modules) -> ModuleReport:
    """Return what is found in one file; one that can't be read is a finding."""
    parsed = parse_module(file.path, root, rules, modules, explains=False)
    if not isinstance(parsed, ParsedModule):
        helper = not file.is_test and file.path.name not in NEEDED
        findings = () if helper else tuple(_not_read(file, each) for each in parsed.problems)
        return ModuleReport(parsed.relative, findings=findings)
    if not file.is_test:
        parsed = replace(parsed, module=replace(parsed.module, tests=()), nodes={})
    try:
        return _looked_at(parsed, project)
    except RecursionError as error:
        message = f"not read: {describe(error)}"
        finding = Finding(parsed.module.relative, 1, 1, UNREADABLE, Severity.ERROR, message)
        return ModuleReport(parsed.module.relative, findings=(finding,))


def _not_read(file: _File, problem: Problem) -> Finding:
    """Return the finding of a file that can't be read: an error, but a note where it is plainly no test."""
    why_not = why_no_test(file.path, problem.path)
    if why_not:
        message = f"not read, and taken for no test ({why_not}): {problem.message}"
        return Finding(problem.path, problem.line, 1, UNREADABLE, Severity.NOTE, message)
    return Finding(problem.path, problem.line, 1, UNREADABLE, Severity.ERROR, f"not read: {problem.message}")


def _looked_at(parsed: ParsedModule, project: Project) -> ModuleReport:
    module = Module(parsed, project.config.tier(parsed.module.relative), project.config.default_tier or "")
    chosen = followed_rules(project.config)
    tests = [function for function in module.functions if function.test is not None]
    return ModuleReport(
        path=module.path,
        tests=len(module.tests),
        tier=module.tier or next((tier for each in tests if (tier := module.tier_of(each))), ""),
        strengths=Counter(check.strength for function in tests for check in checks(module, function)),
        findings=tuple(sorted(_of_each(chosen, module, lambda rule: rule.check(module)), key=_order)),
        facts=tuple(_of_each(chosen, module, lambda rule: rule.note(module, project))),
        suppressions=find_suppressions(parsed.source, parsed.tree, module.path),
        others=parsed.module.others,
    )


def _of_each(rules: Iterable[Rule], module: Module, step: Callable[[Rule], Iterable[T]]) -> Iterator[T]:
    """Yield what a step of each rule gives.

    Raises:
        BrokenRuleError: Names the rule that failed, the module it failed on, and the error.
    """
    for rule in rules:
        try:
            yield from step(rule)
        except RecursionError:
            raise  # the module is nested too deeply for any rule
        except Exception as error:
            message = f"the rule {rule.id} broke on {module.path}: {type(error).__name__}: {error}"
            raise BrokenRuleError(message) from error


def version(project: Project, rules: CollectionRules) -> str:
    """Return a hash of all that a report of a file depends on, but the file."""
    package = Path(__file__).parents[1]
    sources = [path for room in ("audit", "suite") for path in sorted((package / room).rglob("*.py"))]
    others = {Path(inspect.getfile(type(rule))) for rule in all_rules()} - set(sources)
    seen = hashlib.sha256(f"{sys.version} {rules} {project.plugins} {project.config!r}".encode())
    for source in [*sources, *sorted(others)]:
        seen.update(source.read_bytes())
    return seen.hexdigest()


def _find_files(paths: Iterable[Path], rules: CollectionRules) -> tuple[list[_File], list[Path]]:
    """Return the tests, their `conftest.py`, and the modules beside and below them; and all that are no tests."""
    paths = list(paths)
    named = {path.resolve() for path in paths if os.path.isfile(path)}  # noqa: PTH113 - it takes any text
    files = find_python_files(paths, rules)
    tests = {file for file in files if file in named or rules.is_test_file(file)}
    folders = _test_folders(files, tests)
    chosen = [_File(file, file in tests) for file in files if file in tests or not folders.isdisjoint(file.parents)]
    return chosen, [file for file in files if file not in tests and file.name != "conftest.py"]


def _test_folders(files: Sequence[Path], tests: set[Path]) -> set[Path]:
    """Return the folders that are there for tests: those with at least as many of them as of other modules."""
    balance: Counter[Path] = Counter()
    for file in files:
        if file.name != "__init__.py":
            balance[file.parent] += 1 if file in tests or file.name == "conftest.py" else -1
    return {folder for folder, surplus in balance.items() if surplus >= 0}


def _relative(path: Path, root: Path) -> str:
    return path.as_posix().removeprefix(f"{root.as_posix().rstrip('/')}/")


def _read_all(
    files: Sequence[_File], root: Path, rules: CollectionRules, project: Project, known: Cache[ModuleReport] | None
) -> list[ModuleReport]:
    read = partial(read_report, root=root, rules=rules, project=project, modules=Modules(root))
    if known is None:
        return read_each(read, files)
    keys = [(_relative(file.path, root), digest(file.path, bytes([file.is_test]))) for file in files]
    return known.complete(keys, lambda places: read_each(read, [files[place] for place in places]))


def _form() -> Form[ModuleReport]:
    adapter = TypeAdapter(ModuleReport)
    are_current = freshness()
    return Form(
        lambda report: adapter.dump_json(report).decode(),
        adapter.validate_json,
        lambda report: are_current(report.others),
    )


def _conclude(modules: Sequence[ModuleReport], project: Project) -> list[Finding]:
    facts: dict[str, list[Fact]] = defaultdict(list)
    for module in modules:
        for fact in module.facts:
            facts[fact.rule].append(fact)
    return [finding for rule in followed_rules(project.config) for finding in rule.conclude(facts[rule.id], project)]


def _with_severities(findings: Iterable[Finding], project: Project) -> list[Finding]:
    wanted = project.config.severity
    found = []
    for each in findings:
        # The longest start of an id says the most: `FT401` before `FT4`.
        start = max((start for start in wanted if each.rule.startswith(start)), key=len, default=None)
        found.append(each if start is None else replace(each, severity=wanted[start]))
    return found


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.path, finding.line, finding.column, finding.rule, finding.message
