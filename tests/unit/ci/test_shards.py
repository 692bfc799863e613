"""The tests of a tier are split alike on every machine, and what the parts leave is one run's results."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import junit, reporter, shards
from floe_ci.config import read_config
from floe_ci.ends import End
from floe_ci.errors import UserError
from floe_ci.folder import RunFolder
from floe_ci.junit import Case, Result, Suite
from floe_ci.live import LiveTests
from floe_ci.plan import Plan
from floe_ci.request import RunRequest
from floe_ci.results import finish
from floe_ci.selection import Selection
from floe_ci.steps import Timings
from floe_ci.verdict import Outcome, Verdict

from floe_testing.isolation.naming import run_tag
from floe_testing.measuring.models import ControlGroup, Performance, Phases, TestPerformance, read_performance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def plugin() -> Any:  # noqa: ANN401 - a module
    """Return the plugin, as pytest loads it: by its file."""
    spec = spec_from_file_location(reporter.SHARD, reporter.FOLDER / f"{reporter.SHARD}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def split(plugin: Any, durations: Mapping[str, float], count: int, names: list[str]) -> list[list[str]]:  # noqa: ANN401
    """Return the parts of tests of which each may go anywhere."""
    found: list[list[str]] = plugin.parts({name: [name] for name in names}, durations, count)
    return found


def test_plugin_reads_what_a_shard_is_told(plugin: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """What the file says by which a process knows its part is what the plugin makes of it."""
    (tmp_path / "known.json").write_text('{"t": 2.0}')
    shard = shards.Shard(1, 3)
    text = shard.part(together="class", durations=str(tmp_path / "known.json"), folder="left", handed="orders")
    part = plugin.Part(json.loads(text))
    assert (part.index, part.count, part.together, part.folder, part.handed) == (1, 3, "class", "left", "orders")
    assert part.durations == {"t": 2.0}
    alone = shard.part(together="test", durations=str(tmp_path / "known.json"), folder="left")
    assert plugin.Part(json.loads(alone)).handed == ""


def test_balanced(plugin: Any) -> None:  # noqa: ANN401
    """Parts take the same time by what is known, and every test is in one of them."""
    durations = {f"t{number}": float(number % 7 + 1) for number in range(100)}
    found = split(plugin, durations, 4, list(durations))
    assert sorted(name for part in found for name in part) == sorted(durations)
    assert shards.balance([sum(durations[name] for name in part) for part in found]) < 1.02


def test_deterministic(plugin: Any) -> None:  # noqa: ANN401
    """The order in which tests are collected does not decide which part they are in."""
    durations = {f"t{number}": float(number % 7) for number in range(100)}
    names = list(durations)
    shuffled = random.Random(4).sample(names, len(names))  # noqa: S311 - no secret
    assert [*map(set, split(plugin, durations, 4, names))] == [*map(set, split(plugin, durations, 4, shuffled))]


def test_new_tests_get_the_median(plugin: Any) -> None:  # noqa: ANN401
    """A test that nothing is known of counts as the median of the others, not as their mean."""
    durations = {"a": 1.0, "b": 1.0, "c": 10.0}
    found = split(plugin, durations, 2, ["a", "b", "c", "new"])
    assert ["c"] in found


def test_together(plugin: Any) -> None:  # noqa: ANN401
    """What stays together is in one part, whatever it takes."""
    found = plugin.parts({"m": ["m::a", "m::b"], "n": ["n::a"]}, {"m::a": 9.0, "m::b": 9.0, "n::a": 1.0}, 2)
    assert sorted(map(sorted, found)) == [["m::a", "m::b"], ["n::a"]]


def test_slices(plugin: Any) -> None:  # noqa: ANN401
    """Slices hold each test once, the longest first, and ever less, whatever order tests are collected in."""
    durations = {f"t{number}": 30.0 if number == 50 else 0.5 for number in range(400)}
    groups = {name: [name] for name in durations}
    found = plugin.slices(groups, durations, 4)
    assert sorted(name for tests in found for name in tests) == sorted(durations)
    assert found[0] == ["t50"]
    sizes = [sum(durations[name] for name in tests) for tests in found[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(found) < 60
    assert found == plugin.slices(dict(reversed(groups.items())), durations, 4)


def test_slices_keep_together(plugin: Any) -> None:  # noqa: ANN401
    """What stays together is in one slice."""
    groups = {f"m{number}": [f"m{number}::a", f"m{number}::b"] for number in range(20)}
    for tests in plugin.slices(groups, {}, 4):
        assert {f"{name[:-1]}a" for name in tests} == {f"{name[:-1]}a" for name in tests if name.endswith("b")}


@pytest.mark.parametrize(
    ("together", "test", "group"),
    [
        ("test", "t/a.py::T::test_b[x::y]", "t/a.py::T::test_b[x::y]"),
        ("class", "t/a.py::T::test_b[x::y]", "t/a.py::T"),
        ("class", "t/a.py::test_b", "t/a.py::test_b"),
        ("module", "t/a.py::T::test_b", "t/a.py"),
    ],
)
def test_groups(plugin: Any, together: str, test: str, group: str) -> None:  # noqa: ANN401
    """Tests stay together by the class or the module in their ids."""
    assert plugin.group_of(type("Item", (), {"nodeid": test}), together) == group


def account(  # noqa: PLR0913, PLR0917 - all that a shard leaves
    folder: RunFolder,
    live: LiveTests,
    tests: list[str],
    ended: list[str],
    code: int | None,
    of: str = "all",
    prefix: str = "",
) -> None:
    """Have a shard come to an end: its tests, those that ended, and its exit code; None: it was killed."""
    part = live.part()
    number = len(live.parts)
    raw = folder.path.parent / "raw" / "shards" / str(number)
    raw.mkdir(parents=True)
    (raw / reporter.PART).write_text(json.dumps({"tests": tests, "of": of}))
    part.feed(json.dumps({"event": "collected", "count": len(tests)}))
    for test in ended:
        classname, name = reporter.address(test)
        part.feed(
            json.dumps(
                {
                    "event": "ended",
                    "test": test,
                    "classname": prefix + classname,
                    "name": name,
                    "outcome": "passed",
                    "seconds": 1.0,
                }
            )
        )
    if code is not None:
        cases = [Case(*reporter.address(test), 1.0) for test in ended]
        (raw / "junit.xml").write_text("".join(junit.write([Suite("pytest", cases)])))
        part.feed(json.dumps({"event": "finished", "exit_code": code}))
    part.process_code = 137 if code is None else code


def finished(folder: RunFolder, live: LiveTests, code: int) -> Outcome:
    """Return what a run comes to."""
    folder.gather(folder.path.parent / "raw")
    return finish(folder, "unit", "r1", End(code), Timings(), live)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a run's folder."""
    return RunFolder.take(tmp_path / "results", run_id="r1", tier="unit", place="local")


