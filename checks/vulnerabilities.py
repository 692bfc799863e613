"""Looks up everything that is locked in the OSV database: each `uv.lock`, and what each `pom.xml` names.

A database that can't be reached is a failure: nothing has been looked up then. `--offline` is for a machine that is
known to have no network, and says that nothing was.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import httpx

DATABASE: Final = "https://api.osv.dev/"
TIMEOUT: Final = 30.0
"""Seconds for one answer of the database."""
POM: Final = "{http://maven.apache.org/POM/4.0.0}"


def main() -> int:
    """Print what is vulnerable; return 0 if nothing is, or if it was not to be looked up, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offline", action="store_true", help="there is no network: look nothing up")
    parser.add_argument("--database", default=DATABASE, help="where OSV's API is")
    options = parser.parse_args()
    locks, poms = (tracked(name) for name in ("uv.lock", "pom.xml"))
    if options.offline:
        print("vulnerabilities: not looked up, as there is no network:", *map(str, [*locks, *poms]))
        return 0
    excused = excuses()
    sound = [lock_is_sound(lock, options.database, excused) for lock in locks]
    sound += [pom_is_sound(pom, options.database, excused) for pom in poms]
    if not all(sound):
        print("vulnerabilities: without a network, `make check OFFLINE=1` leaves this out", file=sys.stderr)
    return 0 if all(sound) else 1


def tracked(name: str) -> list[Path]:
    """Return the files of this name that are, or are to be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", name, f"**/{name}"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted(Path(line) for line in said.splitlines())


def excuses() -> Mapping[str, str]:
    """Return the vulnerabilities that are accepted, and why: `[tool.floe-checks.vulnerabilities]`, ID = reason."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    accepted: Mapping[str, str] = project.get("tool", {}).get("floe-checks", {}).get("vulnerabilities", {})
    return accepted


def lock_is_sound(lock: Path, database: str, excused: Mapping[str, str]) -> bool:
    """Tell whether pip-audit knows nothing against any version in a lock file, those of all extras and groups."""
    print(f"vulnerabilities: {lock}", flush=True)
    export = ["uv", "export", "--quiet", "--frozen", "--all-packages", "--all-groups", "--all-extras"]
    export += ["--no-emit-workspace", "--no-emit-local", "--no-hashes", "--no-annotate", "--no-header"]
    listed = subprocess.run(
        beside_python(export), cwd=lock.parent, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    look_up = ["pip-audit", "--strict", "--no-deps", "--disable-pip", "--progress-spinner=off"]
    look_up += ["--vulnerability-service=osv", f"--osv-url={urljoin(database, 'v1/query')}"]
    look_up += [f"--ignore-vuln={name}" for name in excused]
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(for_any_platform(listed), encoding="utf-8")
        look_up += [f"--requirement={requirements}"]
        done = subprocess.run(beside_python(look_up), stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{lock}: {last_line(done.stderr)}", file=sys.stderr)
    return done.returncode == 0


def for_any_platform(requirements: str) -> str:
    """Return requirements without their markers: what another platform installs is looked up as well."""
    return "".join(f"{line.partition(' ; ')[0]}\n" for line in requirements.splitlines())


def beside_python(command: list[str]) -> list[str]:
    """Return a command with its program from where this Python is."""
    return [str(Path(sys.executable).with_name(command[0])), *command[1:]]


def last_line(said: str) -> str:
    """Return the line of an error, or of a traceback, that says what it is."""
    return (said.strip().splitlines() or ["pip-audit failed, and does not say why"])[-1]


def pom_is_sound(pom: Path, database: str, excused: Mapping[str, str]) -> bool:
    """Tell whether the database knows nothing against the versions that a `pom.xml` names itself."""
    print(f"vulnerabilities: {pom}", flush=True)
    named = sorted(set(artifacts(pom)))
    queries = [{"package": {"ecosystem": "Maven", "name": name}, "version": version} for name, version in named]
    try:
        answer = httpx.post(urljoin(database, "v1/querybatch"), json={"queries": queries}, timeout=TIMEOUT)
        answers = answer.raise_for_status().json()["results"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        print(f"{pom}: {database} can't be asked: {error!r}", file=sys.stderr)
        return False
    found = [
        f"{pom}: {name} {version}: {vulnerability['id']}"
        for (name, version), known in zip(named, answers, strict=True)
        for vulnerability in known.get("vulns", ())
        if vulnerability["id"] not in excused
    ]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return not found


def artifacts(pom: Path) -> Iterator[tuple[str, str]]:
    """Yield the artifacts that a `pom.xml` names, as `group:name` and version, properties filled in."""
    project = ET.parse(pom).getroot()  # noqa: S314 - the repository's own
    properties = {item.tag.removeprefix(POM): item.text or "" for item in project.iterfind(f"{POM}properties/*")}
    for dependency in project.iter(f"{POM}dependency"):
        group, name, version = (dependency.findtext(f"{POM}{key}", "") for key in ("groupId", "artifactId", "version"))
        yield f"{group}:{name}", re.sub(r"\$\{([^}]+)\}", lambda found: properties[found[1]], version)


if __name__ == "__main__":
    sys.exit(main())
