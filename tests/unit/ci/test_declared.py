"""What a repository's tests need is read in each of the usual forms."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from floe_ci.declared import Declared, conda_problem, lines_to_add, workspace_root

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
l = [{ version = "1", python = "<3.8" }, { version = "2", python = "^3.8.1", platform = "linux" }]
m = { git = "https://example.com/m", subdirectory = "m" }
n = { version = "1", optional = true }
j = "^1 || ^2"
k = "^2"
o = "^20.8b1"
p = "~1.0rc1"
q = "^1.0.0-alpha.1"
r = ">=7 <8"
s = "=1.2"
t = ">=1.*"
u = { git = "git@github.com:a/b.git", branch = "x" }
v = { path = "/abs/z" }
w = { git = "ssh://git@example.com:22/w" }
"""


def write(folder: Path, **files: str) -> Path:
    """Write files, each by its name with `_` for a dot and `__` for a slash."""
    for name, text in files.items():
        path = folder / re.sub("_(?=toml|txt|cfg|py|ini|yml)", ".", name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_poetry(tmp_path: Path) -> None:
    """Poetry's own group becomes requirements with the same ranges, and all names are known."""
    declared = Declared.of(write(tmp_path, pyproject_toml=POETRY))
    assert declared.install == (
        ".", "a>=1.2.3,<2", "b>=0.2.3,<0.3", "c>=1.2,<1.3", "d", "e>=1,<2", "f==1.0",
        "g @ git+https://example.com/g@x", "./../h", "i>=0.0.3,<0.0.4; python_version > '3'",
        "l==1; python_version < '3.8'",
        "l==2; python_full_version >= '3.8.1' and python_version < '4' and sys_platform == 'linux'",
        "m @ git+https://example.com/m#subdirectory=m", "j", "k>=2,<3",
        "o>=20.8b1,<21", "p>=1.0rc1,<1.1", "q>=1.0.0-alpha.1,<2", "r>=7,<8", "s==1.2", "t",
        "u @ git+ssh://git@github.com/a/b.git@x", "/abs/z", "w @ git+ssh://git@example.com:22/w",
    )  # fmt: skip
    assert {"psycopg", "a", "k"} <= set(declared.packages)


@pytest.mark.parametrize("name", ["-r x", "--index-url=x", "@args", "a b", "./a", "a;b", "é"])
def test_poetry_key_that_is_no_name(tmp_path: Path, name: str) -> None:
    """A key that is no package's name is no requirement, which an installer might take for an option."""
    dependencies = f"[tool.poetry.group.test.dependencies]\n{json.dumps(name)} = '*'\npytest = '*'\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.poetry]\npackage-mode = false\n{dependencies}")
    assert Declared.of(tmp_path).install == ("pytest",)


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
        ({"setup_cfg": "[metadata]\nname = a\n[options]\ninstall_requires = b\n[options.extras_require]\ntests =\n  c"},
         ("b", "c")),
        ({"setup_cfg": "\ufeff[metadata]\n[options]\ntests_require = c\n[options.extras_require]\nci = pytest",
          "setup_py": ""}, (".[ci]", "c")),
        ({"setup_py": "import setuptools as s\nT = ['c']\ns.setup(extras_require={'test': T}, tests_require=['d'])"},
         (".[test]", "d")),
        ({"setup_py": "def setup(:"}, (".",)),
        ({"setup_py": "P = '\\d'\nsetup(extras_require={'test': []}, tests_require=['', 'd  # why', 'not one'])"},
         (".[test]", "d")),
        ({"setup_cfg": "[options]\ninstall_requires = a # why\n[options.extras_require]\ntest = file: b c.txt, d.txt"},
         ("a", "-r 'b c.txt'", "-r d.txt")),
        ({"setup_cfg": "[options]\ninstall_requires = file: a.txt\n[options.extras_require]\ntest = b; c"},
         ("-r a.txt", "b", "c")),
        ({"setup_cfg": "[options]\ninstall_requires = file:\n  a.txt,\n  b.txt"}, ("-r a.txt", "-r b.txt")),
        ({"setup_cfg": "[metadata]\n[options]\ntests_require = x; y", "setup_py": ""}, (".", "x", "y")),
        ({"tox_ini": "[testenv]\ndeps = pytest  # why: {this}\n  -r {toxinidir}/a.txt\n  -c{tox_root}/b.txt\n"
                     "  -e.\n  {toxinidir}/c\n  {envname}\n  file:///d.whl\n  -r 'e"},
         ("pytest", "-r a.txt", "-c b.txt", "-e .", "./c", "file:///d.whl")),
        ({"Pipfile": "[packages]\na = '*'\n[dev-packages]\nb = {version = '>=1', sys_platform = \"== 'win32'\"}"},
         ("a", "b>=1; sys_platform == 'win32'")),
        ({"tox_toml": "[env_run_base]\ndeps = ['a', '-r b.txt']"}, ("a", "-r b.txt")),
        ({"my requirements-dev_txt": "a"}, ("-r 'my requirements-dev.txt'",)),
        ({"pyproject_toml": f"{NAMED}[dependency-groups]\nci = ['pytest>8']\nlint = ['ruff']"}, (".", "--group ci")),
        ({"pyproject_toml": f"{NAMED}[dependency-groups]\n'ci x' = ['pytest']"}, (".", "--group 'ci x'")),
        ({"pyproject_toml": f"{NAMED}optional-dependencies = {{x = []}}\n[tool.hatch.envs.default]\nfeatures = ['x']"},
         (".[x]",)),
        ({"packages__b__setup_py": "", "packages__a__pyproject_toml": f"{NAMED}[dependency-groups]\ntest = []",
          "packages__a__tests__requirements_txt": "x"},
         ("./packages/a", "--group packages/a/pyproject.toml:test", "-r packages/a/tests/requirements.txt",
          "./packages/b")),
        ({"pyproject_toml": "[tool.uv.workspace]\nmembers = ['a', 'b']\nexclude = ['b']", "a__setup_py": "",
          "b__setup_py": ""}, ("./a",)),
        ({"pyproject_toml": "[tool.uv.workspace]\nmembers = ['.', './', 'a']\nexclude = ['.', '/x']",
          "a__setup_py": ""}, ("./a",)),
        ({"a__tox_ini": "[testenv]\ndeps =\n  -e .[x]\n  -c c.txt\n  -e lib\n  -r https://example.com/d.txt",
          "a__setup_py": ""}, ("./a", "-e './a[x]'", "-c a/c.txt", "-e a/lib", "-r https://example.com/d.txt")),
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


