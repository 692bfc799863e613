"""Runs the audit and the trace over the test suites of published packages, as their source distributions hold them.

    .venv/bin/python benchmarks/published.py FOLDER

Archives that are not in FOLDER are downloaded with pip, which may build metadata for them. What the audit finds is left
there as `<package>.json`. Fails where a finding that `docs/audits/precision.csv` lists is not found any more.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from floe_testing.suite.reading import read_suite

JUDGED = Path(__file__).parents[1] / "docs" / "audits" / "precision.csv"
SPECIFICATION = "# Every test\n\n- **001-FR-001**: Every test MUST name this requirement.\n"
TABLE = "[tool.floe-testing.audit]\n"


@dataclass(frozen=True)
class Package:
    """A source distribution, and what its suite needs to be told."""

    name: str
    version: str
    tests: str
    settings: str = ""
    """Of `[tool.floe-testing.audit]`."""
    pytest: str = ""
    """A `pytest.ini`, where the suite's own plugin collects what pytest's settings don't tell."""
    newer: tuple[str, ...] = ()
    """Modules in a syntax that this Python does not know; they are taken away."""

    @property
    def release(self) -> str:
        """The name of the archive, and of the folder in it."""
        return f"{self.name}-{self.version}"


UNIT = 'default-tier = "unit"\n'
PACKAGES = (
    Package("aiohttp", "3.14.5", "tests"),
    Package("asyncpg", "0.32.0", "tests"),
    Package("celery", "5.7.0", "t"),
    Package("click", "8.5.1", "tests", UNIT),
    Package("dagster", "1.13.29", "dagster_tests"),
    Package("dask", "2026.8.0", "dask", UNIT),
    Package("google_cloud_storage", "3.17.1", "tests"),
    Package("kafka_python", "3.0.12", "test"),
    Package("kombu", "5.7.0", "t"),
    Package("pg8000", "1.31.6", "test"),
    Package("pyiceberg", "0.12.0", "tests"),
    Package("redis", "8.1.0", "tests"),
    Package("salt", "3008.5", "tests"),
    Package("scrapy", "2.19.0", "tests"),
    Package(
        *("sqlalchemy", "2.1.9", "test"),
        pytest="[pytest]\npython_files = test_*.py\npython_classes = Test *Test\n",
        newer=("test/orm/test_tstring_py314.py", "test/sql/test_tstrings_py314.py"),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What the tools said of a package, and what it took."""

    package: Package
    findings: list[dict[str, str | int]]
    tests: int
    """As the trace counts them."""
    audit: float
    """Seconds of processor time, without a cache."""
    trace: float
    """Seconds of processor time."""


def main() -> None:
    """Print a table of the packages, and how many findings each rule has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the archives are, or are to be")
    parser.add_argument(
        "--python", type=Path, help="compare with what pytest collects here, where packages are installed"
    )
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    outcomes = [examine(package, folder) for package in PACKAGES]
    print("| package | version | tests | findings | audit | trace |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for each in outcomes:
        numbers = f"{each.tests:,} | {len(each.findings)} | {each.audit:.1f} s | {each.trace:.1f} s"
        print(f"| {each.package.name} | {each.package.version} | {numbers} |")
    count = Counter(str(finding["rule"]) for each in outcomes for finding in each.findings)
    print("\n" + ", ".join(f"{rule}: {count[rule]}" for rule in sorted(count)) + "\n")
    for package in PACKAGES if arguments.python else ():
        print(f"{package.name}: {compare(package, folder, arguments.python)}")
    gone = lost(outcomes)
    if gone:
        sys.exit("\n".join(["judged, and not found any more:", *gone]))


def examine(package: Package, folder: Path) -> Outcome:
    """Run both tools over a package."""
    root = unpack(package, folder)
    audit, trace = folder / f"{package.name}.json", folder / f"{package.name}-trace.json"
    specification = folder / "001-all.md"
    specification.write_text(SPECIFICATION, encoding="utf-8")
    place = [str(root / package.tests), "--root", str(root), "--format", "json", "--output"]
    audited = run("audit", *place, str(audit), "--level", "note", "--fail-on", "never", "--no-cache")
    traced = run("trace", *place, str(trace), "--specs", str(specification), "--threshold", "0", "--no-cache")
    findings = json.loads(audit.read_text(encoding="utf-8"))["findings"]
    return Outcome(package, findings, json.loads(trace.read_text(encoding="utf-8"))["tests"], audited, traced)


def unpack(package: Package, folder: Path) -> Path:
    """Return the folder of a package's sources, with its settings added, as they are in the archive otherwise."""
    archive, root = folder / f"{package.release}.tar.gz", folder / package.release
    if not archive.is_file():
        wanted = ["--no-deps", "--no-binary", ":all:", f"{package.name}=={package.version}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder, *wanted], check=True)
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    for module in package.newer:
        (root / module).unlink()
    if package.settings:
        with (root / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n{TABLE}{package.settings}")
    if package.pytest:
        (root / "pytest.ini").write_text(package.pytest, encoding="utf-8")
    return root


def run(*command: str) -> float:
    """Run one of the tools, and return the seconds of processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "floe_testing", *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(package: Package, folder: Path, python: Path) -> str:
    """Tell how the tests that the trace reads differ from those that pytest collects by importing them.

    Only modules that pytest could import count: many need more than their package.
    """
    root = folder / package.release
    options = [
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "filterwarnings=",
        "--continue-on-collection-errors",
    ]
    command = [str(python), "-m", "pytest", *options, package.tests]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line and line[0] not in "E "}
    modules = {each.partition("::")[0] for each in collected}
    suite = read_suite([root / package.tests], root)
    read = {test.node_id for module in suite.modules if module.relative in modules for test in module.tests}
    missed, invented = sorted(collected - read), sorted(read - collected)
    return (
        f"{len(modules)} modules, {len(collected)} tests; "
        f"not read: {len(missed)} {missed[:3]}; not collected: {len(invented)} {invented[:3]}"
    )


def lost(outcomes: list[Outcome]) -> list[str]:
    """Return the judged findings that the audit does not come to any more."""
    found = {
        (each.package.name, each.package.version, f"{finding['path']}:{finding['line']}", finding["rule"])
        for each in outcomes
        for finding in each.findings
    }
    with JUDGED.open(encoding="utf-8", newline="") as file:
        judged = [(row["package"], row["version"], row["place"], row["rule"]) for row in csv.DictReader(file)]
    return [" ".join(each) for each in judged if each not in found]


if __name__ == "__main__":
    main()
