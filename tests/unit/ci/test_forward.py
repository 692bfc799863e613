"""The doors that services get outside of their cluster, and the variables by which they are found there."""

from __future__ import annotations

from floe_ci.forward import Door, doors, seen_from_outside


def service(name: str, *ports: int, protocol: str = "TCP") -> dict[str, object]:
    """Return the manifest of a Service."""
    spec = {"ports": [{"port": port, "protocol": protocol} for port in ports]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def test_each_port_is_open_under_its_own_number() -> None:
    """Every TCP port of every Service of Kubernetes' own is open under its own number."""
    foreign = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "other"}}
    nameless = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "elsewhere"},
        "spec": {"type": "ExternalName"},
    }
    found = doors(
        [service("postgres", 5432), foreign, nameless, service("minio", 9000, 9001), service("dns", 53, protocol="UDP")]
    )
    assert found == (Door("postgres", 5432, 5432), Door("minio", 9000, 9000), Door("minio", 9001, 9001))


def test_second_service_of_a_port_is_open_under_another() -> None:
    """Where two Services have the same port, the second is open ten thousand further, and its variable says so."""
    found = doors([service("jaeger", 4317), service("collector", 4317)])
    assert found == (Door("jaeger", 4317, 4317), Door("collector", 4317, 14317))
    inside = {"FLOE_COLLECTOR_HOST": "collector", "FLOE_COLLECTOR_PORT": "4317", "FLOE_COLLECTOR_USER": "collector"}
    assert seen_from_outside(inside, found) == {
        "FLOE_COLLECTOR_HOST": "localhost",
        "FLOE_COLLECTOR_PORT": "14317",
        "FLOE_COLLECTOR_USER": "collector",
    }


def test_host_without_a_door_stays() -> None:
    """A variable that names something that is not opened is what it was."""
    assert seen_from_outside({"DB_HOST": "db.example.com", "DB_PORT": "5432"}, doors([service("postgres", 5432)])) == {
        "DB_HOST": "db.example.com",
        "DB_PORT": "5432",
    }


def test_door_is_read_as_it_was_written() -> None:
    """A door survives the command line."""
    assert Door.parse(str(Door("minio", 9001, 19001))) == Door("minio", 9001, 19001)
