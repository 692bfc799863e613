"""`floe-ci init` writes a first table into a repository, by what the repository has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import read_config, read_repository
from floe_ci.errors import UserError
from floe_ci.proposal import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

FILE = """\
# Ours: keep it tidy.
[project]
name = "orders"    # short
dependencies = ["Psycopg[binary]>=3", "s3fs ; python_version > '3'"]

[project.optional-dependencies]
test = ["pytest"]

[tool.ruff]
line-length = 100 # wide


[[tool.mypy.overrides]]
module = "x"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with tests in one folder, and no lock file."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text(FILE)
    return tmp_path


def test_nothing_else_changes(call: Call, repository: Path) -> None:
    """The table is added, and every line that was there stays as it was, comments too."""
    told = call("init", "--source", str(repository))
    assert told.exit_code == 0, told.output
    assert (repository / "pyproject.toml").read_text().startswith(FILE)


def test_services_are_proposed_by_dependencies(call: Call, repository: Path) -> None:
    """What the dependencies speak to is proposed, and what they are installed from is found."""
    told = call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.tier("integration").services == ("minio", "postgres")
    assert config.tier("integration").paths == ("tests",)
    assert config.runner.install == (".[test]",)
    assert "services of the integration tier: minio, postgres" in told.output


def test_lock_file_and_tiers_are_found(call: Call, repository: Path) -> None:
    """With a lock file its group of test packages is proposed; tests in `tests/<tier>` need no path."""
    (repository / "uv.lock").touch()
    (repository / "tests" / "integration").mkdir()
    with (repository / "pyproject.toml").open("a") as file:
        file.write('\n[dependency-groups]\ntest = ["dagster>=1"]\n')
    call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.runner.groups == ("test",)
    assert config.runner.install == ()
    assert config.tier("integration").paths == ("tests/integration",)
    assert config.tier("integration").services == ("minio", "postgres", "dagster")


def test_repository_without_services(call: Call, repository: Path) -> None:
    """Where no dependency speaks to a service, the tests are the unit tier's."""
    (repository / "pyproject.toml").write_text('[project]\nname = "orders"\ndependencies = []')
    told = call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.tier("unit").paths == ("tests",)
    assert config.tier("integration").services == ()
    assert "none: no dependency speaks to one that is known" in told.output


def test_table_that_is_there_stays(call: Call, repository: Path) -> None:
    """A repository that has the table is refused, and its file is not touched."""
    call("init", "--source", str(repository))
    before = (repository / "pyproject.toml").read_text()
    told = call("init", "--source", str(repository))
    assert told.exit_code == 2
    assert "it has a table [tool.floe-ci] already, which stays as it is" in told.stderr
    assert (repository / "pyproject.toml").read_text() == before


@pytest.mark.parametrize(("text", "words"), [(None, "there is no such file"), ("[project", "not valid TOML")])
def test_no_repository(call: Call, tmp_path: Path, text: str | None, words: str) -> None:
    """A folder without a file that can be read is refused in one line."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    told = call("init", "--source", str(tmp_path))
    assert told.exit_code == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    ["[x]\n".encode("utf-16"), "# ü".encode("latin-1"), b"a=" + b"[" * 5000, b"\xff\xfe\x00", b"tool = 3\n"],
)
def test_file_that_cannot_be_read_stays(tmp_path: Path, content: bytes) -> None:
    """What is no configuration is told, and stays as it was."""
    file = tmp_path / "pyproject.toml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"^[^\n]*pyproject\.toml: [^\n]*$"):
        write(tmp_path)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "text", ["project = 3\n", "[project]\ndependencies = 3\n", "dependency-groups = []\n", '[project]\nx = ["a"]\n']
)
def test_tables_of_other_shapes_propose_nothing(tmp_path: Path, text: str) -> None:
    """A file whose tables are not what they should be gets a table all the same: who they are for will tell."""
    (tmp_path / "pyproject.toml").write_text(text)
    assert write(tmp_path)[0].services == ()
    assert (tmp_path / "pyproject.toml").read_text().startswith(text)
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_repository_without_pyproject(call: Call, tmp_path: Path) -> None:
    """Where files of requirements say what is needed the table goes into a file of its own, which a run reads."""
    (tmp_path / "requirements.txt").write_text("redis\n")
    (tmp_path / "packages" / "api" / "tests").mkdir(parents=True)
    told = call("init", "--source", str(tmp_path))
    assert (told.exit_code, "floe-ci.toml: [tool.floe-ci] is written" in told.output) == (0, True)
    config, _ = read_repository(tmp_path)
    assert config.runner.install == ("-r requirements.txt",)
    assert config.tier("integration").services == ("redis",)
    assert config.tier("integration").paths == ("packages/api/tests",)


def test_extras_of_a_locked_project(call: Call, repository: Path) -> None:
    """With a lock file the project's extra for tests is proposed."""
    (repository / "uv.lock").touch()
    call("init", "--source", str(repository))
    assert read_repository(repository)[0].runner.extras == ("test",)


