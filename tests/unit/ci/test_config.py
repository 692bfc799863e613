"""The table `[tool.floe-ci]`: its defaults, and what it says of mistakes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import Config, TierConfig, expand_environment, read_config, read_repository
from floe_ci.errors import UserError
from floe_ci.markers import marker_problem
from floe_ci.tiers import parse_tier
from floe_ci.toml_files import refuse_both

if TYPE_CHECKING:
    from pathlib import Path


def problems(pyproject: str) -> str:
    """Return what `read_config` says of a table it refuses."""
    with pytest.raises(UserError) as caught:
        read_config(pyproject)
    return str(caught.value)


def test_defaults_without_a_table() -> None:
    """A repository without the table gets every default."""
    config = read_config('[project]\nname = "x"\n')

    assert config == Config()
    assert config.coverage == ()
    assert list(config.tiers) == ["unit", "integration", "e2e"]
    assert config.timeouts.model_dump() == {
        "job": 3600,
        "test": 300,
        "services": 600,
        "probe": 30,
        "migration": 300,
    }


@pytest.mark.parametrize(("tier", "nodes"), [("unit", 1), ("integration", 1), ("e2e", 3)])
def test_defaults_of_a_tier(tier: str, nodes: int) -> None:
    """Each tier has its own folder of tests, and e2e alone has three nodes."""
    config = read_config("").tier(tier)

    assert config.paths == (f"tests/{tier}",)
    assert config.nodes == nodes


def test_given_keys_leave_the_other_defaults() -> None:
    """A tier that states one key keeps the defaults of the others, and of the other tiers."""
    config = read_config('[tool.floe-ci.tiers.e2e]\npytest-args = ["-x"]\nservices = ["postgres"]\n')

    assert config.tier("e2e") == TierConfig(paths=("tests/e2e",), pytest_args=("-x",), services=("postgres",), nodes=3)
    assert config.tier("unit").paths == ("tests/unit",)


def test_files_of_tests() -> None:
    """The tests' files are the folders of all tiers, and each `conftest.py` above one."""
    config = read_config("[tool.floe-ci.tiers]\nunit.paths = ['.']\ne2e.paths = ['checks/all/e2e']\n")

    assert config.test_files() == [
        ".",
        "checks/all/conftest.py",
        "checks/all/e2e",
        "checks/conftest.py",
        "conftest.py",
        "tests/conftest.py",
        "tests/integration",
    ]


@pytest.mark.parametrize(("asked", "job"), [(9, 9), (0, 60)], ids=["another", "none"])
def test_limit_of_a_run(asked: int, job: int) -> None:
    """A run may have another limit for its tests; one that asks for none has the repository's, and all others stay."""
    config = read_config("[tool.floe-ci.timeouts]\njob = 60\ntest = 30\n").with_job_timeout(asked)

    assert (config.timeouts.job, config.timeouts.test) == (job, 30)


