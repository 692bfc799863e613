"""Runs the suites of published packages on this machine, unprepared but for the table that `floe-ci init` writes.

    .venv/bin/python benchmarks/strangers.py FOLDER [NAME …]

Archives that are not in FOLDER are downloaded with pip, and a workspace is cloned, since no archive holds one. Prints
a row for each package as it ends: the tier that `init` proposed, and what came of `floe-ci test` there.
`docs/published.md` tells what was seen, and why what failed did.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGES = {
    "aiofiles": "25.1.0",
    "aiosqlite": "0.22.1",
    "attrs": "26.1.0",
    "cachetools": "8.0.2",
    "cleo": "2.1.0",
    "dep_logic": "0.7.2",
    "django_environ": "0.14.0",
    "django_filter": "26.2",
    "djangorestframework": "3.18.3",
    "h11": "0.16.0",
    "jmespath": "1.1.0",
    "markdown": "3.11.3",
    "pluggy": "1.7.0",
    "requests": "2.34.2",
    "rq": "3.0.0",
    "simplejson": "4.3.0",
    "structlog": "26.1.0",
    "tablib": "3.10.0",
    "tinydb": "4.9.0",
    "wcwidth": "0.9.4",
    "zope_interface": "8.7",
}
CLONED = {
    "griffe": ("https://github.com/mkdocstrings/griffe", "2.2.0"),
    "pooch": ("https://github.com/fatiando/pooch", "v1.9.0"),
}
"""Repositories and their tags."""
COUNTS = ("passed", "failed", "errored", "skipped")
LIMIT = 1800
"""Seconds that one package may take."""


def main() -> None:
    """Try each package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the archives are, or are to be")
    parser.add_argument("names", nargs="*", help="some of the packages; all, unless given")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(f"| package | tier | {' | '.join(COUNTS)} | exit code |")
    print(f"| --- | --- |{' ---: |' * (len(COUNTS) + 1)}")
    folder = arguments.folder.resolve()
    for name in arguments.names or sorted({*PACKAGES, *CLONED}):
        try:
            if name in CLONED:
                address, version = CLONED[name]
                place = cloned(name, address, version, folder)
            else:
                version = PACKAGES[name]
                place = unpacked(name, version, folder)
        except subprocess.CalledProcessError as error:
            print(f"{name}: can't be had: {error}", file=sys.stderr)
        else:
            print(line(name, version, place), flush=True)


def cloned(name: str, address: str, tag: str, folder: Path) -> Path:
    """Return a repository at a tag, with its history, which a version may come from, and no trace of an earlier try."""
    place = folder / f"{name}-{tag}"
    shutil.rmtree(place, ignore_errors=True)
    command = ["git", "clone", "--quiet", "--branch", tag, address, str(place)]
    subprocess.run(command, check=True, timeout=LIMIT)
    return place


def unpacked(name: str, version: str, folder: Path) -> Path:
    """Return a package's source as its distribution holds it, with no trace of an earlier try."""
    found = archive_of(name, version, folder)
    if found is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), "--no-deps"]
        subprocess.run([*command, "--no-binary", name, f"{name}=={version}"], check=True)
        found = archive_of(name, version, folder)
    if found is None:
        sys.exit(f"{name} {version}: pip has left no source distribution in {folder}")
    place = folder / found.name.removesuffix(".tar.gz")
    shutil.rmtree(place, ignore_errors=True)
    with tarfile.open(found) as archive:
        archive.extractall(folder, filter="data")
    return place


def archive_of(name: str, version: str, folder: Path) -> Path | None:
    """Return a source distribution that is there."""
    return next((path for path in folder.glob("*.tar.gz") if path.name.lower() == f"{name}-{version}.tar.gz"), None)


def line(name: str, version: str, place: Path) -> str:
    """Return a row of the table: what came of a package."""
    proposed = floe_ci(place, "init").stdout
    tier = next((each for each in ("integration", "unit") if f"[tool.floe-ci.tiers.{each}]" in proposed), "-")
    done = floe_ci(place, "test", "--on", "local", "--tier", tier, "--json")
    try:
        suites = json.loads(done.stdout)["suites"].values()
    except ValueError:
        suites = ()
    counts = (sum(suite[each] for suite in suites) for each in COUNTS)
    return f"| {name} {version} | {tier} | {' | '.join(map(str, counts))} | {done.returncode} |"


def floe_ci(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a repository."""
    command = [sys.executable, "-m", "floe_ci", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LIMIT, check=False)


if __name__ == "__main__":
    main()
