"""An audit from paths to findings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.run import UNREADABLE, audit, version
from floe_testing.suite.cache import default_folder
from floe_testing.suite.collection import CollectionRules, find_python_files

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

SLEEP = "import time\ndef test_a(orders):\n    time.sleep(1)\n    assert orders.open == 1\n"


def test_a_file_that_is_no_python(repository: Repository) -> None:
    """It is an error with its line, and the others are looked at."""
    repository.write("tests/unit/test_broken.py", "def test_a(:\n")
    assert repository.found(SLEEP) == [(UNREADABLE, 1), ("FT401", 3)]


def test_sorted_whatever_the_order_of_files(repository: Repository) -> None:
    """Findings come by path and line, the same however many processes read the files."""
    for number in reversed(range(45)):
        repository.write(f"tests/unit/test_{number:02}.py", SLEEP + SLEEP.replace("test_a", "test_b"))
    findings = repository.audit().findings
    assert [(finding.path, finding.line) for finding in findings] == [
        (f"tests/unit/test_{number:02}.py", line) for number in range(45) for line in (3, 7)
    ]
    assert repository.audit().findings == findings


def test_which_files_are_looked_at(repository: Repository) -> None:
    """Tests, each `conftest.py` beside them and the helpers below are; sources that have a test beside them are not."""
    fixture = "import time\nimport pytest\n@pytest.fixture\ndef orders():\n    time.sleep(1)\n    return 1\n"
    for path in ("tests/unit/test_a.py", "tests/unit/conftest.py", "tests/unit/helpers/shop.py"):
        repository.write(path, fixture)
    for path in ("shop/orders.py", "shop/bills.py", "shop/test_orders.py"):
        repository.write(path, fixture)
    assert [finding.path for finding in repository.audit().findings] == [
        *("shop/test_orders.py", "tests/unit/conftest.py", "tests/unit/helpers/shop.py", "tests/unit/test_a.py")
    ]


def test_pipe_is_no_test(repository: Repository) -> None:
    """What has a test's name and is no file is left alone, as pytest does: to read a pipe would not end."""
    test = repository.write("tests/unit/test_a.py", "def test_a(): pass")
    os.mkfifo(test.with_name("test_pipe.py"))
    assert find_python_files([repository.root], CollectionRules()) == [test.resolve()]


def test_counts(repository: Repository) -> None:
    """An audit knows its tests, their tiers, and how strong their checks are."""
    repository.write("tests/unit/test_a.py", SLEEP)
    repository.write(
        "tests/test_b.py", "import pytest\n@pytest.mark.e2e\ndef test_b(shop):\n    assert len(shop.orders) == 2\n"
    )
    modules = {module.path: module for module in repository.audit().modules}
    assert {path: (module.tests, module.tier) for path, module in modules.items()} == {
        "tests/unit/test_a.py": (1, "unit"),
        "tests/test_b.py": (1, "e2e"),
    }
    assert modules["tests/test_b.py"].strengths == {"length": 1}