def test_merged(folder: RunFolder) -> None:
    """Each shard is a suite of one document, and the summary names the slowest."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a", "t/a.py::b", "t/a.py::c"], ["t/a.py::a", "t/a.py::b", "t/a.py::c"], 0)
    account(folder, live, ["t/a.py::d"], ["t/a.py::d"], 0)
    outcome = finished(folder, live, 0)
    assert outcome.verdict is Verdict.PASSED
    document = junit.read(folder.path / "junit.xml")
    assert [(suite.name, len(suite.cases)) for suite in document.suites] == [("unit [1/2]", 3), ("unit [2/2]", 1)]
    assert "shard 1 with 3.00 s" in outcome.summary
    assert "slowest/mean 1.50" in outcome.summary


def test_shard_that_ran_nothing(folder: RunFolder) -> None:
    """A shard without tests is no failure."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a"], ["t/a.py::a"], 0)
    account(folder, live, [], [], 5)
    assert finished(folder, live, 0).verdict is Verdict.PASSED


def test_no_shard_ran_anything(folder: RunFolder) -> None:
    """Where no shard has a test, nothing ran."""
    live = LiveTests()
    account(folder, live, [], [], 5)
    account(folder, live, [], [], 5)
    assert finished(folder, live, 5).verdict is Verdict.NOTHING_RAN


