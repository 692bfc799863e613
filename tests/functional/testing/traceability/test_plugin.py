"""What the plugin adds to a run of pytest."""

from __future__ import annotations

import pytest

from floe_testing.traceability.results import read_results

pytestmark = pytest.mark.requirement("T039", "T040")

TESTS = """
import pytest

@pytest.mark.requirement("REQ-001", "REQ-002")
@pytest.mark.requirement("REQ-002")
def test_good():
    pass

@pytest.mark.requirement("REQ-002")
@pytest.mark.parametrize("good", [True, False])
def test_mixed(good):
    assert good

@pytest.mark.requirement("REQ-003")
@pytest.mark.skip(reason="later")
def test_later():
    pass

@pytest.fixture
def broken():
    yield
    raise RuntimeError

@pytest.mark.requirement("REQ-004")
def test_teardown(broken):
    pass

def test_other():
    pass
"""
TABLE = """
[tool.floe-testing.traceability]
specs = ["*.md"]
patterns = ['REQ-\\d{3}']
"""


@pytest.fixture
def repository(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a repository of five requirements, four of which tests name; it has no plugins but this and xdist."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p floe_testing.plugin -p xdist")
    pytester.makepyprojecttoml(TABLE)
    pytester.path.joinpath("login.md").write_text(
        "\n".join(f"- **REQ-00{number}**: Title {number}" for number in range(1, 6))
    )
    pytester.makepyfile(TESTS)
    return pytester


@pytest.mark.parametrize("more", [[], ["-n", "2"]])
def test_coverage_is_shown_after_the_run(repository: pytest.Pytester, more: list[str]) -> None:
    """The option shows the requirements that the run's tests name, with and without xdist."""
    result = repository.runpytest_inprocess("--requirement-coverage", *more)
    result.stdout.fnmatch_lines(
        [
            "*= requirement coverage =*",
            "login: 20 % verified by this run (1 of 5)",
            "  REQ-001  verified: 1 passed  Title 1",
            "  REQ-002  failed: 2 passed, 1 failed  Title 2",
            "  REQ-003  skipped: 1 skipped  Title 3",
            "  REQ-004  failed: 1 failed  Title 4",
        ]
    )
    result.stdout.no_fnmatch_line("*REQ-005*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_nothing_is_shown_unasked(repository: pytest.Pytester) -> None:
    """Without the option, a run is as it was."""
    repository.runpytest_inprocess().stdout.no_fnmatch_line("*requirement coverage*")


def test_unknown_requirement_is_told(repository: pytest.Pytester) -> None:
    """A requirement that no document states is told after the others."""
    repository.makepyfile(test_more='import pytest\n@pytest.mark.requirement("REQ-009")\ndef test_a():\n    pass\n')
    result = repository.runpytest_inprocess("--requirement-coverage")
    result.stdout.fnmatch_lines(["no requirement is called 'REQ-009'"])


def test_bad_document_does_not_hide_the_run(repository: pytest.Pytester) -> None:
    """Where the documents can't be read, the message stands in place of the coverage, and the run ends as it did."""
    repository.path.joinpath("login.md").write_text("nothing")
    result = repository.runpytest_inprocess("--requirement-coverage", "-k", "good or other")
    result.stdout.fnmatch_lines(["login.md: states no requirement*"])
    result.assert_outcomes(passed=2, deselected=4)
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.requirement("T006")
def test_marker_is_registered(repository: pytest.Pytester) -> None:
    """Strict markers let the marker pass, and `--markers` explains it."""
    assert repository.runpytest_inprocess("--strict-markers", "-k", "good").ret == pytest.ExitCode.OK
    repository.runpytest_inprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.requirement(*): *"])


def test_junit_names_the_requirements_of_each_test(repository: pytest.Pytester) -> None:
    """Each test's case in JUnit has the requirements it named, those of its class and its parameters too."""
    repository.makepyfile(
        test_more="""
        import pytest

        @pytest.mark.requirement("REQ-001")
        class TestIt:
            @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.requirement("REQ-005"))])
            def test_a(self, n):
                pass
        """
    )
    repository.runpytest_inprocess("--junitxml=results/junit.xml", "-k", "good or other or TestIt")
    assert (repository.path / "results/junit.xml").read_text().count('value="REQ-002"') == 1
    results = read_results([repository.path / "results"])
    cases = [case for ran in results.ran.values() for case in ran]
    assert {f"{case.name.rpartition('::')[2]}{case.brackets}": case.requirements for case in cases} == {
        "test_good": ("REQ-002", "REQ-001"),
        "test_other": (),
        "test_a[1]": ("REQ-001",),
        "test_a[2]": ("REQ-005", "REQ-001"),
    }