def test_environment_of_the_code_is_proposed(call: Call, repository: Path) -> None:
    """What the code reads to find a service is in the table that is shown and written."""
    (repository / "settings.py").write_text("import os\nURL = os.environ['DATABASE_URL']\n")
    told = call("init", "--source", str(repository))
    environment = read_repository(repository)[0].tier("integration").environment
    assert list(environment) == ["DATABASE_URL"]
    assert f'DATABASE_URL = "{environment["DATABASE_URL"]}"' in told.output


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "/results/\n"), ("*.pyc", "*.pyc\n/results/\n"), ("results/\n", "results/\n"), ("a\n", "a\n/results/\n")],
)
def test_results_are_ignored(call: Call, repository: Path, before: str | None, after: str) -> None:
    """In a repository of Git the results get a line in `.gitignore`, once, behind what stands there."""
    (repository / ".git").mkdir()
    if before is not None:
        (repository / ".gitignore").write_text(before)
    told = call("init", "--source", str(repository))
    assert (repository / ".gitignore").read_text() == after
    assert (".gitignore: /results/ is added" in told.output) == (before != after)


def test_refused_table_leaves_what_is_ignored(call: Call, repository: Path) -> None:
    """Where no table is written, `.gitignore` stays as it is too."""
    (repository / ".git").mkdir()
    (repository / "pyproject.toml").write_text("[tool.floe-ci]\n")
    assert call("init", "--source", str(repository)).exit_code == 2
    assert not (repository / ".gitignore").exists()


def test_folder_of_results_that_is_a_package(call: Call, repository: Path) -> None:
    """Where the repository has a folder `results` of its own, Git leaves out only what runs leave in it."""
    (repository / ".git").mkdir()
    (repository / "results").mkdir()
    (repository / "results" / "__init__.py").touch()
    told = call("init", "--source", str(repository))
    assert (repository / ".gitignore").read_text() == "/results/unit/\n/results/integration/\n/results/e2e/\n"
    assert ".gitignore: /results/unit/, /results/integration/, /results/e2e/ is added" in told.output


def test_table_in_a_file_that_nobody_reads(call: Call, repository: Path) -> None:
    """Beside a `pyproject.toml` a `floe-ci.toml` is refused, by `init` and by whoever reads the table."""
    (repository / "floe-ci.toml").touch()
    told = call("init", "--source", str(repository))
    assert (told.exit_code, "floe-ci.toml: is not read beside a pyproject.toml" in told.stderr) == (2, True)
    with pytest.raises(UserError, match="move its tables there"):
        read_repository(repository)


def test_repository_of_conda(call: Call, tmp_path: Path) -> None:
    """Where conda's file alone says what is needed, `init` says so in one line, with the lines to add."""
    (tmp_path / "environment.yml").write_text("dependencies: [numpy]\n")
    (tmp_path / "tests").mkdir()
    told = call("init", "--source", str(tmp_path))
    assert (told.exit_code, len(told.stderr.splitlines())) == (2, 1)
    assert 'add [tool.floe-ci.runner] install = ["numpy"] to floe-ci.toml' in told.stderr


def test_tier_of_what_is_next(call: Call, tmp_path: Path) -> None:
    """What `init` says to do next is of a tier that has tests."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orders"\n')
    (tmp_path / "tests" / "integration").mkdir(parents=True)
    told = call("init", "--source", str(tmp_path))
    assert told.output.endswith("floe-ci test --tier integration\n")


@pytest.mark.parametrize(("name", "paths"), [("test_a.py", ("testing",)), ("helpers.py", ("tests/unit",))])
def test_folder_called_testing(call: Call, tmp_path: Path, name: str, paths: tuple[str, ...]) -> None:
    """A folder `testing` is proposed where tests are in it, and not where it is a package that helps them."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orders"\n')
    (tmp_path / "testing").mkdir()
    (tmp_path / "testing" / name).touch()
    call("init", "--source", str(tmp_path))
    assert read_repository(tmp_path)[0].tier("unit").paths == paths


MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"


@pytest.mark.parametrize(("extra", "added"), [("['pytest']", ("pytest-django",)), ("['pytest-django']", ())])
def test_tests_of_django(call: Call, repository: Path, extra: str, added: tuple[str, ...]) -> None:
    """Tests that Django's own runner ran get its settings, and the plugin by which pytest runs them."""
    table = f"[project]\nname = 'shop'\ndependencies = ['django']\noptional-dependencies.test = {extra}\n"
    (repository / "pyproject.toml").write_text(table)
    (repository / "manage.py").write_text(MANAGE)
    assert call("init", "--source", str(repository)).exit_code == 0
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.tier("unit").environment == {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert config.runner.install == (".[test]", *added)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = other\n"),
        ("pytest.ini", "[pytest]\naddopts = --ds=other\n"),
        ("conftest.py", "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'other'\n"),
        ("tests/conftest.py", "from django.conf import settings\nsettings.configure()\n"),
        ("tests/__init__.py", "from django.conf import settings\nsettings.configure()\n"),
        ("tests/test_a.py", "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'other'\n"),
        ("shop/conftest.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'other')\n"),
        ("shop/deeper/conftest.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'other')\n"),
        ("pytest.ini", "[pytest]\nenv =\n    D:DJANGO_SETTINGS_MODULE=other\n"),
        ("pytest.toml", "[pytest]\nDJANGO_SETTINGS_MODULE = 'other'\n"),
        (".pytest.toml", "[pytest]\naddopts = ['--ds=other']\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = --ds other\n"),
        ("tox.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = other\n"),
        ("uv.lock", ""),
    ],
)
def test_tests_of_django_that_pytest_runs_already(call: Call, repository: Path, name: str, text: str) -> None:
    """Where pytest is told which settings to take, or a lock file says what is installed, nothing is proposed."""
    (repository / "manage.py").write_text(MANAGE)
    (repository / "tests").mkdir(exist_ok=True)
    (repository / "tests" / "test_a.py").touch()
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text(text)
    assert call("init", "--source", str(repository)).exit_code == 0
    assert "django" not in (repository / "pyproject.toml").read_text().lower()