def test_shard_that_died(folder: RunFolder) -> None:
    """The finished tests of a shard that died count, and the rest of its tests are told as not run."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a"], ["t/a.py::a"], 0)
    account(folder, live, ["t/a.py::b", "t/a.py::c[x]"], ["t/a.py::b"], None)
    outcome = finished(folder, live, 137)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.ERRORED, 3)
    assert "shard 2 of 2, 1 of its tests did not run" in (outcome.problem or "")
    cases = {case.title: case for case in junit.read(folder.path / "junit.xml").cases}
    assert cases["t.a::b"].outcome == "passed"
    assert cases["t.a::c[x]"].outcome == "skipped"
    assert "not run" in cases["t.a::c[x]"].reason


def test_prefix_of_names(folder: RunFolder) -> None:
    """A finished test of a shard that died is not told as one that did not run, whatever the report calls it."""
    live = LiveTests()
    account(folder, live, ["t/a.py::b", "t/a.py::c"], ["t/a.py::b"], None, prefix="nightly.")
    account(folder, live, ["t/a.py::d"], ["t/a.py::d"], 0)
    outcome = finished(folder, live, 137)
    assert "shard 1 of 2, 1 of its tests did not run" in (outcome.problem or "")


def test_shard_whose_machine_was_lost(plugin: Any, folder: RunFolder) -> None:  # noqa: ANN401 - a module
    """Of a shard that left nothing, what it told while it ran is known: what ended, and what it still had to run."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a"], ["t/a.py::a"], 0)
    tests = [f"t/a.py::b[{number}-{'x' * 300}]" for number in range(60)]
    account(folder, live, tests, tests[:20], None)
    raw = folder.path.parent / "raw" / "shards" / "2" / reporter.PART
    raw.unlink()
    lines = plugin.part_events(tests, "all")
    assert len(lines) > 1
    assert max(map(len, lines)) <= plugin.LONGEST_LINE
    for line in lines:
        live.parts[1].feed(line)
    live.parts[1].process_code, live.parts[1].lost = None, "its pod was deleted"
    outcome = finished(folder, live, 137)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.ERRORED, 3)
    assert "shard 2 of 2, 40 of its tests did not run: its pod was deleted" in (outcome.problem or "")
    counts = [case.outcome for case in junit.read(folder.path / "junit.xml").cases if case.classname == "t.a"]
    assert (counts.count("passed"), counts.count("skipped")) == (21, 40)


def test_performance(folder: RunFolder) -> None:
    """What the shards measured is one file, in which each test says in which shard it ran."""
    live = LiveTests()
    for number, seconds in ((1, 5.0), (2, 7.0)):
        account(folder, live, [f"t/a.py::t{number}"], [f"t/a.py::t{number}"], 0)
        measured = Performance(
            run_id=f"r1-{number}",
            started_at=datetime(2026, 1, number, tzinfo=UTC),
            seconds=seconds,
            tests=(TestPerformance(id=f"t/a.py::t{number}", outcome="passed", seconds=Phases(call=seconds)),),
            control_group=ControlGroup(version=2, cpu_seconds=1.5, peak_memory_bytes=number),
        )
        raw = folder.path.parent / "raw" / "shards" / str(number)
        (raw / "performance.json").write_text(measured.to_json())
    finished(folder, live, 0)
    found = read_performance(folder.path / "performance.json")
    assert (found.run_id, found.seconds, found.started_at.day) == ("r1", 7.0, 1)
    assert [(test.id, test.worker) for test in found.tests] == [("t/a.py::t1", "1"), ("t/a.py::t2", "2")]
    assert found.control_group
    assert (found.control_group.cpu_seconds, found.control_group.peak_memory_bytes) == (3.0, 2)


