"""Services that are kept are found as long as their worker lives."""

from __future__ import annotations

from pathlib import Path

import pytest
from floe_ci.errors import UserError
from floe_ci.local import kept
from floe_ci.local.kept import Kept

SERVICES = Kept(worker=1, services=("postgres",), variables={}, passwords=("x",), pids=Path("p"), logs=Path("l"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_found_while_claimed(tmp_path: Path) -> None:
    """What is made known is found, for that repository only, until the claim ends."""
    with kept.claim(tmp_path) as make_known:
        assert kept.find(tmp_path) is None
        make_known(SERVICES)
        assert kept.find(tmp_path) == SERVICES
        assert kept.find(tmp_path / "other") is None
        assert kept.claimed(tmp_path)
    assert kept.find(tmp_path) is None
    assert not kept.claimed(tmp_path)


def test_second_claim_is_refused(tmp_path: Path) -> None:
    """A repository has one set of services; the message says how to end them."""
    with kept.claim(tmp_path), pytest.raises(UserError, match="floe-ci down --on local"), kept.claim(tmp_path):
        pass


def test_record_of_a_killed_worker_counts_for_nothing(tmp_path: Path) -> None:
    """A record that nobody claims is none."""
    with kept.claim(tmp_path) as make_known:
        make_known(SERVICES)
        (record,) = (tmp_path / "cache").rglob("*.json")
        text = record.read_text()
    record.write_text(text)
    assert kept.find(tmp_path) is None


def test_record_is_private(tmp_path: Path) -> None:
    """The record holds passwords, so only its owner can read it."""
    with kept.claim(tmp_path) as make_known:
        make_known(SERVICES)
        (record,) = (tmp_path / "cache").rglob("*.json")
        assert record.stat().st_mode & 0o077 == 0
