"""Measure what the fixtures cost: a hundred tests that take a database and a bucket each, with ours and by hand.

The services are those that `floe-ci up --on local` left here, or else those of the environment: `FLOE_POSTGRES_HOST`
and so on. Both sides are whole sessions of pytest over the same tests, and take turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess  # the sessions that are measured
import sys
import tempfile
import time
from pathlib import Path

from floe_ci.local import kept

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
BAR = 1.3
SUITE = """
import io
import pytest

@pytest.mark.parametrize("number", range(100))
def test_orders(postgres, minio, minio_bucket, number):
    postgres.execute("CREATE TABLE orders (id integer)")
    postgres.execute("INSERT INTO orders VALUES (%s)", (number,))
    assert postgres.execute("SELECT id FROM orders").fetchall() == [(number,)]
    minio.put_object(minio_bucket, "orders.csv", io.BytesIO(b"1"), 1)
    assert minio.stat_object(minio_bucket, "orders.csv").size == 1
"""
BY_HAND = """
import os
import uuid

import psycopg
import pytest
from minio import Minio

SERVER = " ".join(
    f"{key}={os.environ['FLOE_POSTGRES_' + key.upper()]}"
    for key in ("host", "port", "user", "password")
)

@pytest.fixture(scope="session")
def admin():
    with psycopg.connect(f"{SERVER} dbname={os.environ['FLOE_POSTGRES_DATABASE']}", autocommit=True) as connection:
        yield connection

@pytest.fixture
def postgres(admin):
    name = f"test_{uuid.uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    connection = psycopg.connect(f"{SERVER} dbname={name}")
    yield connection
    connection.close()
    admin.execute(f"DROP DATABASE {name}")

@pytest.fixture(scope="session")
def minio():
    settings = {key: os.environ[f"FLOE_MINIO_{key}"] for key in ("HOST", "PORT", "ACCESS_KEY", "SECRET_KEY")}
    return Minio(
        f"{settings['HOST']}:{settings['PORT']}",
        access_key=settings["ACCESS_KEY"],
        secret_key=settings["SECRET_KEY"],
        secure=False,
    )

@pytest.fixture
def minio_bucket(minio):
    name = f"test-{uuid.uuid4().hex}"
    minio.make_bucket(name)
    yield name
    for each in minio.list_objects(name, recursive=True):
        minio.remove_object(name, each.object_name)
    minio.remove_bucket(name)
"""


def session(folder: Path, *arguments: str) -> float:
    """Return the seconds that a session takes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if "100 passed" not in done.stdout:
        raise SystemExit(done.stdout + done.stderr)
    return seconds


def main() -> None:
    """Print each turn, the medians, and their ratio; exit with 1 when it is above the bar."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    if up := kept.find(Path()):
        os.environ.update(up.variables)
    with tempfile.TemporaryDirectory() as name:
        ours, by_hand = Path(name, "ours"), Path(name, "by_hand")
        for folder in (ours, by_hand):
            folder.mkdir()
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            (folder / "test_orders.py").write_text(SUITE, encoding="utf-8")
        (by_hand / "conftest.py").write_text(BY_HAND, encoding="utf-8")
        turns = []
        for turn in range(1, TURNS + 1):
            turns.append((session(by_hand, "-p", "no:floe"), session(ours)))
            print(f"turn {turn}: by hand {turns[-1][0]:.2f} s, fixtures {turns[-1][1]:.2f} s")
    hand, fixtures = (statistics.median(side) for side in zip(*turns, strict=True))
    print(f"medians: by hand {hand:.2f} s, fixtures {fixtures:.2f} s, ratio {fixtures / hand:.2f} (at most {BAR})")
    raise SystemExit(fixtures / hand > BAR)


if __name__ == "__main__":
    main()