def test_settings_that_a_table_for_variables_has(call: Call, repository: Path) -> None:
    """Where pytest-env's own table sets Django's settings, no others are proposed."""
    (repository / "manage.py").write_text(MANAGE)
    with (repository / "pyproject.toml").open("a") as file:
        file.write("\n[tool.pytest_env]\nDJANGO_SETTINGS_MODULE = 'other'\n")
    assert call("init", "--source", str(repository)).exit_code == 0
    assert (repository / "pyproject.toml").read_text().count("DJANGO_SETTINGS_MODULE") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tox.ini", "[testenv]\nsetenv =\n    DJANGO_SETTINGS_MODULE = tests.settings\n"),
        ("tox.toml", "[env_run_base]\nset_env = { DJANGO_SETTINGS_MODULE = 'tests.settings' }\n"),
        ("noxfile.py", "def tests(session):\n    session.env['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"),
        ("noxfile.py", "def tests(session):\n    session.run('x', env={'DJANGO_SETTINGS_MODULE': 'tests.settings'})\n"),
    ],
)
def test_settings_of_what_ran_the_tests(call: Call, repository: Path, name: str, text: str) -> None:
    """The settings that tox or nox ran the tests with are proposed, before those of the site."""
    (repository / "manage.py").write_text(MANAGE)
    (repository / name).write_text(text)
    assert call("init", "--source", str(repository)).exit_code == 0
    config = read_config((repository / "pyproject.toml").read_text())
    assert {config.tier(tier).environment.get("DJANGO_SETTINGS_MODULE") for tier in ("unit", "integration")} >= {
        "tests.settings"
    }


def test_modules_of_a_site_set_nothing_for_tests(call: Call, repository: Path) -> None:
    """What the site itself runs by, and pytest never imports, takes no settings away from the tests."""
    (repository / "manage.py").write_text(MANAGE)
    (repository / "shop").mkdir()
    (repository / "shop" / "wsgi.py").write_text(MANAGE)
    (repository / "shop" / "test_views.py").touch()
    assert call("init", "--source", str(repository)).exit_code == 0
    assert 'DJANGO_SETTINGS_MODULE = "shop.settings"' in (repository / "pyproject.toml").read_text()


@pytest.mark.parametrize("ini", ["", "[pytest]\npython_files = tests.py\n"])
def test_tests_of_an_app_of_django(call: Call, tmp_path: Path, ini: str) -> None:
    """The `tests.py` that Django makes for an app is found, and pytest is told that it is one unless it knows."""
    (tmp_path / "requirements.txt").write_text("django\n")
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "polls").mkdir()
    (tmp_path / "polls" / "tests.py").touch()
    if ini:
        (tmp_path / "pytest.ini").write_text(ini)
    told = call("init", "--source", str(tmp_path))
    assert (told.exit_code, "FOLDER" in told.output) == (0, False)
    tier = read_config((tmp_path / "floe-ci.toml").read_text()).tier("unit")
    assert tier.paths == ("polls",)
    assert tier.pytest_args == (() if ini else ("-o", "python_files=test*.py"))


def test_tests_that_are_not_found(call: Call, tmp_path: Path) -> None:
    """A repository without a file of tests gets its table, and is told what to add."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    told = call("init", "--source", str(tmp_path))
    assert told.exit_code == 0
    assert 'add where they are: [tool.floe-ci.tiers.unit] paths = ["FILE or FOLDER"]' in told.output
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    (tmp_path / "b" / "test_a.py").touch()
    assert "FOLDER" not in call("init", "--source", str(tmp_path / "b")).output


def test_tests_in_a_folder_that_is_no_text(call: Call, tmp_path: Path) -> None:
    """Where tests are in a folder whose name no file of TOML can hold, that is told, and nothing is written."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "test_it.py").write_text("def test_it(): ...\n")
    (tmp_path / "requirements.txt").write_text("pytest\n")
    told = call("init", "--source", str(tmp_path))
    expected = r'tool.floe-ci.tiers.unit.paths[0]: is not UTF-8, as a file of TOML has to be: rename "caf\udce9"'
    assert told.exit_code == 2
    assert expected in told.stderr.encode("ascii", "backslashreplace").decode()
    assert not (tmp_path / "floe-ci.toml").exists()
