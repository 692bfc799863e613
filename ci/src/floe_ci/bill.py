"""A bill of materials of the tests' image, as CycloneDX: its Python packages and its Debian packages, as installed."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from floe_ci.bundle_file import this_version

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST: Final = """\
set -e
. /etc/os-release
echo "$ID $VERSION_CODENAME"
dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\\n'
echo
python -c 'from importlib.metadata import distributions
for each in distributions(): print(each.metadata["Name"], each.version)'
"""
"""Has the image say what is in it: `bill` reads that."""


def bill(name: str, said: str) -> str:
    """Return the bill of an image of this name, by what `LIST` said in it."""
    debian, _, python = said.partition("\n\n")
    (system, release), *packages = (line.split(" ") for line in debian.splitlines())
    components = [
        *(_debian(system, release, *package) for package in packages),
        *(_python(*line.split(" ")) for line in sorted(python.splitlines(), key=str.lower)),
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        # The same for the same image.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, said)}",
        "metadata": {
            "component": {"type": "container", "bom-ref": name, "name": name},
            "tools": {"components": [{"type": "application", "name": "floe-ci", "version": this_version()}]},
        },
        "components": list(_once(components)),
    }
    return json.dumps(document, indent=2) + "\n"


def _debian(system: str, release: str, name: str, version: str, processor: str) -> dict[str, Any]:
    purl = f"pkg:deb/{system}/{quote(name)}@{quote(version, safe=':')}?arch={processor}&distro={release}"
    return _component(name, version, purl)


def _python(name: str, version: str) -> dict[str, Any]:
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return _component(name, version, f"pkg:pypi/{normal}@{quote(version, safe=':')}")


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _once(components: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Return components without those that stand there twice, as a package does that two folders of Python's have."""
    return {each["bom-ref"]: each for each in components}.values()
