"""What an editor knows of a repository's table: a JSON schema, made from the models that the table is held to."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, Final

from floe_ci.config import Chart, Config, Resources, RunnerConfig, TierConfig, Timeouts
from floe_ci.shards import MOST as MOST_SHARDS
from floe_ci.toml_files import TABLE

if TYPE_CHECKING:
    from pydantic import BaseModel

    from floe_ci.catalog import Catalog

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
"""That of taplo, which editors ask for tables of TOML."""
MODELS: Final = (Config, RunnerConfig, TierConfig, Timeouts, Chart, Resources)
_DEFINITIONS: Final = "definitions"


def schema(catalog: Catalog) -> dict[str, Any]:
    """Return the schema of a `pyproject.toml` or `floe-ci.toml`: it says what our table may have, and no more.

    Args:
        catalog: The services that a tier may name.
    """
    made = Config.model_json_schema(ref_template=f"#/{_DEFINITIONS}/{{model}}")
    definitions = made.pop("$defs") | {Config.__name__: made}
    for model in MODELS:
        _describe(definitions[model.__name__], model)
    tier, tables = definitions[TierConfig.__name__]["properties"], definitions[Config.__name__]["properties"]
    tier["services"]["items"] = {"enum": sorted(catalog.services)}
    tier["shards"]["anyOf"][0] |= {"minimum": 1, "maximum": MOST_SHARDS}
    for key in ("paths", "nodes"):
        del tier[key]["default"]  # each tier has another
    # An editor proposes names of properties, and takes those that a pattern allows as they come.
    names = tables["tiers"].pop("propertyNames")["enum"]
    tables["tiers"] |= {
        "properties": dict.fromkeys(names, tables["tiers"]["additionalProperties"]),
        "additionalProperties": False,
    }
    ours = {"$ref": f"#/{_DEFINITIONS}/{Config.__name__}"}
    tool = {"type": "object", "properties": {TABLE: ours}}
    document = {"$schema": DRAFT, "type": "object", "properties": {"tool": tool}}
    return document | {_DEFINITIONS: {name: _for_toml(each) for name, each in definitions.items()}}


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field of a class, as one line."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for the type checker
    return {
        field.target.id: one_line(ast.literal_eval(after.value))
        for field, after in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr)
    }


def one_line(text: str | None) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def _describe(table: dict[str, Any], model: type[BaseModel]) -> None:
    about = descriptions(model)
    for name, field in model.model_fields.items():
        described = {"description": about[name]} if name in about else {}
        table["properties"][field.alias or name] |= described


def _for_toml(part: Any) -> Any:  # noqa: ANN401 - whatever a schema is made of
    """Return a part of a schema without what TOML has not, which is null, and without titles, which repeat the keys."""
    if isinstance(part, list):
        return [_for_toml(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {name: each for name, each in part.items() if not _is_noise(name, each)}
    choices = [each for each in kept.pop("anyOf", []) if each != {"type": "null"}]
    kept |= choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}
    return {name: _for_toml(each) for name, each in kept.items()}


def _is_noise(name: str, value: object) -> bool:
    return (name == "title" and isinstance(value, str)) or (
        name == "default" and (value is None or isinstance(value, dict))
    )
