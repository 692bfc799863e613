"""Findings that were there before, in a file, so that only new ones count."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from floe_testing.audit.model import Entry, Finding
from floe_testing.errors import FloeTestingError
from floe_testing.files import write_text

_VERSION: Final = 1


class BaselineError(FloeTestingError):
    """A baseline can't be read."""


def with_fingerprints(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with fingerprints, which stay the same when lines are added or taken away around them.

    A fingerprint is of the rule, the file, the function, the line's text, and the place among those that have all four
    in common.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for finding in findings:
        parts = (finding.rule, finding.path, finding.symbol, " ".join(finding.text.split()))
        seen[parts] += 1
        text = "\0".join((*parts, str(seen[parts])))
        found.append(replace(finding, fingerprint=hashlib.sha256(text.encode()).hexdigest()[:20]))
    return found


Baseline = tuple[Entry, ...]


@dataclass(frozen=True)
class Compared:
    """Findings, told apart by a baseline."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    gone: int
    """Entries that nothing matches, though their files were looked at, or are no longer there."""
    kept: Baseline
    """Entries of files that were not looked at."""


def compare(findings: Sequence[Finding], baseline: Baseline, looked_at: Callable[[str], bool], root: Path) -> Compared:
    """Tell which findings a baseline lists; those of a file that was renamed are known by what they are about.

    Args:
        findings: All of them, with fingerprints.
        baseline: What is known.
        looked_at: Tells whether a path of the baseline was looked at.
        root: The repository.
    """
    entries = {entry.fingerprint: entry for entry in baseline}
    known = {finding.fingerprint for finding in findings if finding.fingerprint in entries}
    left = [entry for entry in baseline if entry.fingerprint not in known]
    renamed = Counter(entry.content for entry in left if entry.content and not (root / entry.path).exists())
    for finding in findings:
        content = content_of(finding)
        if finding.fingerprint not in known and renamed[content] > 0:
            renamed[content] -= 1
            known.add(finding.fingerprint)
            left.remove(next(entry for entry in left if entry.content == content))
    kept = tuple(entry for entry in left if not looked_at(entry.path) and (root / entry.path).exists())
    return Compared(
        new=tuple(finding for finding in findings if finding.fingerprint not in known),
        known=tuple(finding for finding in findings if finding.fingerprint in known),
        gone=len(left) - len(kept),
        kept=kept,
    )


def content_of(finding: Finding) -> str:
    """Return a hash of what a finding is about, whatever file it is in."""
    text = "\0".join((finding.rule, finding.symbol, " ".join(finding.text.split())))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


_ENTRIES: Final = TypeAdapter(Baseline)


def read_baseline(file: Path) -> Baseline:
    """Return what a baseline lists.

    Raises:
        BaselineError: It is not there, or no baseline.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            message = f"{file}: a baseline of version {content['version']}; write it anew with --write-baseline"
            raise BaselineError(message)
        return _ENTRIES.validate_python(content["findings"])
    except OSError as error:
        message = f"{file}: can't be read: {error.strerror}. Write it with --write-baseline"
        raise BaselineError(message) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        message = f"{file}: no baseline. Write it with --write-baseline"
        raise BaselineError(message) from None


def write_baseline(file: Path, findings: Sequence[Finding], kept: Baseline = ()) -> None:
    """Write the findings, and entries that stay, as a baseline, one a line, so that versions of it can be compared.

    Raises:
        UnwritableError: Names the file and the reason.
    """
    entries = [Entry(each.fingerprint, each.rule, each.path, each.symbol, content_of(each)) for each in findings]
    every = sorted([*entries, *kept], key=lambda entry: entry.path)
    listed = ",\n    ".join(json.dumps(asdict(entry)) for entry in every)
    write_text(file, f'{{\n  "version": {_VERSION},\n  "findings": [\n    {listed}\n  ]\n}}\n')