def test_cache_gives_the_same(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second audit reads no file that has not changed, and finds the same, what several modules show together too."""
    body = (
        "def build(shop):\n    order = shop.new(7)\n    for line in shop.lines():\n"
        "        order.add(line, 3)\n    shop.save(order)\n    return order\n"
    )
    repository.write("tests/unit/test_a.py", body)
    repository.write("tests/unit/test_b.py", body)
    repository.write("tests/unit/test_c.py", SLEEP + "    pass  # floe: ignore[FT401] why not\n")
    first = repository.audit(cache_folder=tmp_path / "cache")
    assert {finding.rule for finding in first.findings} == {"FT602", "FT401", "FT002"}

    read: list[str] = []
    monkeypatch.setattr("floe_testing.audit.run.read_report", lambda file, **_: read.append(file.path.name))
    assert repository.audit(cache_folder=tmp_path / "cache") == first
    assert read == []


def test_cache_notices_changes(repository: Repository, tmp_path: Path) -> None:
    """A file that changed is read again, and so is every file where the configuration did."""
    folder = tmp_path / "cache"
    repository.write("tests/unit/test_a.py", SLEEP)
    assert len(repository.audit(cache_folder=folder).findings) == 1
    assert repository.audit({"ignore": ["FT401"]}, cache_folder=folder).findings == ()
    assert len(repository.audit(cache_folder=folder).findings) == 1
    repository.write("tests/unit/test_a.py", SLEEP.replace("time.sleep(1)", "pass"))
    assert repository.audit(cache_folder=folder).findings == ()


def test_cache_knows_what_was_taken_for_a_test(repository: Repository, tmp_path: Path) -> None:
    """A file that was a test for being named on the command line is none where its folder is."""
    folder = tmp_path / "cache"
    named = repository.write("tests/unit/shop.py", SLEEP)
    project = repository.project()
    assert len(audit([named], repository.root, project, cache_folder=folder).findings) == 1
    assert audit([named.parent], repository.root, project, cache_folder=folder).findings == ()


@pytest.mark.parametrize("content", ["", "{", '{"version": "x", "results": {"a": 1}}'])
def test_a_cache_that_makes_no_sense(content: str, repository: Repository, tmp_path: Path) -> None:
    """What can't be read of a cache is as good as none."""
    folder = tmp_path / "cache"
    repository.write("tests/unit/test_a.py", SLEEP)
    repository.audit(cache_folder=folder)
    (file,) = folder.iterdir()
    file.write_text(content, encoding="utf-8")
    assert len(repository.audit(cache_folder=folder).findings) == 1
    assert file.read_text(encoding="utf-8") != content


def test_a_cache_that_can_t_be_written(repository: Repository, tmp_path: Path) -> None:
    """Where there is no place for a cache, there is an audit all the same."""
    (tmp_path / "file").touch()
    repository.write("tests/unit/test_a.py", SLEEP)
    assert len(repository.audit(cache_folder=tmp_path / "file" / "cache").findings) == 1


def test_the_cache_is_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache is where the user keeps caches, and not in the repository."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder("audit") == tmp_path / "floe-testing" / "audit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder("audit") == tmp_path / ".cache" / "floe-testing" / "audit"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder("audit") == tmp_path / ".cache" / "floe-testing" / "audit"


def test_version_tells_rules_and_settings_apart(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports made by other rules, other settings or other ideas of what a test is are not used."""
    project = repository.project()
    now = version(project, CollectionRules())
    assert version(project, CollectionRules()) == now
    assert version(repository.project({"ignore": ["FT4"]}), CollectionRules()) != now
    assert version(project, CollectionRules(python_functions=("check",))) != now
    monkeypatch.setattr("floe_testing.audit.run.all_rules", lambda: (repository,))
    assert version(project, CollectionRules()) != now


@pytest.mark.parametrize("line", ["from shop.{} import *", "from shop.{} import order"])
def test_modules_that_import_of_each_other(line: str, repository: Repository) -> None:
    """A name that two modules take from each other, and that neither has, leaves the tests beside it to be read."""
    repository.write("pyproject.toml", "")
    repository.write("shop/__init__.py", line.format("orders"))
    repository.write("shop/orders.py", line.format("lines"))
    repository.write("shop/lines.py", line.format("orders"))
    repository.write("tests/test_orders.py", f"{line.format('orders')}\n@order\ndef test_a():\n    assert order(7)\n")
    done = repository.audit()
    assert ([finding.rule for finding in done.findings], done.tests) == ([], 1)


def test_text_of_a_newer_python(repository: Repository) -> None:
    """A text that no version of Python at hand can read is told, and the other modules are looked at."""
    repository.write("tests/unit/test_texts.py", 'total = 7\ntext = t"{total}" t"{total}"\n')
    repository.write("tests/unit/test_orders.py", SLEEP)
    found = [(finding.path, finding.rule) for finding in repository.audit().findings]
    assert found[0] == ("tests/unit/test_orders.py", "FT401")
    assert found[1:] in ([], [("tests/unit/test_texts.py", UNREADABLE)])
