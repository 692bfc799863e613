"""What tests took when somebody looked at it and found it good: a JSON file that is kept with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from floe_testing.errors import FloeTestingError
from floe_testing.results.document import beside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from floe_testing.measuring.models import TestPerformance


class BaselinesError(FloeTestingError):
    """The file of the baselines can't be used."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    seconds: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]


def read_baselines(file: Path) -> dict[str, float]:
    """Return the seconds of each test's call, by node id; nothing where there is no file yet.

    Raises:
        BaselinesError: The file says something else; every problem is named.
    """
    try:
        return _File.model_validate_json(file.read_bytes()).seconds
    except FileNotFoundError:
        return {}
    except OSError as error:
        message = f"{file}: can't be read: {error.strerror}"
        raise BaselinesError(message) from None
    except ValidationError as error:
        problems = "\n  ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors())
        message = f"{file}: is no file of baselines; `pytest --update-baselines` writes one\n  {problems}"
        raise BaselinesError(message) from None


def update_baselines(file: Path, known: Mapping[str, float], tests: Iterable[TestPerformance]) -> int:
    """Write the baselines, with those of the tests that passed just now; return how many these are.

    Raises:
        BaselinesError: The file can't be written.
    """
    new = {test.id: round(test.seconds.call, 3) for test in tests if test.outcome == "passed"}
    seconds = dict(sorted({**known, **new}.items()))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside(file).write_text(json.dumps({"version": 1, "seconds": seconds}, indent=2) + "\n", encoding="utf-8")
        beside(file).replace(file)
    except OSError as error:
        message = f"{file}: can't be written: {error.strerror}"
        raise BaselinesError(message) from None
    return len(new)
