"""How long tests took, kept in a ConfigMap of the cluster."""

from __future__ import annotations

import base64
import random
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.errors import UserError
from floe_ci.existing import kept_durations
from floe_ci.shards import durations_text

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

WHERE = "ci/durations"
MAPS = "/api/v1/namespaces/ci/configmaps"
PATH = f"{MAPS}/durations"
TEXT = durations_text({}, {"t/a.py::b": 2.5, "t/a.py::a": 1.0}, whole=True)


def config_map(**data: bytes) -> dict[str, Any]:
    """Return a ConfigMap with a file in it, or another."""
    packed = {name.replace("_", "."): base64.b64encode(content).decode() for name, content in data.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "durations"}, "binaryData": packed}


def test_first_run(api: ApiServer) -> None:
    """Where no run has been there is nothing to know, and the first one makes the ConfigMap, which is not its own."""
    api.objects[f"PATCH {PATH}"] = HTTPStatus.NOT_FOUND
    assert kept_durations.read(api.apis, WHERE) == {}
    kept_durations.write(api.apis, WHERE, TEXT)
    (made,) = api.created
    assert made["metadata"] == {"name": "durations", "labels": {"app.kubernetes.io/managed-by": "floe-ci"}}
    api.objects[PATH] = made
    assert kept_durations.read(api.apis, WHERE) == {"t/a.py::a": 1.0, "t/a.py::b": 2.5}


def test_next_run(api: ApiServer) -> None:
    """A run that follows puts what it knows in the place of what is there, and changes nothing else of it."""
    kept_durations.write(api.apis, WHERE, TEXT)
    assert (api.changes, api.created) == ([f"PATCH {PATH}"], [])
    assert [each.keys() for each in api.applied] == [{"binaryData"}]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (HTTPStatus.FORBIDDEN, "ConfigMap ci/durations can't be read: .*no: 403"),
        (config_map(other=b"x"), "has no durations.json.gz: it is something else"),
        (config_map(durations_json_gz=b"no"), "durations.json.gz of ConfigMap ci/durations can't be read: Error -3"),
        (config_map(durations_json_gz=zlib.compress(b"{}", wbits=31)[:-1]), "can't be read: it is cut off, or larger"),
        (config_map(durations_json_gz=zlib.compress(b"\xff", wbits=31)), "can't be read: 'utf-8' codec"),
        (
            config_map(durations_json_gz=zlib.compress(b"[1]", wbits=31)),
            "can't be read: it is no JSON object of seconds by the ids of tests; delete the ConfigMap$",
        ),
        (
            config_map(durations_json_gz=zlib.compress(b"nonsense", wbits=31)),
            r"of ConfigMap ci/durations can't be read: Expecting value: [^;]*; delete the ConfigMap$",
        ),
        (
            config_map(durations_json_gz=zlib.compress(b"[" * 200_000, wbits=31)),
            r"can't be read: maximum recursion depth [^;]*; delete the ConfigMap$",
        ),
    ],
    ids=["refused", "another", "no archive", "half an archive", "no text", "no durations", "no JSON", "deep"],
)
def test_what_is_no_store(api: ApiServer, found: object, reason: str) -> None:
    """What can't be read, or is something else, is told with its name."""
    api.objects[PATH] = found
    with pytest.raises(UserError, match=reason):
        kept_durations.read(api.apis, WHERE)


def test_little_that_is_much(api: ApiServer) -> None:
    """What would unpack to more than any durations is told, and not unpacked."""
    api.objects[PATH] = config_map(durations_json_gz=zlib.compress(b" " * (65 << 20), wbits=31))
    with pytest.raises(UserError, match="or larger than 64 MiB; delete the ConfigMap"):
        kept_durations.read(api.apis, WHERE)


def test_refused(api: ApiServer) -> None:
    """What the cluster does not take is told."""
    api.objects[f"PATCH {PATH}"] = HTTPStatus.NOT_FOUND
    api.objects[f"POST {MAPS}"] = HTTPStatus.FORBIDDEN
    with pytest.raises(UserError, match=r"durations of this run are not in ConfigMap ci/durations: .*no: 403"):
        kept_durations.write(api.apis, WHERE, TEXT)


def test_room(api: ApiServer) -> None:
    """A ConfigMap holds 50,000 tests with ids as they are; what it can't hold is told, and nothing is sent."""
    draw = random.Random(7)  # noqa: S311 - durations of a test
    many = {
        f"tests/integration/orders/test_part_{number % 400}.py::TestOrders::test_case[{number}]": draw.random()
        for number in range(50_000)
    }
    kept_durations.write(api.apis, WHERE, durations_text({}, many, whole=True))
    assert len(api.changes) == 1
    with pytest.raises(UserError, match=r"can't hold the durations: .* KiB, and 1000 are the most"):
        kept_durations.write(api.apis, WHERE, draw.randbytes(2 << 20).hex())
    assert len(api.changes) == 1