@pytest.mark.parametrize(
    "broken",
    ["{", "[" * 100_000, '{"seconds": 1}', '{"started_at": "2026-01-01", "seconds": NaN}'],
    ids=["cut", "deep", "without a start", "no number"],
)
def test_performance_of_a_shard_is_broken(folder: RunFolder, broken: str) -> None:
    """A shard whose measurements can't be read is left out of the whole, which has those of the others."""
    live = LiveTests()
    good = Performance(run_id="r1-2", started_at=datetime(2026, 1, 1, tzinfo=UTC), seconds=2.0, tests=())
    for number, text in ((1, broken), (2, good.to_json())):
        account(folder, live, [f"t/a.py::t{number}"], [f"t/a.py::t{number}"], 0)
        (folder.path.parent / "raw" / "shards" / str(number) / "performance.json").write_text(text)
    assert finished(folder, live, 0).verdict is Verdict.PASSED
    assert read_performance(folder.path / "performance.json").seconds == 2.0


def test_tests_that_nobody_was_left_for(folder: RunFolder) -> None:
    """A run is not green in which tests were handed out to no shard; how many is told."""
    live = LiveTests()
    for test in ("t/a.py::a", "t/a.py::b"):
        account(folder, live, [test], [test], 0)
        live.parts[-1].feed(json.dumps({"event": "part", "tests": [test], "of": "all"}))
    live.is_handed_out, live.total = True, 5
    outcome = finished(folder, live, 0)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.ERRORED, 3)
    assert "3 tests did not run, for no shard was left to hand them to" in (outcome.problem or "")


def test_shards_of_different_tests(folder: RunFolder) -> None:
    """Shards that split different tests have passed nothing: some test may be in none of them."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a[1]"], ["t/a.py::a[1]"], 0, of="one set")
    account(folder, live, ["t/a.py::a[2]"], ["t/a.py::a[2]"], 0, of="another")
    outcome = finished(folder, live, 0)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.REFUSED, 2)
    assert "did not collect the same tests" in (outcome.problem or "")


def test_module_that_breaks_is_told_once(folder: RunFolder) -> None:
    """A module that no shard can import is one error of the run, not one of each shard, and each is refused for it."""
    live = LiveTests()
    broken = Case("", "t.a", 0.0, (Result("errored", "collection failure", "no"),))
    for number in (1, 2):
        part = live.part()
        raw = folder.path.parent / "raw" / "shards" / str(number)
        raw.mkdir(parents=True)
        (raw / "junit.xml").write_text("".join(junit.write([Suite("pytest", [broken])])))
        part.feed(json.dumps({"event": "finished", "exit_code": 2}))
        part.process_code = 2
    outcome = finished(folder, live, 2)
    assert outcome.verdict is Verdict.REFUSED
    assert "interrupted from within" not in (outcome.problem or "")
    cases = [case for case in junit.read(folder.path / "junit.xml").cases if case.of_collection]
    assert len(cases) == 1


def test_too_little_coverage(folder: RunFolder) -> None:
    """A limit on coverage is one on what all shards covered together."""
    live = LiveTests()
    account(folder, live, ["t/a.py::a"], ["t/a.py::a"], 0)
    account(folder, live, ["t/a.py::b"], ["t/a.py::b"], 0)
    live.too_little = "coverage of all shards is 10 %"
    outcome = finished(folder, live, 0)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.FAILED, 1)
    assert "coverage of all shards" in (outcome.problem or "")


def test_tags_are_those_of_the_tests() -> None:
    """What the tests of a shard make is found by the label that floe-testing gives it."""
    assert shards.run_tags("abc", 2) == ("abc", run_tag("abc-1"), run_tag("abc-2"))
    assert shards.run_tags("abc", 1) == ("abc",)


@pytest.mark.parametrize(("text", "count"), [("auto", "auto"), ("1", 1), ("200", 200)])
def test_counts(text: str, count: object) -> None:
    """A count is a number, or left to the machine."""
    assert shards.parse(text) == count


@pytest.mark.parametrize("text", ["0", "-1", "x", "1001", "1e3", ""])
def test_refused_counts(text: str) -> None:
    """What is no count is refused, with what is one."""
    with pytest.raises(ValueError, match="must be a number from 1 to 1000, or 'auto'"):
        shards.parse(text)


@pytest.mark.parametrize("given", ["0", "true", '"four"', "1.5"])
def test_refused_tables(given: str) -> None:
    """What is no count in the repository's table is refused, and where it stands is said."""
    with pytest.raises(UserError, match="shards: must be a whole number from 1 to 1000, or 'auto'"):
        read_config(f"[tool.floe-ci.tiers.unit]\nshards = {given}\n")