def test_whole_table() -> None:
    """Every key of the table is read."""
    config = read_config("""
        [tool.floe-ci]
        coverage = ["src/shop"]
        [tool.floe-ci.runner]
        install = [".[test]"]
        packages = ["libpq5", "git=1:2.39.5-0+deb12u2"]
        build-packages = ["gcc"]
        files = ["data"]
        [tool.floe-ci.timeouts]
        job = 60
        [tool.floe-ci.tiers.integration]
        paths = ["checks"]
        marker = "db and not slow"
        manifests = ["k8s/extra"]
        environment = { DSN = "host=${FLOE_POSTGRES_HOST}" }
        nodes = 3
    """)

    assert config.coverage == ("src/shop",)
    assert config.runner.install == (".[test]",)
    assert config.runner.packages == ("libpq5", "git=1:2.39.5-0+deb12u2")
    assert config.runner.build_packages == ("gcc",)
    assert config.runner.files == ("data",)
    assert config.timeouts.job == 60
    tier = config.tier("integration")
    assert (tier.paths, tier.marker, tier.manifests, tier.nodes) == (
        ("checks",),
        "db and not slow",
        ("k8s/extra",),
        3,
    )
    assert tier.environment == {"DSN": "host=${FLOE_POSTGRES_HOST}"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            '[tool.floe-ci.tiers.integration]\nservces = ["minio"]',
            "tool.floe-ci.tiers.integration.servces: unknown key; did you mean 'services'?",
        ),
        (
            '[tool.floe-ci.tiers.unit]\npytest_args = ["-x"]',
            "tool.floe-ci.tiers.unit.pytest_args: unknown key; did you mean 'pytest-args'?",
        ),
        (
            "[tool.floe-ci]\nzzz = 1",
            "tool.floe-ci.zzz: unknown key; known: coverage, runner, service-folders, tiers, timeouts",
        ),
        (
            '[tool.floe-ci.runner]\n"a b" = 1',
            'tool.floe-ci.runner."a b": unknown key; known: build-packages, extras, files, groups, install, packages',
        ),
        ("[tool.floe-ci.timeouts]\njobs = 1", "tool.floe-ci.timeouts.jobs: unknown key; did you mean 'job'?"),
        (
            "[tool.floe-ci.tiers.intgration]",
            "tool.floe-ci.tiers.intgration: unknown tier; did you mean 'integration'?",
        ),
        ("[tool.floe_ci]\nx = 1", "tool.floe_ci: unknown table; did you mean 'tool.floe-ci'?"),
        (
            '[tool.floe-ci.tiers.unit]\nservices = ["minio", "postgras"]',
            "tool.floe-ci.tiers.unit.services[1]: unknown service \"postgras\"; did you mean 'postgres'?",
        ),
    ],
)
def test_unknown_names(table: str, message: str) -> None:
    """An unknown name is told with its place and the nearest known one."""
    assert problems(table) == f"pyproject.toml: {message}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            '[tool.floe-ci]\ncoverage = "src"',
            'coverage: must be a list of strings, not "src"; write ["src"]',
        ),
        (
            "[tool.floe-ci.tiers.unit]\nmarker = 3",
            "tiers.unit.marker: must be a string in quotes, not 3",
        ),
        (
            "[tool.floe-ci.tiers.unit]\nenvironment = { PORT = 5432 }",
            "tiers.unit.environment.PORT: must be a string in quotes, not 5432",
        ),
        ("[tool.floe-ci.tiers.unit]\npaths = []", "tiers.unit.paths: must not be empty"),
        ('[tool.floe-ci.tiers.unit]\npaths = [""]', "tiers.unit.paths[0]: must not be empty"),
        ("[tool.floe-ci.tiers.unit]\nnodes = 2", "tiers.unit.nodes: must be 1 or 3, not 2"),
        ("[tool.floe-ci.tiers.unit]\nnodes = true", "tiers.unit.nodes: must be a whole number, not true"),
        ("[tool.floe-ci.tiers]\nunit = 3", "tiers.unit: must be a table, not 3"),
        ("[tool.floe-ci]\ntiers = []", "tiers: must be a table, not []"),
        ("[tool.floe-ci.timeouts]\njob = 0", "timeouts.job: must be at least 1, not 0"),
        ('[tool.floe-ci.timeouts]\njob = "1h"', 'timeouts.job: must be a whole number, not "1h"'),
        ("[tool.floe-ci.timeouts]\njob = true", "timeouts.job: must be a whole number, not true"),
        (
            '[tool.floe-ci.tiers.unit]\nmanifests = ["/etc"]',
            'tiers.unit.manifests[0]: must be relative to the repository, not absolute: "/etc"',
        ),
        (
            '[tool.floe-ci.runner]\nfiles = ["data/../../x"]',
            "runner.files[0]: must stay inside the repository, without '..': \"data/../../x\"",
        ),
        (
            '[tool.floe-ci.tiers.unit]\npaths = ["--collect-only"]',
            "tiers.unit.paths[0]: must not start with '-', which pytest takes for something else: \"--collect-only\"",
        ),
        (
            '[tool.floe-ci.tiers.unit]\nenvironment = { "1X" = "" }',
            (
                "tiers.unit.environment.1X: not a name for an environment variable: "
                "use letters, digits and '_', no digit first"
            ),
        ),
        (
            '[tool.floe-ci.runner]\npackages = ["Lib PQ"]',
            'runner.packages[0]: not the name of a Debian package: "Lib PQ"',
        ),
        (
            '[tool.floe-ci.tiers.unit]\npaths = ["@/etc/passwd"]',
            "tiers.unit.paths[0]: must not start with '@', which pytest takes for something else: \"@/etc/passwd\"",
        ),
        (
            '[tool.floe-ci.tiers.unit]\npaths = ["a\\nb"]',
            'tiers.unit.paths[0]: must not hold control characters: "a\\nb"',
        ),
        (
            '[tool.floe-ci.tiers.unit]\nmarker = "a) or (not a"',
            (
                'tiers.unit.marker: not a marker expression: "a) or (not a": '
                "write names, 'and', 'or', 'not' and pairs of parentheses"
            ),
        ),
        (
            '[tool.floe-ci.tiers.unit]\nenvironment = { A = "x\\u0000y" }',
            ('tiers.unit.environment.A: must not hold a NUL character, which ends a text for the system: "x\\u0000y"'),
        ),
        (
            '[tool.floe-ci.tiers.unit]\npytest-args = ["a\\u0000"]',
            'tiers.unit.pytest-args[0]: must not hold a NUL character, which ends a text for the system: "a\\u0000"',
        ),
        (
            '[tool.floe-ci.runner]\ninstall = ["a\\u0000b"]',
            'runner.install[0]: must not hold a NUL character, which ends a text for the system: "a\\u0000b"',
        ),
        (
            '[tool.floe-ci.tiers.unit]\nenvironment = { FLOE_RUN_ID = "mine" }',
            "tiers.unit.environment.FLOE_RUN_ID: is the run's own variable, which can't be set here",
        ),
        (
            '[tool.floe-ci.tiers.unit]\nservices = ["minio"]\nenvironment = { URL = "${FLOE_POSTGRES_HOST}" }',
            (
                "tiers.unit.environment: URL: 'FLOE_POSTGRES_HOST' is no variable of this run; "
                "add 'postgres' to the tier's services"
            ),
        ),
        (
            '[tool.floe-ci.tiers.unit]\nenvironment = { URL = "${FLOE_RUN_IT}" }',
            "tiers.unit.environment: URL: 'FLOE_RUN_IT' is no variable of this run; did you mean 'FLOE_RUN_ID'?",
        ),
        (
            '[tool.floe-ci.tiers.unit]\npytest-args = ["--uri=${FLOE_RUN_IT}"]',
            "tiers.unit.pytest-args: 'FLOE_RUN_IT' is no variable of this run; did you mean 'FLOE_RUN_ID'?",
        ),
        (
            '[tool.floe-ci.tiers.unit]\nservices = ["minio"]\npytest-args = ["--uri=${FLOE_POSTGRES_HOST}", "-k a$"]',
            (
                "tiers.unit.pytest-args: 'FLOE_POSTGRES_HOST' is no variable of this run; "
                "add 'postgres' to the tier's services; a '$' without a name in \"-k a$\"; write '$$' for a plain one"
            ),
        ),
        (
            '[tool.floe-ci.tiers.unit]\npass-environment = ["MY_*_X"]',
            (
                "tiers.unit.pass-environment[0]: not the name of a variable, nor the beginning of some with a '*' "
                'at its end: "MY_*_X"'
            ),
        ),
        ("[tool.floe-ci.timeouts]\ntest = 9999999999", "timeouts.test: must be at most 604800, not 9999999999"),
        ("[tool.floe-ci.timeouts]\ntest = -5", "timeouts.test: must be at least 1, not -5"),
        ("[tool.floe-ci.tiers.unit]\nretries = 101", "tiers.unit.retries: must be at most 100, not 101"),
        (
            '[tool.floe-ci.runner]\ninstall = ["."]\nextras = ["test"]',
            "runner: 'install' takes the place of the lock file: remove it, or 'groups' and 'extras'",
        ),
    ],
)
def test_wrong_values(table: str, message: str) -> None:
    """A wrong value is told in plain words, with its place and what stands there."""
    assert problems(table) == f"pyproject.toml: tool.floe-ci.{message}"


