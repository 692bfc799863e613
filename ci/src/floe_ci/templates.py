"""Texts in which `${NAME}` stands for a variable, and `$$` for a plain dollar."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from floe_ci.errors import shown, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


def faults(
    text: str, variables: Collection[str] | None, bringing: Callable[[str], str | None] = lambda _: None
) -> Iterator[str]:
    """Yield what is wrong with a text.

    Args:
        text: The text.
        variables: What it may refer to; None: that isn't known yet, and only its form is judged.
        bringing: Returns the service that would bring a variable, if there is one.
    """
    template = Template(text)
    if not template.is_valid():
        yield f"a '$' without a name in {shown(text)}; write '$$' for a plain one"
        return
    for name in template.get_identifiers():
        if variables is None or name in variables:
            continue
        service = bringing(name)
        remedy = f"add '{service}' to the tier's services" if service else suggest(name, variables)
        yield f"'{name}' is no variable of this run; {remedy}"
