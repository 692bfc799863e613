"""Tests get the environment that they would have in a cluster, and of the caller's what is named, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from floe_ci import contract
from floe_ci.errors import UserError
from floe_ci.local.offer import Offer
from floe_ci.local.variables import environment, passed
from floe_ci.plan import Plan
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """
[tool.floe-ci.tiers.integration]
services = ["postgres", "redis"]
environment = { URL = "pg://${FLOE_POSTGRES_HOST}", QUEUE = "redis://${FLOE_REDIS_HOST}", PRICE = "$$5" }
pass-environment = ["LICENSE_KEY", "MYAPP_*"]
"""
SERVICES = {"FLOE_POSTGRES_HOST": "here"}
OF_A_DEVELOPER = {
    "PGHOST": "production",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "DATABASE_URL": "postgresql://production",
    "REDIS_URL": "redis://production",
    "AWS_PROFILE": "nope",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_ENDPOINT_URL": "https://s3.example.com",
    "MYSQL_PWD": "secret",
    "GITHUB_TOKEN": "secret",
    "KUBECONFIG": "/home/me/.kube/config",
    "DJANGO_SETTINGS_MODULE": "shop.production",
    "FLOE_NAMESPACE": "other",
    "PYTEST_ADDOPTS": "-x",
    "PYTHONPATH": "/elsewhere",
    "COV_CORE_SOURCE": "x",
    "MAKEFLAGS": "x",
    "UV_PYTHON": "3.9",
    "VIRTUAL_ENV": "/elsewhere",
}


@pytest.fixture
def offer(tmp_path: Path, installed: Callable[..., None]) -> Offer:
    """Return the plan of a run whose tests need variables of their own, on a machine that has PostgreSQL."""
    installed("postgres")
    (tmp_path / "pyproject.toml").write_text(CONFIG)
    return Offer.of(Plan.read(RunRequest(source=tmp_path, run_id="abc")))


def of_tests(offer: Offer, folder: Path) -> dict[str, str]:
    """Return the environment of its tests."""
    return environment(offer, folder / "packages", folder, folder / "results", SERVICES)


def test_variables_of_the_run(offer: Offer, tmp_path: Path) -> None:
    """Tests know their run, their tier, where results go, how to reach services, and the timeouts."""
    found = of_tests(offer, tmp_path)
    assert found[contract.ENV_RUN_ID] == "abc"
    assert found[contract.ENV_TIER] == "integration"
    assert found[contract.ENV_RESULTS_DIR] == str(tmp_path / "results")
    assert found["FLOE_POSTGRES_HOST"] == "here"
    assert (found["URL"], found["PRICE"]) == ("pg://here", "$5")
    assert set(contract.ENV_TIMEOUTS.values()) <= set(found)


def test_nothing_of_the_developers(offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, password or setting of the caller's shell is handed on, whatever it is called."""
    for name, value in OF_A_DEVELOPER.items():
        monkeypatch.setenv(name, value)
    found = of_tests(offer, tmp_path)
    assert {name: found[name] for name in OF_A_DEVELOPER if found.get(name) == OF_A_DEVELOPER[name]} == {}
    assert found["KUBECONFIG"] == os.devnull


def test_what_is_named_is_passed(offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Language, paths and certificates are handed on, and what the tier asks for by name or by its beginning."""
    own = {"LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "SSL_CERT_FILE": "/x.pem", "HOME": "/home/me"}
    asked = {"LICENSE_KEY": "1", "MYAPP_A": "2", "MYAPP_B": "3"}
    for name, value in {**own, **asked, "MYAPPX": "no"}.items():
        monkeypatch.setenv(name, value)
    found = of_tests(offer, tmp_path)
    assert own.items() | asked.items() <= found.items()
    assert "MYAPPX" not in found


def test_files_of_the_home_folder_are_out_of_sight(offer: Offer, tmp_path: Path) -> None:
    """Clients that look for servers and passwords in the home folder by themselves are sent elsewhere."""
    found = of_tests(offer, tmp_path)
    assert (found["AWS_CONFIG_FILE"], found["AWS_SHARED_CREDENTIALS_FILE"]) == (os.devnull, os.devnull)
    for name in ("PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR"):
        assert found[name].startswith(str(tmp_path))
        assert not os.path.exists(found[name])  # noqa: PTH110 - a variable's text


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "localhost:3128", "http://[::1]:9", "http://u:p@127.1.2.3:9"])
def test_proxy_of_this_machine_is_not_passed(proxy: str) -> None:
    """A proxy on the loopback interface would take the calls to the run's services."""
    assert {"HTTP_PROXY", "https_proxy"} & set(passed({"HTTP_PROXY": proxy, "https_proxy": proxy})) == set()


def test_proxy_does_not_stand_before_the_services() -> None:
    """A company's proxy is passed, and calls to the services go past it, as do those that the caller has named."""
    found = passed({"https_proxy": "http://proxy.example.com:3128", "NO_PROXY": "example.com, localhost"})
    assert found["https_proxy"] == "http://proxy.example.com:3128"
    assert found["NO_PROXY"] == found["no_proxy"] == "example.com,localhost,127.0.0.1,::1"


def test_proxy_that_is_asked_for_is_passed() -> None:
    """Who names a variable gets it, whatever is in it."""
    assert passed({"HTTP_PROXY": "http://127.0.0.1:9"}, ["HTTP_PROXY"])["HTTP_PROXY"] == "http://127.0.0.1:9"


def test_variables_of_a_service_that_is_not_here_are_left_out(offer: Offer, tmp_path: Path) -> None:
    """A service that this machine can't run takes its variables with it, and not the whole tier."""
    found = of_tests(offer, tmp_path)
    assert "QUEUE" not in found
    assert "redis" in found[contract.service_variable("redis", contract.ABSENT)]


def test_reference_to_what_only_a_cluster_has_is_told_at_once(tmp_path: Path) -> None:
    """A variable that no run on this machine has is one problem, told when the configuration is read."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.floe-ci.tiers.integration]\nenvironment = { A = "${FLOE_NAMESPACE}" }\n'
    )
    with pytest.raises(UserError, match=r"^environment: A: 'FLOE_NAMESPACE' is no variable of this run; [^\n]*$"):
        Offer.of(Plan.read(RunRequest(source=tmp_path, run_id="abc")))