@pytest.mark.parametrize(
    ("services", "told"),
    [
        (["dagster"], "'dagster' needs 'postgres' too; add it to the tier's services"),
        (["iceberg-rest", "postgres"], "'iceberg-rest' needs 'minio' too; add it to the tier's services"),
    ],
)
def test_service_without_what_it_needs(services: list[str], told: str) -> None:
    """A service without the one that it keeps its data in is refused before anything starts, with what to add."""
    where = "pyproject.toml: tool.floe-ci.tiers.unit: services"
    assert problems(f"[tool.floe-ci.tiers.unit]\nservices = {services}") == f"{where}: {told}"
    config = read_config(f'[tool.floe-ci.tiers.unit]\nservices = {services}\nmanifests = ["own"]')
    assert config.tier("unit").services == tuple(services), "the repository's own manifests may bring it"


def test_variable_of_another_repositorys_manifests_is_left_to_the_run() -> None:
    """What manifests of the repository's own bring is not known before they are rendered."""
    config = read_config('[tool.floe-ci.tiers.unit]\nmanifests = ["k8s"]\nenvironment = { A = "${FLOE_MINE_HOST}" }\n')
    assert config.tier("unit").environment == {"A": "${FLOE_MINE_HOST}"}


@pytest.mark.parametrize(
    "expression",
    ["slow", "not slow", "(a or b) and not (c)", "a.b or x-y or t[1]", "device(serial=5, kind='big')", "and_more"],
)
def test_marker_expressions_of_pytest_are_taken(expression: str) -> None:
    """What pytest takes for one expression is one."""
    assert marker_problem(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "a) or (b", "a b", "a or", "not", "()", "(a", "a, b", "a == b", "a & b", "x(1)", "x(y)", "5 or (a)(b)",
        "a\nor b", "not(a) if b else c", "(" * 5000 + "a" + ")" * 5000, "a(b=", "'a'", "x(k=1)(j=2)",
    ],
)  # fmt: skip
def test_what_is_no_marker_expression_is_refused(expression: str) -> None:
    """An expression that pytest would refuse, or that would get out of the parentheses put around it, is told."""
    problem = marker_problem(expression)
    assert problem is not None
    assert problem.startswith("not a marker expression: ")
    assert len(problem) < 200


