"""The environment of the tests: what a container would have, and of the caller's own only what is asked for.

A developer's shell holds addresses and passwords of real databases. None of them gets to a test by accident: variables
are passed on by a list of names, and files in the home folder that clients read by themselves are put out of sight.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from ipaddress import ip_address
from string import Template
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from floe_ci import contract
from floe_ci.config import expand_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from floe_ci.local.offer import Offer

PASSED: Final = (
    # Who and where the caller is.
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "XDG_*", "CI",
    # Language, time, and what a terminal can show.
    "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR",
    # Compilers, and libraries that are not where the system has its own.
    "CC", "CXX", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG*", "LD_LIBRARY_PATH", "DYLD_*", "NIX_*",
    "JAVA_HOME",
    # A company's own certificate authority.
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
"""Variables of the caller that tests get; a name that ends with `*` stands for all that begin so."""
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
"""In lower and in upper case: one of another machine is passed; one of this machine would take the services' calls."""
DIRECT: Final = ("127.0.0.1", "localhost", "::1")
"""Where the run's services are: calls to them go through no proxy."""


def environment(
    offer: Offer, packages: Path, folder: Path, results: Path, services: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the tests.

    Args:
        offer: What is to run.
        packages: The virtual environment.
        folder: Of this run alone, for temporary files.
        results: Where the tests may leave files.
        services: The variables of the services.
    """
    plan = offer.plan
    run_variables = {**offer.absent_variables(), **services, **plan.variables(str(results))}
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **_out_of_sight(folder / "nothing"),
        **passed(os.environ, plan.tier.pass_environment),
        **expand_environment(offer.environment, run_variables),
        **run_variables,
        "PATH": f"{packages / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(packages),
        "TMPDIR": str(temporary),
        # There is no cluster here: tests that need one must not find the developer's own.
        "KUBECONFIG": os.devnull,
        "COVERAGE_FILE": str(temporary / ".coverage"),
        "PYTHONUNBUFFERED": "1",
        # The source is the developer's; what Python makes of it stays out of it.
        "PYTHONPYCACHEPREFIX": str(packages / "pycache"),
    }


def beside(offer: Offer, services: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of tests that somebody else starts, such as an editor, beside services that stay.

    Each such start is a run of its own, so the variables that a run is told by are not among them.
    """
    plan = offer.plan
    run_variables = {**offer.absent_variables(), **services, **plan.variables()}
    of_one_run = (contract.ENV_RUN_ID, contract.ENV_RESULTS_DIR)
    lasting = {name: value for name, value in run_variables.items() if name not in of_one_run}
    # A value of the tier's that is made of what only a run has can't be told.
    settled = {
        name: value
        for name, value in offer.environment.items()
        if not set(of_one_run).intersection(Template(value).get_identifiers())
    }
    return {**expand_environment(settled, run_variables), **lasting}


def passed(caller: Mapping[str, str], also: Iterable[str] = ()) -> dict[str, str]:
    """Return the caller's variables that tests get: those of the list, and those that the tier asks for."""
    patterns = (*PASSED, *also)
    chosen = {name: value for name, value in caller.items() if any(fnmatchcase(name, each) for each in patterns)}
    proxies = {
        name: value for name, value in caller.items() if name.lower() in PROXIES and not _is_of_this_machine(value)
    }
    without = [part for part in (caller.get("no_proxy") or caller.get("NO_PROXY") or "").split(",") if part.strip()]
    direct = ",".join(dict.fromkeys([*(part.strip() for part in without), *DIRECT]))
    return {**proxies, **chosen, "NO_PROXY": direct, "no_proxy": direct}


def _out_of_sight(nothing: Path) -> dict[str, str]:
    """Return what keeps clients from the files of the developer's home that name servers and hold passwords."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # libpq warns of a device, and passes over what isn't there.
        "PGPASSFILE": str(nothing / "pgpass"),
        "PGSERVICEFILE": str(nothing / "pg_service.conf"),
        "PGSYSCONFDIR": str(nothing),
    }


def _is_of_this_machine(proxy: str) -> bool:
    try:
        host = urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # a name
