"""Findings that were there before, in a file, so that only new ones count."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from floe_testing.audit.model import Finding
from floe_testing.errors import FloeTestingError

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


def read_baseline(file: Path) -> frozenset[str]:
    """Return the fingerprints that a baseline lists.

    Raises:
        BaselineError: It is not there, or no baseline.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            message = f"{file}: a baseline of version {content['version']}; write it anew with --write-baseline"
            raise BaselineError(message)
        return frozenset(each["fingerprint"] for each in content["findings"])
    except OSError as error:
        message = f"{file}: can't be read: {error.strerror}. Write it with --write-baseline"
        raise BaselineError(message) from None
    except (ValueError, KeyError, TypeError):
        message = f"{file}: no baseline. Write it with --write-baseline"
        raise BaselineError(message) from None


def write_baseline(file: Path, findings: Sequence[Finding]) -> None:
    """Write the findings as a baseline, one a line, so that versions of it can be compared."""
    lines = [
        json.dumps({"fingerprint": each.fingerprint, "rule": each.rule, "path": each.path, "symbol": each.symbol})
        for each in findings
    ]
    listed = ",\n    ".join(lines)
    content = f'{{\n  "version": {_VERSION},\n  "findings": [\n    {listed}\n  ]\n}}\n'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
