"""Tables that a person wrote: `[tool.floe-testing.…]` of a `pyproject.toml`, and TOML documents."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from floe_testing.errors import FloeTestingError

TOOL: Final = "floe-testing"
_LONGEST_VALUE: Final = 60

_REASONS: Final = {
    "extra_forbidden": "unknown key; {hint}",
    "missing": "is missing",
    "literal_error": "must be {expected}, not {value}",
    "tuple_type": "must be a list, not {value}",
    "string_type": "must be a string in quotes, not {value}",
    "model_type": "must be a table, not {value}",
    "greater_than_equal": "must be at least {ge:g}, not {value}",
    "less_than_equal": "must be at most {le:g}, not {value}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_unicode": "is not UTF-8: rename {value}",
    "value_error": "{error}",
}
"""Pydantic's kinds of errors, in words for a reader of TOML."""


class SettingsError(FloeTestingError):
    """A table says what can't be; the message names every problem."""


class Table(BaseModel):
    """A table of the file: keys in kebab-case, and no others than those named."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_alias=True,
        validate_by_name=True,  # for Python's own callers; `validate` takes the kebab-case names only
    )


T = TypeVar("T", bound=Table)


def find_root() -> Path:
    """Return the nearest folder upwards with a `pyproject.toml`, or the working folder where there is none."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)


def read_settings(model: type[T], name: str, root: Path, context: Mapping[str, object] | None = None) -> T:
    """Return what `[tool.floe-testing.<name>]` of the repository at `root` says; no table means the defaults.

    Args:
        model: What it should be.
        name: The table's name.
        root: The repository.
        context: What the model's validators need to know beside the table.

    Raises:
        SettingsError: The file is no TOML, or the table says what can't be.
    """
    file = root / "pyproject.toml"
    table: Any = load_toml(file, file.name) if file.is_file() else {}
    path = ("tool", TOOL, name)
    for depth, key in enumerate(path, start=1):
        table = table.get(key, {})
        if not isinstance(table, Mapping):
            message = f"{file.name}: {'.'.join(path[:depth])}: must be a table, not {_shown(table)}"
            raise SettingsError(message)
    return validate(model, table, file.name, ".".join(path), context)


def load_toml(file: Path, where: str) -> dict[str, Any]:
    """Return a TOML document.

    Args:
        file: The document.
        where: What messages call it.

    Raises:
        SettingsError: It is no TOML, or no text.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = "tables or lists are nested too deeply" if isinstance(error, RecursionError) else error
        message = f"{where}: not valid TOML: {problem}"
        raise SettingsError(message) from None


def validate(
    model: type[T], table: object, where: str, name: str = "", context: Mapping[str, object] | None = None
) -> T:
    """Return the table as a model.

    Args:
        model: What it should be.
        table: What was written.
        where: The file, for messages.
        name: The table's dotted name, for messages.
        context: What the model's validators need to know beside the table.

    Raises:
        SettingsError: Names every problem.
    """
    try:
        # A snake_case key must be refused, or a file could be written in two ways.
        return model.model_validate(table, by_alias=True, by_name=False, context=context)
    except ValidationError as error:
        problems = [f"{_dotted(name, each['loc'])}: {_reason(model, each)}" for each in error.errors()]
        heading = f"{where}: " if len(problems) == 1 else f"{where}: {len(problems)} problems\n  "
        raise SettingsError(heading + "\n  ".join(problems)) from None


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the question for the known name nearest to `word`, or else the list of them all."""
    names = sorted(known)
    nearest = get_close_matches(word.replace("_", "-"), names, n=1) or get_close_matches(word, names, n=1)
    if nearest:
        return f"did you mean '{nearest[0]}'?"
    return f"known: {', '.join(names)}" if names else "none is known"


def _reason(model: type[BaseModel], error: ErrorDetails) -> str:
    hint = suggest(str(error["loc"][-1]), _known_keys(model, error["loc"][:-1])) if error["loc"] else ""
    reason = _REASONS.get(error["type"])
    if reason is None:
        return error["msg"]
    return reason.format(**error.get("ctx", {}) | {"value": _shown(error["input"]), "hint": hint})


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at `place`, found by following the models."""
    for part in place:
        if isinstance(part, int):
            continue
        of_part = [field for name, field in model.model_fields.items() if part in {name, field.alias}]
        inner = _models_in(of_part[0].annotation) if of_part else []
        if not inner:
            return []
        model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _dotted(name: str, place: tuple[int | str, ...]) -> str:
    text = name
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _shown(value: object) -> str:
    """Return `value` about as TOML writes it, short enough for one line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
