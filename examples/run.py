"""Run a published package's own test suite, or a plugin's, on floe-ci: python examples/run.py NAME [-- arguments]."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final, NoReturn

EXAMPLES: Final = Path(__file__).resolve().parent
REPOSITORY: Final = EXAMPLES.parent
REQUIREMENT: Final = "requirement.txt"
"""The package, its version, and the hash of its source distribution."""
TABLE: Final = "floe-ci.toml"
"""What is added to the package's pyproject.toml."""
PLUGINS: Final = EXAMPLES / "plugins"
"""Packages that stand here whole, and need the framework of this repository."""
FRAMEWORK: Final = REPOSITORY / "testing"
"""What floe-testing is built from."""


def main() -> int:
    """Run the example named on the command line and return the exit code of its tests."""
    name, arguments = parse_arguments()
    if shutil.which("dagger") is None:
        fail("there is no dagger on PATH; install the Dagger command line first")
    with tempfile.TemporaryDirectory(prefix=f"floe-ci-{name}-") as folder:
        if name in plugins():
            source = copy_plugin(name, Path(folder) / "source")
        else:
            source = unpack(download(name, Path(folder)), Path(folder) / "source")
            add_table(EXAMPLES / name, source)
        return run_tests(source, REPOSITORY / "results" / name, arguments)


def parse_arguments() -> tuple[str, list[str]]:
    """Return the example's name and the further arguments for `dagger call test`."""
    names = [*sorted(table.parent.name for table in EXAMPLES.glob(f"*/{TABLE}")), *plugins()]
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] NAME [-- dagger arguments]")
    parser.add_argument("name", metavar="NAME", help=f"the example: {', '.join(names)}")
    parser.add_argument("arguments", nargs="*", help="further arguments for `dagger call test`")
    given = parser.parse_args()
    if given.name not in names:
        fail(f"there is no example '{given.name}'; the examples are {', '.join(names)}")
    return given.name, given.arguments


def plugins() -> list[str]:
    """Return the names of the plugins."""
    return sorted(project.parent.name for project in PLUGINS.glob("*/pyproject.toml"))


def copy_plugin(name: str, source: Path) -> Path:
    """Copy a plugin, and beside it the framework that it is for, and return the folder."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PLUGINS / name, source, ignore=unwanted)
    shutil.copytree(FRAMEWORK, source / "floe-testing", ignore=unwanted)
    return source


def download(name: str, folder: Path) -> Path:
    """Download the package's source distribution, of the pinned version and hash, and return its path."""
    # pip builds the package's metadata when it downloads a source, with build tools that need not be sources.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", f"--no-binary={name}", "--require-hashes"]
    command += [f"--dest={folder}", f"--requirement={EXAMPLES / name / REQUIREMENT}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - no shell
    if done.returncode:
        lines = done.stderr.splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        fail(f"{name} can't be downloaded: {(errors or lines or ['pip gave no reason'])[-1]}")
    return next(folder.glob("*.tar.gz"))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a source distribution and return the one folder that is in it."""
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def add_table(example: Path, source: Path) -> None:
    """Append the example's table to the package's pyproject.toml, made if need be, and copy its other files."""
    with (source / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + (example / TABLE).read_text(encoding="utf-8"))
    for extra in example.iterdir():
        if extra.name not in (TABLE, REQUIREMENT):
            shutil.copy(extra, source)


def run_tests(source: Path, results: Path, arguments: list[str]) -> int:
    """Run the integration tier, print the verdict and return its exit code."""
    command = ["dagger", "-m", str(REPOSITORY), "call", "test", "--tier=integration", f"--source={source}"]
    command += [*arguments, "export", f"--path={results}", "--wipe"]
    done = subprocess.run(command, check=False)  # noqa: S603 - no shell
    if done.returncode:
        return done.returncode
    print((results / "summary.md").read_text(encoding="utf-8").partition("\n## ")[0])  # noqa: T201
    print(f"Results: {results}")  # noqa: T201
    return int((results / "exit-code").read_text(encoding="utf-8"))


def fail(problem: str) -> NoReturn:
    """End the process with one line on standard error."""
    print(f"error: {problem}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