def planned(text: str, **request: Any) -> Plan:  # noqa: ANN401 - a request's fields
    """Return the plan of a unit tier."""
    return Plan.of(RunRequest(tier="unit", **request), read_config(text))


def test_caller_decides() -> None:
    """The caller's count takes the place of the table's, and who names a test has one process."""
    table = "[tool.floe-ci.tiers.unit]\nshards = 4\n"
    assert planned("").shards == 1
    assert planned(table).shards == 4
    assert planned(table, shards=2).shards == 2
    assert planned(table, selection=Selection(tests=("tests/unit/test_a.py",))).shards == 1


def test_caller_decides_on_the_schedule() -> None:
    """The caller's schedule takes the place of the table's, whose default splits tests from the start."""
    table = '[tool.floe-ci.tiers.unit]\nschedule = "dynamic"\n'
    assert planned("").schedule == "static"
    assert planned(table).schedule == "dynamic"
    assert planned(table, schedule="static").spec().schedule == "static"


def test_schedule_of_one_shard() -> None:
    """Who asks for tests to be handed out, and for no shards, is told what to ask for."""
    with pytest.raises(UserError, match="--schedule dynamic: there is one shard, which has all tests: ask for more"):
        _ = planned("", schedule="dynamic").shards


@pytest.mark.parametrize("text", ["", "Dynamic", "stealing"])
def test_what_is_no_schedule(text: str) -> None:
    """What is no schedule is refused with those that there are."""
    assert shards.parse_schedule("dynamic") == "dynamic"
    with pytest.raises(ValueError, match="must be 'static' or 'dynamic'"):
        shards.parse_schedule(text)


def test_debugger_is_for_one_process() -> None:
    """Parts and a debugger are refused together."""
    with pytest.raises(UserError, match="--shards 2: --pdb is for one process"):
        _ = planned("", shards=2, selection=Selection(options=("--pdb",))).shards


def test_places_that_cannot_hand_out() -> None:
    """A place that hands no tests out refuses a caller who asks for it, and tells that what a table says is left."""
    with pytest.raises(UserError, match="--schedule dynamic: a container in Dagger has its tests from the start"):
        planned("", shards=3, schedule="dynamic").static_note()
    table = '[tool.floe-ci.tiers.unit]\nshards = {}\nschedule = "dynamic"\n'
    assert planned(table.format(4)).static_note() == (
        "shards have their tests from the start: schedule = 'dynamic' in [tool.floe-ci.tiers.unit] is for other places"
    )
    assert planned(table.format(1)).static_note() == planned("", shards=3).static_note() == ""


def test_durations_last(tmp_path: Path) -> None:
    """What is known of tests outlives the run that follows in the same folder."""
    target = tmp_path / "results"
    first = RunFolder.take(target, run_id="r1", tier="unit", place="local")
    first.write(shards.DURATIONS, shards.durations_text({"gone": 1.0}, {"a": 2.0}, whole=False))
    first.end()
    first.release()
    RunFolder.take(target, run_id="r2", tier="unit", place="local")
    assert shards.known_durations(target / shards.DURATIONS) == {"a": 2.0, "gone": 1.0}


def test_durations_that_are_no_file(tmp_path: Path) -> None:
    """A pipe that a table names is refused, and nobody waits for what is written into it."""
    os.mkfifo(tmp_path / "d.json")
    with pytest.raises(UserError, match=r"d\.json: is no file: name a copy of a run's durations\.json$"):
        shards.known_durations(tmp_path / "d.json")


@pytest.mark.parametrize("text", ["[]", '{"a": "x"}', '{"a": NaN}', "{"])
def test_durations_of_another_kind(tmp_path: Path, text: str) -> None:
    """A file that holds no durations is refused, by its name."""
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(UserError, match=r"d\.json"):
        shards.known_durations(tmp_path / "d.json")
