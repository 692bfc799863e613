"""What a repository's tests need is read in each of the usual forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.declared import Declared, lines_to_add

if TYPE_CHECKING:
    from pathlib import Path

NAMED = "[project]\nname = 'a'\n"
POETRY = """
[tool.poetry]
name = "app"
[tool.poetry.dependencies]
python = "^3.11"
psycopg = { version = "^3.1", extras = ["binary"] }
[tool.poetry.group.test.dependencies]
a = "^1.2.3"
b = "^0.2.3"
c = "~1.2"
d = "*"
e = ">=1,<2"
f = "1.0"
g = { git = "https://example.com/g", rev = "x" }
h = { path = "../h" }
i = { version = "^0.0.3", markers = "python_version > '3'" }
j = "^1 || ^2"
k = "^2"
"""


def write(folder: Path, **files: str) -> Path:
    """Write files, each by its name with `_` for a dot and `__` for a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_poetry(tmp_path: Path) -> None:
    """Poetry's own group becomes requirements with the same ranges, and all names are known."""
    declared = Declared.of(write(tmp_path, pyproject_toml=POETRY))
    assert declared.install == (
        ".", "a>=1.2.3,<2", "b>=0.2.3,<0.3", "c>=1.2,<1.3", "d", "e>=1,<2", "f==1.0",
        "g @ git+https://example.com/g@x", "./../h", "i>=0.0.3,<0.0.4; python_version > '3'", "j", "k>=2,<3",
    )  # fmt: skip
    assert {"psycopg", "a", "k"} <= set(declared.packages)


def test_poetry_without_a_package(tmp_path: Path) -> None:
    """Where Poetry only manages dependencies there is nothing to build, and they are installed themselves."""
    text = POETRY.replace("[tool.poetry]", "[tool.poetry]\npackage-mode = false")
    assert Declared.of(write(tmp_path, pyproject_toml=text)).install[:2] == ("psycopg[binary]>=3.1,<4", "a>=1.2.3,<2")


@pytest.mark.parametrize(
    ("files", "install"),
    [
        ({"pyproject_toml": f"{NAMED}[tool.pdm.dev-dependencies]\ntest = ['pytest', '-e .']"}, (".", "pytest")),
        ({"pyproject_toml": f"{NAMED}[tool.hatch.envs.default]\ndependencies = ['pytest']"}, (".", "pytest")),
        ({"pyproject_toml": f"{NAMED}[dependency-groups]\ntest = []\nlint = []"}, (".", "--group test")),
        ({"pyproject_toml": f"{NAMED}[project.optional-dependencies]\ntest = []\ndev = []"}, (".[test,dev]",)),
        ({"setup_cfg": "[metadata]\nname = a\n[options.extras_require]\ntests =\n    pytest"}, (".[tests]",)),
        ({"setup_cfg": "[flake8]\nx = 1\n"}, ()),
        ({"setup_py": ""}, (".",)),
        ({"requirements_txt": "a", "requirements-docs_txt": "b"}, ("-r requirements.txt",)),
        ({"test-requirements_txt": "a"}, ("-r test-requirements.txt",)),
        ({"requirements__base_txt": "a", "requirements__dev_txt": "b"},
         ("-r requirements/base.txt", "-r requirements/dev.txt")),
        ({"pyproject_toml": "[tool.black]\nx = 1", "requirements_txt": "a"}, ("-r requirements.txt",)),
        ({"setup_py": "", "tests__requirements_txt": "a", "docs__requirements_txt": "b",
          "tox_ini": "[testenv]\ndeps =\n    -rtests/requirements.txt\n    py3{11,12}: b\n    pypy: c\n    # d\n"
                     "    e>=1\n    {[base]deps}\n[testenv:docs]\ndeps = sphinx\n"},
         (".", "-r tests/requirements.txt", "e>=1")),
        ({"pyproject_toml": "project = 3\ntool = []"}, ()),
        ({"pyproject_toml": "\x00"}, ()),
    ],
)  # fmt: skip
def test_what_is_installed(tmp_path: Path, files: dict[str, str], install: tuple[str, ...]) -> None:
    """Each form has the arguments that install the project, its extras and groups for tests, and nothing else."""
    assert Declared.of(write(tmp_path, **files)).install == install


def test_packages_of_every_file_and_member(tmp_path: Path) -> None:
    """Names of packages come from every file, and from each member of a workspace."""
    write(
        tmp_path,
        pyproject_toml="[tool.uv.workspace]\nmembers = ['packages/*']",
        packages__api__pyproject_toml="[project]\ndependencies = ['Redis>=5']",
        requirements_txt="# a comment\n-r other.txt\nBoto3_Stubs[s3]==1\n",
        setup_cfg="[options]\ninstall_requires =\n    psycopg2\n",
    )
    assert {"redis", "boto3-stubs", "psycopg2"} <= set(Declared.of(tmp_path).packages)


def test_lines_to_add(tmp_path: Path) -> None:
    """The lines are TOML, whatever quotes a requirement has; where nothing is declared there are none."""
    assert lines_to_add(tmp_path) == ""
    text = "[project]\nname = 'a'\n[tool.pdm.dev-dependencies]\ntest = ['a; x > \"3\"']"
    write(tmp_path, pyproject_toml=text)
    assert lines_to_add(tmp_path) == """[tool.floe-ci.runner] install = [".", 'a; x > "3"']"""
