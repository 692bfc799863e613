"""Dependencies as Poetry and Pipenv write them, in tables, told as the requirements that everybody else reads."""

from __future__ import annotations

import re
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

_NUMBERS: Final = re.compile(r"([\^~])\s*(\d+(?:\.\d+)*)([-.+\w]*)")
"""A range by its sign, the numbers of the version that it begins with, and what that has behind them, such as `b1`."""
_BETWEEN: Final = re.compile(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])")
"""What stands between two ranges: a comma, or to Poetry a space as well."""
_SCP: Final = re.compile(r"((?:[\w.-]+@)?[\w.-]+):(?!//)/?(.+)")
"""Git's short form of an address, as `git@github.com:a/b.git`."""
_NAME: Final = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)
"""A package's; another key would be an option of the installer's, or a file of arguments."""
_COMPARED: Final = re.compile(r"(===?|~=|!=|[<>]=?)\s*(\d[\w.*]*)")
_MARKERS: Final = (
    "os_name", "platform_machine", "platform_system", "python_version", "python_full_version", "sys_platform"
)  # fmt: skip
"""Keys of Pipenv's that stand for markers."""


def requirements(table: dict[str, Any]) -> list[str]:
    """Return a table of dependencies as requirements.

    Those that are wanted only for an extra are left out, and so are keys that are no names of packages.
    """
    return [
        _requirement(name, wanted)
        for name, listed in table.items()
        if name.lower() != "python" and _NAME.fullmatch(name)
        # Several, each for other interpreters or systems.
        for wanted in (listed if isinstance(listed, list) else [listed])
        if not (isinstance(wanted, dict) and wanted.get("optional") is True)
    ]


def _requirement(name: str, wanted: object) -> str:
    if not isinstance(wanted, dict):
        return f"{name}{_specifier(wanted)}"
    extras = f"[{','.join(map(str, found))}]" if isinstance(found := wanted.get("extras"), list) else ""
    if isinstance(path := wanted.get("path"), str):
        return f"{path if path.startswith('/') else './' + path.removeprefix('./')}{extras}"
    marker = f"; {found}" if (found := _marker(wanted)) else ""
    if isinstance(address := wanted.get("url") or wanted.get("file") or wanted.get("git"), str):
        revision = next((wanted[key] for key in ("rev", "ref", "tag", "branch") if key in wanted), "")
        below = f"#subdirectory={wanted['subdirectory']}" if "subdirectory" in wanted else ""
        at = f"git+{_url(address)}{revision and '@'}{revision}{below}" if "git" in wanted else address
        return f"{name}{extras} @ {at}{marker and ' '}{marker}"
    return f"{name}{extras}{_specifier(wanted.get('version'))}{marker}"


def _url(address: str) -> str:
    """Return the address of a repository of Git in the form that has a scheme."""
    return f"ssh://{found[1]}/{found[2]}" if (found := _SCP.fullmatch(address)) else address


def _marker(wanted: dict[str, Any]) -> str:
    """Return for which interpreters and systems a dependency is; empty: for all."""
    said = {name: value for name, value in wanted.items() if isinstance(value, str)}
    compared = _COMPARED.findall(_specifier(said.get("python")))
    parts = [
        *((f"({said['markers']})" if " or " in said["markers"] else said["markers"],) if "markers" in said else ()),
        *(f"{_python(version)} {sign} '{version}'" for sign, version in compared),
        *((f"sys_platform == '{said['platform']}'",) if "platform" in said else ()),
        *(f"{name} {said[name]}" for name in _MARKERS if name in said),
    ]
    return " and ".join(parts)


def _python(version: str) -> str:
    return "python_full_version" if version.removesuffix(".*").count(".") > 1 else "python_version"


def _specifier(version: object) -> str:
    """Return Poetry's `^1.2` and `~1.2` as a range; what is several of them in one is left open."""
    if not isinstance(version, str) or version.strip() in {"", "*"} or "|" in version:
        return ""
    return ",".join(filter(_is_valid, map(_range, _BETWEEN.split(version.strip()))))


def _is_valid(specifier: str) -> bool:
    try:
        return bool(SpecifierSet(specifier))
    except InvalidSpecifier:
        return False


def _range(part: str) -> str:
    found = _NUMBERS.fullmatch(part)
    if found is None:
        return part if re.match(r"[<>!~]|==", part) else f"=={part.removeprefix('=').strip()}"
    numbers = [int(each) for each in found[2].split(".")]
    # A caret lets everything change behind the first number that is not zero, a tilde behind the second.
    first = next((place for place, each in enumerate(numbers) if each), len(numbers) - 1)
    kept = min(first if found[1] == "^" else 1, len(numbers) - 1)
    return f">={found[2]}{found[3]},<{'.'.join(map(str, [*numbers[:kept], numbers[kept] + 1]))}"