def test_folders_that_are_elsewhere(tmp_path: Path) -> None:
    """What a link or a member's path leads to outside the repository is not its own, nor is a link in a circle."""
    write(tmp_path, outside__setup_py="", inside__a__setup_py="")
    (tmp_path / "inside" / "b").symlink_to(tmp_path / "outside")
    (tmp_path / "inside" / "c").symlink_to("c")
    assert Declared.of(tmp_path / "inside").install == ("./a",)
    write(tmp_path / "inside", pyproject_toml="[tool.uv.workspace]\nmembers = ['../outside', '*']")
    assert Declared.of(tmp_path / "inside").install == ("./a",)


def test_workspace_of_the_root_itself(tmp_path: Path) -> None:
    """A workspace whose only member is its root has none below."""
    write(tmp_path, pyproject_toml="[tool.uv.workspace]\nmembers = ['.']", a__setup_py="")
    assert workspace_root(tmp_path / "a") == tmp_path / "a"


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
    text = "[project]\nname = 'a'\n[tool.pdm.dev-dependencies]\ntest = ['a; os_name > \"3\"']"
    write(tmp_path, pyproject_toml=text)
    assert lines_to_add(tmp_path) == """[tool.floe-ci.runner] install = [".", 'a; os_name > "3"']"""


def test_encodings_and_what_is_no_file(tmp_path: Path) -> None:
    """Files in UTF-16, as PowerShell writes them, are read, and a pipe is not waited for."""
    (tmp_path / "requirements.txt").write_bytes("Redis>=5\r\n".encode("utf-16"))
    for name in ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "Pipfile", "environment.yml"):
        os.mkfifo(tmp_path / name)
    assert Declared.of(tmp_path) == Declared(("-r requirements.txt",), ("redis",))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("dependencies: [python=3.11, numpy=1.26=x, 'conda-forge::dask>=2', {pip: [a==1]}]",
         '["numpy==1.26.*", "dask>=2", "a==1"]'),
        ("date: 2020-13-45\ndependencies: ['a=1|2']", '["a"]'),
        ("dependencies: 3", '["NAME"]'),
        ("a: [", '["NAME"]'),
    ],
)  # fmt: skip
def test_conda(tmp_path: Path, text: str, lines: str) -> None:
    """Where conda's file alone says what is needed, the lines to add have its packages, as far as they can be read."""
    (tmp_path / "environment.yml").write_text(text)
    told = conda_problem(tmp_path)
    assert told.startswith(
        "environment.yml: conda's packages are not installed here: add [tool.floe-ci.runner] install"
    )
    assert f"install = {lines} to floe-ci.toml" in told
    (tmp_path / "requirements.txt").touch()
    assert conda_problem(tmp_path) == ""
