"""What a repository's code reads of its environment is found in the code itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from floe_ci.catalog import Catalog
from floe_ci.templates import faults
from floe_ci.wanted import VALUES, django_settings, environment

if TYPE_CHECKING:
    from pathlib import Path

SERVICES = ("minio", "postgres", "redis")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import os\nx = os.environ['DATABASE_URL']", {"DATABASE_URL"}),
        ("from os import environ\nx = environ.get('DATABASE_URL', 'sqlite://')", {"DATABASE_URL"}),
        ("from os import getenv\nx = getenv('REDIS_URL')", {"REDIS_URL"}),
        ("x = {'HOST': os.environ.get('DB_HOST'), 'NAME': env.str('DB_NAME')}", {"DB_HOST", "DB_NAME"}),
        ("x = env.db('DATABASE_URL'), config('REDIS_HOST', default='x')", {"DATABASE_URL", "REDIS_HOST"}),
        ("class Settings(BaseSettings):\n    redis_url: str\n    name: str = ''", {"REDIS_URL"}),
        (
            "def f():\n    import boto3",
            {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"},
        ),
        ("import os\nos.environ['DATABASE_URL'] = 'x'", set()),
        ("# os.environ['DATABASE_URL']\nx = 'DATABASE_URL'\ny = {}['DATABASE_URL']", set()),
        ("import os\nx = os.environ['DATABASE_URL'", set()),
    ],
)  # fmt: skip
def test_variables_that_are_read(tmp_path: Path, code: str, names: set[str]) -> None:
    """A name counts where something that reads variables takes it, and nowhere else."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "settings.py").write_text(code)
    assert set(environment(tmp_path, SERVICES)) == names


def test_only_services_of_the_tier_count(tmp_path: Path) -> None:
    """A variable of a service that is not proposed has no value, and so is none."""
    (tmp_path / "a.py").write_text("import os\nx = os.environ['DATABASE_URL'], os.environ['REDIS_URL']")
    assert set(environment(tmp_path, ("redis",))) == {"REDIS_URL"}


def test_other_peoples_code_does_not_count(tmp_path: Path) -> None:
    """Environments, hidden folders and what was built are nobody's source."""
    for folder in (".venv", "node_modules", "build"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("import os\nx = os.environ['DATABASE_URL']")
    assert environment(tmp_path, SERVICES) == {}


@pytest.mark.parametrize("service", VALUES)
def test_values_are_of_the_services_own_variables(service: str) -> None:
    """Each value refers to variables that the run has of that service."""
    known = Catalog.of_package().variables(service)
    assert [fault for value in VALUES[service].values() for fault in faults(value, known)] == []


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    """A pipe that is called like a module is none."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "settings.py").write_text("import os\nx = os.environ['REDIS_URL']")
    assert set(environment(tmp_path, SERVICES)) == {"REDIS_URL"}


@pytest.mark.parametrize(
    ("files", "settings"),
    [
        ({"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')"}, "shop.settings"),
        ({"runtests.py": "def run():\n    os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'"}, "tests.settings"),
        (
            {
                "manage.py": "environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
                "runtests.py": "environ.setdefault('DJANGO_SETTINGS_MODULE', 'tests.settings')",
            },
            "tests.settings",
        ),
        ({"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', name)"}, ""),
        ({"manage.py": "os.environ.setdefault('PATH', 'shop.settings')\nx['Y'] = 'z'"}, ""),
        ({"shop/wsgi.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')"}, ""),
        ({"manage.py": "def"}, ""),
    ],
)
def test_settings_that_tests_of_django_run_with(tmp_path: Path, files: dict[str, str], settings: str) -> None:
    """The settings are those of a file that runs the tests; one that does other things too counts only without it."""
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    assert django_settings(tmp_path) == settings


def test_search_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every folder of a large tree is looked into for what code reads, those without code neither."""
    for number in range(10):
        (tmp_path / f"{number:02}").mkdir()
    (tmp_path / "zz").mkdir()
    (tmp_path / "zz" / "app.py").write_text("import os\nURL = os.environ['DATABASE_URL']\n")
    assert environment(tmp_path, ["postgres"])
    monkeypatch.setattr("floe_ci.wanted.MOST_FILES", 5)
    assert not environment(tmp_path, ["postgres"])
