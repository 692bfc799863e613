"""Draws findings of suites that no rule was mended by, to be judged before any rule is changed.

    python docs/audits/draw.py NUMBER FOLDER

The packages of `packages.csv` are shuffled once, by a seed that never changes, then those of `packages-2.csv` and so
on, and each draw has twenty of them: the first for draw 1, the next for draw 2. Of its twenty, the first count whose
source distribution holds tests: eight, and from draw 4 on as many more as it takes for 80 findings. All is run as it
is, without settings: from draw 12 on, that is errors and warnings, of which there are fewer, so that from draw 13 on a
draw may take forty packages, and begins behind the last one of the draw before; from draw 20 on it has a hundred, and
reads them all. 80 of the findings are drawn, at most 14 of them of one rule or one package, and are written to
`draw-NUMBER.csv` beside this script, without a verdict.
From draw 17 on one is drawn of those that the audit tells once, of one file, rule and message, and at most 20 are of
one rule and 8 of one package, since six rules are left, and no package should decide a draw.
Archives that are not in FOLDER are downloaded.
"""

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LISTS = ("packages.csv", *(f"packages-{number}.csv" for number in range(2, 10)))
SEED = 20261128
IN_A_DRAW = 20
BEGINS = {13: 240, 14: 271, 15: 300, 16: 340, 17: 360, 18: 400, 19: 440, 20: 480, 21: 580, 22: 680, 23: 780}
"""Where later draws begin; they have up to twice as many packages, and the next one begins where they end."""
A_HUNDRED = 20
"""The first draw of a hundred packages, all of which are read, however few of their findings are drawn."""
WITH_TESTS = 8
TIME_LIMIT = 300
"""Seconds, for the download of one package, and for the audit of one suite."""
EIGHT_ONLY = 3
"""The last draw of eight packages, however few findings they had."""
EVERY_LEVEL = 11
"""The last draw with notes among its findings."""
FINDINGS = 80
AT_MOST = 14
"""Findings of one rule or one package, before draws had one of those that are alike."""
ONE_OF_ALIKE = 17
"""The first draw with one of those findings that are of one file, one rule and one message."""
OF_A_RULE = 20
OF_A_PACKAGE = 8
Suite = tuple[str, Path, list[Path]]
COLUMNS = ("package", "version", "place", "rule", "message", "verdict", "note")


def main() -> None:
    """Draw, and write the list to judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int, help="which draw, from 1")
    parser.add_argument("folder", type=Path, help="where the archives are, or are to be")
    parser.add_argument("--download", action="store_true", help="only download")
    arguments = parser.parse_args()
    suites = find_suites(packages(arguments.number), arguments.folder.resolve())
    if arguments.download:
        print(", ".join(name for name, *_ in suites))
    else:
        write(arguments.number, suites)


def write(number: int, suites: Iterator[Suite]) -> None:
    """Audit the suites, and write down some of what is found."""
    names: list[str] = []
    found: list[dict[str, str]] = []
    chosen: list[dict[str, str]] = []
    for suite in suites:
        enough = len(names) >= WITH_TESTS and (number <= EIGHT_ONLY or len(chosen) == FINDINGS)
        if enough and number < A_HUNDRED:
            break
        names.append(suite[0])
        found += audit(*suite, level="note" if number <= EVERY_LEVEL else "warning")
        chosen = choose(found, number)
    with (HERE / f"draw-{number}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(chosen)
    rules = Counter(finding["rule"] for finding in found)
    print(f"{len(chosen)} of {len(found)} findings in {', '.join(names)}")
    print(", ".join(f"{rule}: {rules[rule]}" for rule in sorted(rules)))


def packages(number: int) -> list[str]:
    """Return the names of the packages of a draw."""
    names = [name for each in LISTS for name in shuffled(HERE / each)]
    if number in BEGINS:
        return names[BEGINS[number] :][: 100 if number >= A_HUNDRED else 2 * IN_A_DRAW]
    return names[IN_A_DRAW * (number - 1) : IN_A_DRAW * number]


def shuffled(file: Path) -> list[str]:
    """Return the names of a list in the order in which they are drawn."""
    with file.open(encoding="utf-8", newline="") as rows:
        names = [row["package"] for row in csv.DictReader(rows)]
    random.Random(SEED).shuffle(names)  # noqa: S311 - a seed that anybody can repeat
    return names


def find_suites(names: list[str], folder: Path) -> Iterator[Suite]:
    """Yield the packages that hold tests: the name and version of each, its folder and the folders of tests."""
    for name in names:
        root = unpack(name, folder)
        tests = [] if root is None else find_tests(root)
        if root is not None and tests:
            yield root.name, root, tests


def unpack(name: str, folder: Path) -> Path | None:
    """Return the folder of a package's sources, None where there is no source distribution of it."""
    place = folder / name
    if not place.is_dir():
        partial = folder / f".{name}"
        shutil.rmtree(partial, ignore_errors=True)
        wanted = ["--no-deps", "--no-binary", name, name]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(partial), *wanted]
        run(command)
        for archive in partial.glob("*.tar.gz"):
            with tarfile.open(archive) as sources:
                sources.extractall(partial, filter="data")
        partial.mkdir(exist_ok=True)
        partial.rename(place)
    return next((each for each in sorted(place.iterdir()) if each.is_dir()), None)


