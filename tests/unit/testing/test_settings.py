"""Tables that a person wrote, and what is said of their mistakes."""

from pathlib import Path

import pytest
from pydantic import Field

from floe_testing.settings import SettingsError, Table, load_toml, read_settings, suggest, validate


class Rule(Table):
    """A table in a table."""

    max_lines: int = Field(default=3, ge=1, le=9)


class Settings(Table):
    """A table with a key of each kind."""

    test_paths: tuple[str, ...] = ("tests",)
    main: Rule = Rule()
    others: tuple[Rule, ...] = ()


def refused(table: object) -> str:
    """Return why a table is refused."""
    with pytest.raises(SettingsError) as caught:
        validate(Settings, table, "a.toml", "tool.it")
    return str(caught.value)


def test_table_is_found_in_pyproject(tmp_path: Path) -> None:
    """The table's keys are in kebab-case, and what it doesn't say is the default."""
    (tmp_path / "pyproject.toml").write_text('[tool.floe-testing.it]\ntest-paths = ["a"]\nmain.max-lines = 5\n')
    found = read_settings(Settings, "it", tmp_path)
    assert found == Settings(test_paths=("a",), main=Rule(max_lines=5))


@pytest.mark.parametrize("text", [None, "", "[tool.other]\n", "[tool.floe-testing.other]\n"])
def test_no_table_means_the_defaults(tmp_path: Path, text: str | None) -> None:
    """A file without the table says nothing, and neither does no file."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert read_settings(Settings, "it", tmp_path) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = 1", "pyproject.toml: tool: must be a table, not 1"),
        ("[tool]\nfloe-testing = 'x'", 'pyproject.toml: tool.floe-testing: must be a table, not "x"'),
        ("[tool.floe-testing]\nit = []", "pyproject.toml: tool.floe-testing.it: must be a table, not []"),
        ("[tool", "pyproject.toml: not valid TOML: "),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, text: str, message: str) -> None:
    """Whatever stands in the table's place is named, and so is a file that is no TOML."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(Settings, "it", tmp_path)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"test-path": []}, "a.toml: tool.it.test-path: unknown key; did you mean 'test-paths'?"),
        ({"test_paths": []}, "a.toml: tool.it.test_paths: unknown key; did you mean 'test-paths'?"),
        ({"zzz": 1}, "a.toml: tool.it.zzz: unknown key; known: main, others, test-paths"),
        ({"test-paths": "x"}, 'a.toml: tool.it.test-paths: must be a list, not "x"'),
        ({"test-paths": [1]}, "a.toml: tool.it.test-paths[0]: must be a string in quotes, not 1"),
        ({"main": 1}, "a.toml: tool.it.main: must be a table, not 1"),
        ({"main": {"max-line": 1}}, "a.toml: tool.it.main.max-line: unknown key; did you mean 'max-lines'?"),
        ({"main": {"max-lines": 0}}, "a.toml: tool.it.main.max-lines: must be at least 1, not 0"),
        ({"main": {"max-lines": 10}}, "a.toml: tool.it.main.max-lines: must be at most 9, not 10"),
        ({"others": [{}, {"lines": 1}]}, "a.toml: tool.it.others[1].lines: unknown key; did you mean 'max-lines'?"),
    ],
)
def test_problem_is_told_with_its_place(table: object, message: str) -> None:
    """Each kind of mistake names the key, what is wrong and, of an unknown key, the nearest known."""
    assert refused(table) == message


def test_every_problem_is_told() -> None:
    """Several problems come in one message, a line each."""
    lines = refused({"zzz": 1, "test-paths": 2}).splitlines()
    assert lines[0] == "a.toml: 2 problems"
    assert {line.split(":")[0].strip() for line in lines[1:]} == {"tool.it.zzz", "tool.it.test-paths"}


def test_long_value_is_cut() -> None:
    """A value that is too long for a line is shown in part."""
    message = refused({"test-paths": "x" * 500})
    assert message.endswith("xxx…")
    assert len(message) < 150


def test_what_is_nested_too_deeply_is_told(tmp_path: Path) -> None:
    """A document that is nested more deeply than Python reads is told like any other that is no TOML."""
    (tmp_path / "pyproject.toml").write_text(f"a = {'[' * 5000}", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^pyproject\.toml: not valid TOML: .* are nested too deeply$"):
        read_settings(Settings, "it", tmp_path)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A file that is not UTF-8 is told by the name it was asked for."""
    (tmp_path / "a.toml").write_bytes(b"a = 'caf\xe9'")
    with pytest.raises(SettingsError, match=r"docs/a\.toml: not valid TOML"):
        load_toml(tmp_path / "a.toml", "docs/a.toml")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("REQ-63", ["REQ-636", "REQ-700"], "did you mean 'REQ-636'?"),
        ("max_line", ["max-lines"], "did you mean 'max-lines'?"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("zzz", [], "none is known"),
    ],
)
def test_nearest_name_is_suggested(word: str, known: list[str], hint: str) -> None:
    """The nearest name is asked after, and all are listed where none is near."""
    assert suggest(word, known) == hint
