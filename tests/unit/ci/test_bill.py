"""The bill of materials of the tests' image."""

from __future__ import annotations

import json
import subprocess
import sys

from floe_ci.bill import LIST, bill

SAID = """\
debian trixie
bash 5.2.37-2+b5 amd64
libstdc++6 14.2.0-19 amd64
login 1:4.16.0-2 amd64

pytest 9.2.0
Typing_Extensions 4.15.0
pytest 9.2.0
local 1.0+here
"""


def test_every_package_is_a_component() -> None:
    """Each package, once, is a component with its version and the address that tools know it by."""
    document = json.loads(bill("floe.local/runner:dev", SAID))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "floe.local/runner:dev"
    assert [(each["name"], each["version"], each["purl"]) for each in document["components"]] == [
        ("bash", "5.2.37-2+b5", "pkg:deb/debian/bash@5.2.37-2%2Bb5?arch=amd64&distro=trixie"),
        ("libstdc++6", "14.2.0-19", "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=trixie"),
        ("login", "1:4.16.0-2", "pkg:deb/debian/login@1:4.16.0-2?arch=amd64&distro=trixie"),
        ("local", "1.0+here", "pkg:pypi/local@1.0%2Bhere"),
        ("pytest", "9.2.0", "pkg:pypi/pytest@9.2.0"),
        ("Typing_Extensions", "4.15.0", "pkg:pypi/typing-extensions@4.15.0"),
    ]


def test_same_image_has_the_same_bill() -> None:
    """The bill of an image is the same each time, and that of another image is another one."""
    assert bill("runner", SAID) == bill("runner", SAID)
    numbers = {json.loads(bill("runner", text))["serialNumber"] for text in (SAID, SAID.replace("9.2.0", "9.2.1"))}
    assert len(numbers) == 2


def test_python_says_what_is_installed() -> None:
    """What is asked in the image is a script that a shell takes, and Python's part of it names what is installed."""
    assert subprocess.run(["sh", "-n", "-c", LIST], timeout=60, check=False).returncode == 0
    script = LIST.partition("python -c '")[2].rpartition("'")[0]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert all(len(line.split(" ")) == 2 for line in done.stdout.splitlines())