def find_tests(root: Path) -> list[Path]:
    """Return the folders of tests that are in no other folder of tests."""
    found: list[Path] = []
    for path in sorted(root.rglob("*")):
        outermost = path.is_dir() and not any(path.is_relative_to(each) for each in found)
        if outermost and path.name in {"test", "tests"} and any(path.rglob("test*.py")):
            found.append(path)
    return found


def audit(name: str, root: Path, tests: list[Path], level: str) -> list[dict[str, str]]:
    """Return the findings of a suite that are at least as severe as `level`."""
    package, _, version = name.rpartition("-")
    command = [sys.executable, "-m", "floe_testing", "audit", *map(str, tests), "--root", str(root)]
    options = ["--format", "json", "--level", level, "--fail-on", "never", "--no-cache"]
    done = run([*command, *options])
    if done is None or done.returncode != 0:
        print(f"{name}: {'not read in time' if done is None else done.stderr.strip()}", file=sys.stderr)
        return []
    return [
        {
            "package": package,
            "version": version,
            "place": f"{each['path']}:{each['line']}",
            "rule": each["rule"],
            "message": each["message"],
        }
        for each in json.loads(done.stdout)["findings"]
    ]


def run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a command, and return what it came to; None where it took too long."""
    try:
        return subprocess.run(  # noqa: S603 - names of this folder's lists
            command, check=False, capture_output=True, text=True, timeout=TIME_LIMIT
        )
    except subprocess.TimeoutExpired:
        return None


def choose(found: list[dict[str, str]], number: int) -> list[dict[str, str]]:
    """Return some of the findings, of every rule and package some, sorted."""
    pool = sorted(found, key=lambda each: (each["package"], each["place"], each["rule"]))
    random.Random(f"{SEED}-{number}").shuffle(pool)  # noqa: S311 - as above
    if number >= ONE_OF_ALIKE:
        pool = list({alike(each): each for each in pool}.values())
        of_a_rule, of_a_package = OF_A_RULE, OF_A_PACKAGE
    else:
        of_a_rule = of_a_package = AT_MOST
    rules: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    chosen = []
    for each in pool:
        room = rules[each["rule"]] < of_a_rule and packages[each["package"]] < of_a_package
        if room and len(chosen) < FINDINGS:
            rules[each["rule"]] += 1
            packages[each["package"]] += 1
            chosen.append(each)
    return sorted(chosen, key=lambda each: (each["rule"], each["package"], each["place"]))


def alike(finding: dict[str, str]) -> tuple[str, ...]:
    """Return what a finding has in common with those that the audit tells together with it."""
    file = finding["place"].rpartition(":")[0]
    return finding["package"], file, finding["rule"], finding["message"]


if __name__ == "__main__":
    main()
