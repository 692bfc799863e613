"""Which PostgreSQL is used on this machine, what it lacks, and where it can't work."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.local import postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return what makes a package with a server that has some extensions; no other package is there."""
    monkeypatch.delenv(postgres.NAMED, raising=False)
    monkeypatch.setattr(postgres, "PACKAGES", ("floe_test_plain", "floe_test_contrib"))
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, *extensions: str) -> Path:
        folder = tmp_path / name / "pginstall"
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "postgres").touch()
        (folder / "share" / "postgresql" / "extension").mkdir(parents=True)
        for each in ("plpgsql", *extensions):
            (folder / "share" / "postgresql" / "extension" / f"{each}.control").touch()
        (tmp_path / name / "__init__.py").touch()
        return folder

    return make


def test_server_with_most_extensions_is_taken(packages: Callable[..., Path]) -> None:
    """Of the servers that are installed the one that has more of the usual extensions is used."""
    assert postgres.installation() is None
    plain = packages("floe_test_plain")
    assert postgres.installation() == plain
    contrib = packages("floe_test_contrib", "pgcrypto", "citext")
    assert postgres.installation() == contrib


def test_what_is_missing_is_said(packages: Callable[..., Path]) -> None:
    """The first lines name the extensions that are missing, and what brings them if it isn't there."""
    packages("floe_test_plain", "hstore")
    assert postgres.origin() == (
        "PostgreSQL's own server, without the extensions pgcrypto, uuid-ossp, pg_trgm, citext, and without ICU "
        "collations; `pip install 'floe-ci[contrib]'` brings most"
    )
    packages("floe_test_contrib", "pgcrypto", "hstore", "pg_trgm", "citext")
    assert postgres.origin() == "PostgreSQL's own server, without the extensions uuid-ossp, and without ICU collations"


def test_named_server_is_taken(packages: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is named goes before every package, and one that isn't there is told."""
    packages("floe_test_plain")
    own = packages("elsewhere", *postgres.EXTENSIONS)
    monkeypatch.setenv(postgres.NAMED, str(own))
    assert postgres.installation() == own
    assert postgres.origin() == "PostgreSQL's own server"
    monkeypatch.setenv(postgres.NAMED, str(tmp_path / "nothing"))
    with pytest.raises(UserError, match=r"^FLOE_CI_POSTGRES=.*nothing: there is no bin/postgres in it"):
        postgres.installation()


def test_quotation_mark_is_refused(tmp_path: Path) -> None:
    """A folder whose name the server's own tools can't quote is told before anything is started."""
    with pytest.raises(UserError, match="whose name has a quotation mark: name another with TMPDIR"):
        postgres.refuse_closed(tmp_path / 'a"b' / "run")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root's server has another account")
def test_folder_that_the_account_cannot_reach_is_refused(tmp_path: Path) -> None:
    """As root, a folder for temporary files that is closed to others is told with what to open."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(UserError, match=r"as nobody it can't reach .*closed: open .* to others \(chmod o\+x\)"):
        postgres.refuse_closed(closed / "run")
