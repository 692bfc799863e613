"""Each journey of the end-to-end tier fails when its service is broken on purpose, and passes when that is mended."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from journeys import BROKEN, NOBODY, POLICY
from repositories import Done, run
from tests.engine.conftest import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journeys import Breakage
    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.requirement("REQ-641"), pytest.mark.timeout(1800)]


class Platform:
    """A copy of this repository, whose end-to-end tier is up in a cluster that stays."""

    def __init__(self, folder: Path) -> None:
        """Take the copy that is in `folder`."""
        self.folder = folder

    def floe_ci(self, *args: str, timeout: float = 600) -> Done:
        """Run `floe-ci` in it."""
        return run([sys.executable, "-m", "floe_ci", *args], self.folder, timeout)

    def kubectl(self, *args: str) -> str:
        """Return what kubectl prints in the namespace of the services."""
        done = self.floe_ci("shell", "--", "kubectl", *args)
        assert done.code == 0, done.errors
        return done.output

    def test(self, *tests: str, timeout: float = 900) -> dict[str, str]:
        """Run tests in the cluster, and return the message of each by its name; that of one that passed is empty."""
        options = ("test", "--on", "dagger", "--tier", "e2e", *OPTIONS, "--results", "results/broken")
        done = self.floe_ci(*options, *tests, timeout=timeout)
        assert done.code in {0, 1}, done.errors[-3000:]
        root = ET.parse(self.folder / "results" / "broken" / "junit.xml").getroot()  # noqa: S314 - our own
        return {str(case.get("name")): message(case) for case in root.iter("testcase")}

    @contextmanager
    def without(self, breakage: Breakage) -> Iterator[None]:
        """Break what a journey needs, and mend it afterwards."""
        if breakage.how == "refused":
            policy = self.folder / "policy.yaml"
            policy.write_text(POLICY, encoding="utf-8")
            file = f"--filename={policy}"
            self.kubectl("apply", file)
            try:
                self.wait_until_refused()
                yield
            finally:
                self.kubectl("delete", file)
            return
        field = {"deaf": "ports", "unselective": "selector"}[breakage.how]
        sound = json.loads(self.kubectl("get", "service", breakage.broken, "--output=json"))["spec"][field]
        if breakage.how == "deaf":
            self.patch(breakage.broken, field, [{**port, "targetPort": NOBODY} for port in sound])
        else:
            self.kubectl("patch", "service", breakage.broken, "--type=json", f"--patch={removal(field)}")
        try:
            yield
        finally:
            self.patch(breakage.broken, field, sound)

    def patch(self, service: str, field: str, value: object) -> None:
        """Set a field of a Service's specification."""
        operation = json.dumps([{"op": "add", "path": f"/spec/{field}", "value": value}])
        self.kubectl("patch", "service", service, "--type=json", f"--patch={operation}")

    def wait_until_refused(self) -> None:
        """Wait until the policy holds, which the API takes a moment for."""
        script = "timeout 60 sh -c 'while kubectl create namespace broken --dry-run=server; do :; done'"
        done = self.floe_ci("shell", "--", "sh", "-c", script)
        assert "broken on purpose" in done.errors, done.errors


def removal(field: str) -> str:
    """Return the patch that removes a field of a Service's specification."""
    return json.dumps([{"op": "remove", "path": f"/spec/{field}"}])


def message(case: ET.Element[Any]) -> str:
    """Return what a test says of its failure, or nothing."""
    ends = [each for each in case if each.tag in {"failure", "error"}]
    return "\n".join(f"{each.get('message')}\n{each.text}" for each in ends)


@pytest.fixture(scope="module")
def platform(dagger: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Yield the platform, with everything up."""
    there = Platform(tmp_path_factory.mktemp("platform") / "main")
    subprocess.run(["git", "clone", "--quiet", str(dagger.root), str(there.folder)], check=True)
    up = there.floe_ci("up", "--on", "dagger", "--tier", "e2e", *OPTIONS, timeout=1500)
    try:
        assert up.code == 0, up.errors[-3000:]
        yield there
    finally:
        ended = there.floe_ci("down", "--on", "dagger")
    assert ended.code == 0, ended.errors


@pytest.mark.parametrize("name", BROKEN)
def test_journey_fails_without_its_service(platform: Platform, name: str) -> None:
    """A journey whose service is broken on purpose fails, and names the service."""
    breakage = BROKEN[name]
    with platform.without(breakage):
        told = platform.test(breakage.test)
    assert len(told) == 1, told
    assert all(breakage.broken in each.casefold() for each in told.values()), told


def test_journeys_pass_with_their_services(platform: Platform) -> None:
    """Where each service has been broken and is mended again, the same journeys pass: that is all they failed of."""
    told = platform.test(*(breakage.test for breakage in BROKEN.values()), timeout=1500)
    assert len(told) == len(BROKEN)
    assert {name: each for name, each in told.items() if each} == {}