def test_requirement_that_is_none_is_told() -> None:
    """A text that is no requirement is told before anything is installed; uv's options, paths and addresses pass."""
    message = problems('[tool.floe-ci.runner]\ninstall = ["this is not a requirement!!"]')
    assert message.startswith(
        'pyproject.toml: tool.floe-ci.runner.install[0]: not a requirement: "this is not a requirement!!": '
    )
    assert "install[0]: not a requirement: " in problems("""[tool.floe-ci.runner]\ninstall = ["-r 'a.txt"]""")
    fine = [".[test]", "-r requirements.txt", "-c", "pins.txt", "x @ file:///x", "git+https://h/x.git", "a[b]>=1; c"]
    with pytest.raises(UserError, match=r"install\[6\]"):
        read_config(f"[tool.floe-ci.runner]\ninstall = {fine}\n")
    assert len(read_config(f"[tool.floe-ci.runner]\ninstall = {fine[:-1]}\n").runner.install) == 6


@pytest.mark.parametrize(
    "option",
    ["--target", "-t", "-qt", "-Ut", "-nvp", "--prefix", "--python", "-p", "--system", "--dry-run", "--check"],
)
def test_option_that_leads_packages_elsewhere_is_told(option: str) -> None:
    """What would put packages where the tests don't find them, or nowhere, is refused before anything is installed."""
    for text in (option, f"{option}=x", f"-r a.txt {option} x"):
        message = problems(f'[tool.floe-ci.runner]\ninstall = ["{text}"]')
        told = "leads packages past the environment that the tests run in: leave it out"
        assert message.endswith(f"install[0]: {option} {told}")
    fine = ["--prerelease=allow", "--python-platform linux", "-r 'of -t.txt'", "--find-links x-p", "-qU", "-Pt"]
    assert read_config(f"[tool.floe-ci.runner]\ninstall = {fine}\n").runner.install == tuple(fine)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[tool.floeci]\n", "tool.floeci"),
        ("[tool.floe_ci]\n", "tool.floe_ci"),
        ("[floe-ci]\n", "floe-ci"),
        ("[tool.floe.ci]\n", "tool.floe"),
        ("[tool.Floe-CI]\n", "tool.Floe-CI"),
        ("[tool.flow-ci]\n", "tool.flow-ci"),
        ('[tool."floe-ci.runner"]\n', "tool.floe-ci.runner"),
        ("[tool.floe-ci]\n[tool.floeci]\n", "tool.floeci"),
        ("[tools.floe-ci]\n", "tools.floe-ci"),
        ("[tool.pytest.floe-ci.runner]\n", "tool.pytest.floe-ci"),
    ],
)
def test_table_of_a_near_name_is_told(text: str, name: str) -> None:
    """A table that would be passed over without a word, for its name is not quite ours, is told."""
    assert problems(text) == f"pyproject.toml: {name}: unknown table; did you mean 'tool.floe-ci'?"


