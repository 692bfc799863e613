"""Holds the tag of a release to the version that stands in the repository, and prints what the changelog says of it.

Usage: release.py TAG, such as v1.2.3. The version stands in files and not in Git's tags alone: `CONTRIBUTING.md` says
why. Python is all that it needs.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

DISTRIBUTIONS: Final = {"floe-ci": Path("ci/pyproject.toml"), "floe-testing": Path("testing/pyproject.toml")}
LOCKS: Final = (Path("uv.lock"), Path("ci/uv.lock"))
CHANGELOG: Final = Path("CHANGELOG.md")
FRAGMENTS: Final = Path("changes")
TAG: Final = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")
SECTION: Final = re.compile(r"^## (\S+) \(\d{4}-\d{2}-\d{2}\)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def main(arguments: Sequence[str]) -> int:
    """Print the section of the changelog and return 0, or tell everything that has another version and return 1."""
    found = TAG.fullmatch(arguments[0]) if len(arguments) == 1 else None
    if found is None:
        print("release: name one tag, such as v1.2.3 or v1.2.3rc1", file=sys.stderr)
        return 1
    version = found[1]
    notes = next((text for each, text in sections() if each == version), "")
    wrong = [f"{where}: {each}, and the tag is {version}" for where, each in versions().items() if each != version]
    wrong += [f"{path}: is in no section of {CHANGELOG}" for path in fragments()]
    if wrong:
        print(*(f"release: {each}" for each in wrong), sep="\n", file=sys.stderr)
        return 1
    print(notes.strip())
    return 0


def versions() -> Mapping[str, str]:
    """Return the version as each file has it: the projects, their lock files, and the changelog's newest section."""
    stated = {str(path): str(document(path)["project"]["version"]) for path in DISTRIBUTIONS.values()}
    for lock in LOCKS:
        own = [package for package in document(lock)["package"] if package["name"] in DISTRIBUTIONS]
        stated |= {f"{lock}, {package['name']}": str(package["version"]) for package in own}
    newest, _ = next(sections(), ("none", ""))
    return stated | {str(CHANGELOG): newest}


def sections() -> Iterator[tuple[str, str]]:
    """Yield each version of the changelog, the newest first, with what its section says."""
    for section in SECTION.finditer(CHANGELOG.read_text(encoding="utf-8")):
        yield section[1], section[2]


def fragments() -> list[Path]:
    """Return the news that is in no section yet."""
    return sorted(path for path in FRAGMENTS.glob("*.md") if path.name != "README.md")


def document(path: Path) -> dict[str, Any]:
    """Return a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
