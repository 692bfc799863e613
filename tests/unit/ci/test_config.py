"""The table `[tool.floe-ci]`: its defaults, and what it says of mistakes."""

import pytest
from floe_ci.config import Config, TierConfig, expand_environment, parse_tier, read_config
from floe_ci.errors import UserError


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
            "tool.floe-ci.zzz: unknown key; known: coverage, runner, tiers, timeouts",
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
            "tiers.unit.paths[0]: must not start with '-': \"--collect-only\"",
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
            '[tool.floe-ci.runner]\ninstall = ["."]\nextras = ["test"]',
            "runner: 'install' takes the place of the lock file: remove it, or 'groups' and 'extras'",
        ),
    ],
)
def test_wrong_values(table: str, message: str) -> None:
    """A wrong value is told in plain words, with its place and what stands there."""
    assert problems(table) == f"pyproject.toml: tool.floe-ci.{message}"


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
            "dagster, iceberg-rest, jaeger, minio, otel-collector, postgres, redis"
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
        "  A: 'NO' is no variable of this run",
        "  B: 'GONE' is no variable of this run",
        "  C: a '$' without a name in \"5 $\"; write '$$' for a plain one",
        "  variables there are: ALSO, YES",
    ]
