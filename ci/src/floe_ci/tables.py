"""Tables of TOML files, held to a model: every problem is told at once, in words for a reader of TOML."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from floe_ci.errors import UserError, shown, suggest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUANTITY: Final = re.compile(r"(?=.*[1-9])\d+(\.\d+)?(m|k|[MGTP]|[KMGTP]i)?")
LONGEST_TEXT: Final = 100_000
"""Characters of one argument or variable: a process takes no more."""

_REASONS: Final = {
    "literal_error": "must be {expected}, not {value}",
    "tuple_type": "must be a list of strings, not {value}",
    "string_type": "must be a string in quotes, not {value}",
    "int_type": "must be a whole number, not {value}",
    "greater_than_equal": "must be at least {ge}, not {value}",
    "less_than_equal": "must be at most {le}, not {value}",
    "string_too_long": "must not be longer than {max_length} characters",
    "model_type": "must be a table, not {value}",
    "mapping_type": "must be a table, not {value}",
    "dict_type": "must be a table, not {value}",
    "string_too_short": "must not be empty",
    "string_unicode": "is not UTF-8, as a file of TOML has to be: rename {value}",
    "missing": "is missing",
}
"""Pydantic's kinds of errors, in words for a reader of TOML."""


class Table(BaseModel):
    """A table of a file: keys in kebab-case, and no others than those named."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_alias=True,
        validate_by_name=True,  # for Python's own callers; `read` takes the kebab-case names only
    )


def problem(text: str) -> PydanticCustomError:
    """Return what a validator raises; the text is told as it is."""
    return PydanticCustomError("floe_ci", "{text}", {"text": text})


def without_nul(text: str) -> str:
    """Refuse a text that ends too early for the system."""
    if "\0" in text:
        reason = f"must not hold a NUL character, which ends a text for the system: {shown(text)}"
        raise problem(reason)
    return text


def inside(path: str) -> str:
    """Refuse a path that leaves the repository, or that a command would take for an option."""
    if PurePosixPath(path).is_absolute():
        reason = f"must be relative to the repository, not absolute: {shown(path)}"
        raise problem(reason)
    if ".." in PurePosixPath(path).parts:
        reason = f"must stay inside the repository, without '..': {shown(path)}"
        raise problem(reason)
    if path.startswith(("-", "@")):
        reason = f"must not start with '{path[0]}', which pytest takes for something else: {shown(path)}"
        raise problem(reason)
    if not path.isprintable():
        reason = f"must not hold control characters: {shown(path)}"
        raise problem(reason)
    return path


def _quantity(text: str) -> str:
    if not _QUANTITY.fullmatch(text):
        reason = f"not an amount as Kubernetes writes it, such as '2', '500m', '512Mi' or '4Gi': {shown(text)}"
        raise problem(reason)
    return text


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(without_nul)]
Value = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(without_nul)]
"""Of a variable or an argument: it may be empty."""
RepositoryPath = Annotated[Text, AfterValidator(inside)]
Quantity = Annotated[str, AfterValidator(_quantity)]
"""Of Kubernetes: `"500m"`, `"512Mi"`."""
Read = TypeVar("Read", bound=Table)


def read(model: type[Read], table: object, where: str, prefix: str = "", **context: object) -> Read:
    """Return a table as its model.

    Args:
        model: What it should be.
        table: What was found.
        where: The file, for messages.
        prefix: The table's own name in the file.
        context: What validators are told.

    Raises:
        UserError: Something of it is wrong: every problem is told.
    """
    try:
        # A snake_case key must be refused, or a file would work here and nowhere else.
        return model.model_validate(table, by_alias=True, by_name=False, context=context)
    except ValidationError as error:
        told = [_explain(model, prefix, detail) for detail in error.errors(include_url=False)]
        raise UserError.of(told, where) from None


def _explain(model: type[Table], prefix: str, error: ErrorDetails) -> str:
    place = error["loc"]
    if place and place[-1] == "[key]":
        place = place[:-1]
    return f"{_dotted(prefix, place) or 'the file'}: {_reason(model, error, place)}"


def _reason(model: type[Table], error: ErrorDetails, place: tuple[int | str, ...]) -> str:
    value, kind = error["input"], error["type"]
    if kind == "extra_forbidden":
        return f"unknown key; {suggest(str(place[-1]), _known_keys(model, place[:-1]))}"
    reason = _REASONS.get(kind, error["msg"].replace("{", "{{").replace("}", "}}"))
    instead = f"; write [{shown(value)}]" if kind == "tuple_type" and isinstance(value, str) else ""
    return reason.format(**error.get("ctx", {}) | {"value": shown(value)}) + instead


def _known_keys(model: type[Table], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at a place below a model's."""
    found: Any = model
    for part in place:
        if isinstance(found, type) and issubclass(found, Table):
            fields = found.model_fields.items()
            found = next(field.annotation for name, field in fields if part in {name, field.alias})
        else:
            # The values of a mapping, or the items of a list.
            found = next(each for each in reversed(get_args(found)) if each is not Ellipsis)
        if get_origin(found) in {Union, UnionType}:
            found = next(each for each in get_args(found) if each is not type(None))
    return [field.alias or name for name, field in found.model_fields.items()]


def _dotted(prefix: str, place: tuple[int | str, ...]) -> str:
    text = prefix
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{part if _BARE_KEY.fullmatch(part) else json.dumps(part)}"
    return text