@pytest.mark.parametrize("name", ["runner", "tool-floe", "project"])
def test_table_that_a_file_of_ours_does_not_have(name: str) -> None:
    """In `floe-ci.toml`, which nobody else reads, a table that nothing reads is told."""
    with pytest.raises(UserError, match=f"^/a/floe-ci.toml: {name}: unknown table; .* below 'tool.floe-ci' only$"):
        read_config(f"[{name}]\n[tool.floe-ci]\n", "/a/floe-ci.toml")
    assert read_config("[tool.floe-ci]\n[tool.floe-testing]\n", "/a/floe-ci.toml") == Config()


def test_schema_of_an_editor_is_passed_over() -> None:
    """The key by which a file tells an editor its schema stands where editors look for it, and means nothing here."""
    assert read_config('"$schema" = "floe-ci.schema.json"\n[tool.floe-ci]\n', "/a/floe-ci.toml") == Config()


@pytest.mark.parametrize(
    "text",
    [
        "[tool.floe-testing]\n",
        "[tool.flake8]\n",
        "[tool.floe]\nx = 1\n",
        "[tool.fleet]\n",
        "[dependency-groups]\nfloe-ci = ['pytest']\n",
    ],
)
def test_tables_of_others_are_theirs(text: str) -> None:
    """A table of another tool is nobody's mistake."""
    assert read_config(text) == Config()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[tool.floe-ci]\n".encode("utf-16"), "is UTF-16: save it as plain UTF-8"),
        ("[tool.floe-ci]\n".encode("utf-32-le"), "not valid TOML: line 1, column 2"),
        ("[tool.floe-ci]\n".encode("utf-32"), "is UTF-32: save it as plain UTF-8"),
        (b"#" * (1 << 20) + b"\n", "has 1048577 bytes, and may have 1048576: move what is no "),
        (
            b"tool.floe-ci.coverage = '\xe2\x80\xae'",
            'tool.floe-ci.coverage: must be a list of strings, not "\\u202e"; ',
        ),
        (b"\xef\xbb\xbf[project]\n", "is UTF-8 with a byte order mark, which TOML does not have: "),
        ("[x]\n# mü\n".encode("latin-1"), "line 2: byte 0xfc is not UTF-8: save the file as UTF-8"),
        (bytes(range(256)), "line 2: byte 0x80 is not UTF-8"),
        (b"a=" + b"[" * 5000, "not valid TOML: tables or lists are nested too deeply"),
        (b"a = " + b"9" * 5000, "not valid TOML: "),
        (b"\0\0", "not valid TOML: line 1, column 1"),
        (b"tool = 3", "tool: must be a table, not 3"),
        (b"[[tool.floe-ci]]", "tool.floe-ci: must be a table"),
    ],
)
def test_file_that_is_no_configuration_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    """Whatever bytes are in the file, there is one short line that names it and says what to do."""
    file = tmp_path / "pyproject.toml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_repository(tmp_path)
    assert str(caught.value).startswith(f"{file}: {reason}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """A folder, a pipe and a link to nothing in the file's place are told; where there is nothing, all is default."""
    file = tmp_path / "pyproject.toml"
    assert read_repository(tmp_path)[0] == Config()
    file.symlink_to("nothing")
    with pytest.raises(UserError, match="is a link to nothing, which is not there"):
        read_repository(tmp_path)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match="is something else, where a file should be"):
        read_repository(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match="is a folder, where a file should be"):
        read_repository(tmp_path)


def test_two_files_of_tables(tmp_path: Path) -> None:
    """A `floe-ci.toml` beside a `pyproject.toml` is refused, here and in the engine; alone it is read."""
    (tmp_path / "floe-ci.toml").write_text("[tool.floe-ci.timeouts]\njob = 7\n")
    refuse_both("floe-ci.toml")
    assert read_repository(tmp_path)[0].timeouts.job == 7
    (tmp_path / "pyproject.toml").symlink_to("nothing")
    refusal = r"^floe-ci\.toml: is not read beside a pyproject\.toml: move its tables there, or remove it$"
    with pytest.raises(UserError, match=refusal):
        read_repository(tmp_path)
    with pytest.raises(UserError, match=refusal):
        refuse_both("pyproject.toml", "floe-ci.toml")


