"""Packages whose names are imported when somebody asks for them: pytest starts with this one in every session."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_of(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return a package's `__getattr__`, which imports the module that has a name.

    Args:
        package: The package's name.
        modules: The names that each module has, by the module's own.
    """
    found = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:  # noqa: ANN401 - whatever it is called
        if name not in found:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module(found[name]), name)

    return get