def test_many_problems_are_counted() -> None:
    """Of very many problems some are told, and the number of the others."""
    paths = ", ".join(f'"/{number}"' for number in range(5000))
    lines = problems(f"[tool.floe-ci.tiers.unit]\npaths = [{paths}]").splitlines()
    assert lines[0] == "pyproject.toml: 5000 problems"
    assert lines[-1] == "  … and 4980 more"
    assert len(lines) == 22


def test_more_paths_than_a_command_takes_are_refused() -> None:
    """More paths than can be given to pytest are one problem, told before it starts."""
    paths = ", ".join(f'"{number}"' for number in range(1001))
    assert problems(f"[tool.floe-ci.tiers.unit]\npaths = [{paths}]").endswith("name a folder above them")


def test_every_problem_at_once() -> None:
    """All problems of the table are told together, a line each."""
    message = problems("""
        [tool.floe-ci]
        covrage = []
        [tool.floe-ci.timeouts]
        job = 0
        [tool.floe-ci.tiers.e2e]
        services = ["kafka"]
    """)

    first, *rest = message.splitlines()
    assert first == "pyproject.toml: 3 problems"
    assert sorted(rest) == [
        "  tool.floe-ci.covrage: unknown key; did you mean 'coverage'?",
        (
            '  tool.floe-ci.tiers.e2e.services[0]: unknown service "kafka"; known: '
            "cube, dagster, iceberg-rest, jaeger, marquez, minio, otel-collector, polaris, postgres, prometheus, redis"
        ),
        "  tool.floe-ci.timeouts.job: must be at least 1, not 0",
    ]


def test_long_value_is_cut() -> None:
    """A long wrong value doesn't flood the message."""
    assert len(problems(f'[tool.floe-ci.timeouts]\njob = "{"x" * 500}"')) < 150


@pytest.mark.parametrize(
    ("text", "place"),
    [('name = "x"\nversion 1\n', "line 2, column 9"), ("x = 1\nb = [1,", "line 2, column 8")],
)
def test_malformed_toml(text: str, place: str) -> None:
    """Malformed TOML is one line with the file, the line and the column."""
    with pytest.raises(UserError) as caught:
        read_config(text, "sub/pyproject.toml")

    assert str(caught.value).startswith(f"sub/pyproject.toml: not valid TOML: {place}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("integraton", "unknown tier 'integraton': did you mean 'integration'?"),
        ("UNIT", "unknown tier 'UNIT': did you mean 'unit'?"),
        ("smoke", "unknown tier 'smoke':"),
    ],
)
def test_unknown_tier(text: str, message: str) -> None:
    """An unknown tier is answered with the nearest one and the list."""
    with pytest.raises(UserError) as caught:
        parse_tier(text)

    assert str(caught.value) == f"{message} The tiers are unit, integration, e2e."


def test_environment_takes_the_variables() -> None:
    """References are replaced, and a doubled dollar is a plain one."""
    expanded = expand_environment(
        {"DSN": "host=${FLOE_POSTGRES_HOST} user=$USER", "PRICE": "$$5", "PLAIN": "x"},
        {"FLOE_POSTGRES_HOST": "postgres", "USER": "$me"},
    )

    assert expanded == {"DSN": "host=postgres user=$me", "PRICE": "$5", "PLAIN": "x"}


def test_environment_with_unknown_variables() -> None:
    """Every unknown reference and stray dollar is told at once, with the variables there are."""
    with pytest.raises(UserError) as caught:
        expand_environment({"A": "${NO}", "B": "$GONE", "C": "5 $"}, {"YES": "1", "ALSO": "2"})

    assert str(caught.value).splitlines()[1:] == [
        "  A: 'NO' is no variable of this run; known: ALSO, YES",
        "  B: 'GONE' is no variable of this run; known: ALSO, YES",
        "  C: a '$' without a name in \"5 $\"; write '$$' for a plain one",
    ]


def test_arguments_for_pytest_are_expanded() -> None:
    """The run's variables take the place of their names in a tier's arguments, and one that is not there is told."""
    tier = TierConfig(services=("postgres",), pytest_args=("--uri=${FLOE_POSTGRES_HOST}/$$x", "-v"))
    assert tier.with_pytest_args({"FLOE_POSTGRES_HOST": "here"}).pytest_args == ("--uri=here/$x", "-v")
    with pytest.raises(UserError, match=r"pytest-args: 'FLOE_POSTGRES_HOST' is no variable of this run"):
        tier.with_pytest_args({})


def test_config_map_of_durations() -> None:
    """A ConfigMap that keeps durations is named with its namespace; nothing else is one."""
    table = "[tool.floe-ci.tiers.unit]\ndurations-config-map = "
    assert read_config(f'{table}"ci/times.v1"').tier("unit").durations_config_map == "ci/times.v1"
    for wrong in ('"times"', '"ci/Times"', '"ci/a/b"', '"/times"'):
        assert "must be the namespace and the name of a ConfigMap, such as 'ci/durations'" in problems(table + wrong)


def test_tiers_with_one_config_map_of_durations() -> None:
    """Two tiers that keep durations in one ConfigMap are refused, by name: a run of either would drop the other's."""
    table = '[tool.floe-ci.tiers.{}]\ndurations-config-map = "ci/{}"\n'
    assert problems(table.format("unit", "times") + table.format("e2e", "times")).endswith(
        """tiers: unit, e2e keep durations in one ConfigMap, "ci/times", and each would replace another's: """
        "give each a 'durations-config-map' of its own"
    )
    config = read_config(table.format("unit", "times") + table.format("e2e", "others"))
    assert config.tier("e2e").durations_config_map == "ci/others"


def charts(text: str) -> str:
    """Return a table whose integration tier has these charts."""
    return f"[tool.floe-ci.tiers.integration]\ncharts = {text}\n"


def test_charts() -> None:
    """A chart is a folder or an address in a registry; its release is called as it says, or like the chart."""
    own = '{ path = "charts/app", values = ["test.yaml"], release = "web" }'
    remote = '{ path = "oci://h.example/c/queue", version = "1.2.3" }'
    app, queue = read_config(charts(f"[{own}, {remote}]")).tier("integration").charts
    assert (app.name, app.values, app.is_remote) == ("web", ("test.yaml",), False)
    assert (queue.name, queue.version, queue.is_remote) == ("queue", "1.2.3", True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('["charts/app"]', r'must be a list of tables, such as \[{ path = "charts/app" }\], not \["charts/app"\]'),
        ('{ path = "charts/app" }', r"must be a list of tables, such as"),
        ('[{ path = "../app" }]', r"charts\[0\].path: must stay inside the repository"),
        (
            '[{ path = "oci://h.example/app:1" , version = "1" }]',
            r"charts\[0\].path: must be oci://HOST/NAME, with the v",
        ),
        ('[{ path = "oci://h.example/app" }]', r"charts\[0\]: 'version' is needed for a chart of a registry"),
        ('[{ path = "charts/app", version = "1" }]', r"charts\[0\]: 'version' is for a chart of a registry"),
        (
            '[{ path = "charts/App" }]',
            r"charts\[0\]: a release's name has lower-case .* last part of its path: \"App\"",
        ),
        ('[{ path = "a", release = "A B" }]', r"charts\[0\].release: a release's name has lower-case"),
        ('[{ path = "a", relase = "b" }]', r"charts\[0\].relase: unknown key; did you mean 'release'\?"),
        ('[{ path = "a/app" }, { path = "b/app" }]', r'charts: two charts have the release "app"'),
    ],
)
def test_wrong_charts(given: str, told: str) -> None:
    """A chart that can't be what is meant is told with its place and what to write."""
    assert re.search(told, problems(charts(given)))


def test_charts_may_bring_what_services_need() -> None:
    """Where a tier has charts, what its services need and its variables may come from these."""
    table = (
        'services = ["dagster"]\nenvironment = { URL = "${OF_THE_CHART}" }\ncharts = [{ path = "charts/postgres" }]\n'
    )
    assert read_config(f"[tool.floe-ci.tiers.integration]\n{table}").tier("integration").services == ("dagster",)


@pytest.mark.parametrize("key", ["groups", "extras"])
@pytest.mark.parametrize("name", ["-x", "a b", "@f", "--all-groups", "é", "..", "a;b", "a\\nb", "a."])
def test_name_that_no_group_has(key: str, name: str) -> None:
    """What can't be the name of a group or an extra, and what uv would take for an option, is told with its place."""
    told = problems(f'[tool.floe-ci.runner]\n{key} = ["dev", "{name}"]\n')
    assert told.startswith(f"pyproject.toml: tool.floe-ci.runner.{key}[1]: not a name of letters, digits, ")
    assert "\n" not in told
    assert read_config(f'[tool.floe-ci.runner]\n{key} = ["a-b_c.d9", "X"]\n').runner
