"""Whether Services answer where the tests are: a node knows of a pod behind one a moment after the cluster does.

Until then a connection to the Service is refused, though its pod is ready. What its pods themselves don't answer, such
as a port at which nothing listens, or one that a NetworkPolicy keeps from the tests, is not waited for.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Mapping

    from floe_ci.addons import Addons
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Document, Manifests

Pods: TypeAlias = list[tuple[str, int]]
"""The addresses of pods, each with the port that it listens at."""
TCP: Final = "TCP"
SERVICE: Final = "kubernetes.io/service-name"
"""The label by which an EndpointSlice says whose it is."""
HEADLESS: Final = "None"
"""The address of a Service that has none: its name stands for its pods."""
MOST: Final = 3
"""Pods of a Service that are asked."""
WAIT: Final = """\
import json, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
limit, ways = float(sys.argv[1]), json.loads(sys.argv[2])
until = time.monotonic() + limit
def answers(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
def wait(way):
    name, port, pods = way
    while not answers(name, port):
        there = next((pod for pod in pods if answers(*pod)), None)
        if there is None:
            return
        if time.monotonic() >= until:
            pod = ":".join(map(str, there))
            return f"Service {name}:{port} does not answer on the tests' node after {limit:g} s; its pod does, at {pod}"
        time.sleep(0.05)
with ThreadPoolExecutor(min(len(ways), 16)) as pool:
    sys.exit("; ".join(filter(None, pool.map(wait, ways))) or None)
"""
"""What is run where the tests are, with seconds and what is looked at: host and port of Services, and their pods'."""
LIMIT: Final = 30.0
"""Seconds until a Service must answer whose pod does."""


def command(
    apis: Apis, spec: RunSpec, services: Manifests, addons: Addons, stop: threading.Event | None = None
) -> tuple[str, ...]:
    """Return what waits, run in the tests' pod, until a run's Services answer there; nothing where it has none.

    Raises:
        RunError: The cluster does not tell of the pods behind them.
        Stopped: It was told to stop.
    """
    asked = {spec.namespace: services} | {each: addons.within(each) for each in addons.namespaces}
    found = [
        (name if namespace == spec.namespace else f"{name}.{namespace}", *way)
        for namespace, manifests in asked.items()
        if (there := manifests.selecting_services())
        for name, way in ways(there, apis.ask("Services", partial(slices, apis, namespace), stop=stop))
    ]
    return ("python3", "-c", WAIT, str(LIMIT), json.dumps(found)) if found else ()


def ways(services: Mapping[str, Document], there: Iterable[Document]) -> Iterator[tuple[str, tuple[int, Pods]]]:
    """Yield each TCP port of Services, by their name, with addresses of ready pods behind it.

    Args:
        services: What they say of themselves, by name.
        there: The EndpointSlices of their namespace.
    """
    behind: dict[tuple[str, str], Pods] = {}
    for each in there:
        name = each["metadata"].get("labels", {}).get(SERVICE, "")
        ready = [endpoint for endpoint in each.get("endpoints") or () if is_ready(endpoint)]
        for port in each.get("ports") or ():
            if port.get("protocol", TCP) == TCP and port.get("port"):
                addresses = [(endpoint["addresses"][0], port["port"]) for endpoint in ready]
                behind.setdefault((name, port.get("name") or ""), []).extend(addresses)
    for (name, port_name), pods in behind.items():
        ports = {port.get("name") or "": port["port"] for port in services.get(name, {}).get("ports") or ()}
        if pods and port_name in ports:
            # Nothing stands between the name of one without an address and its pods: their port is the one.
            is_bare = services[name].get("clusterIP") == HEADLESS
            yield name, (pods[0][1] if is_bare else ports[port_name], pods[:MOST])


def slices(apis: Apis, namespace: str, service: str = "") -> list[Document]:
    """Return the EndpointSlices of a Service, or of all of a namespace.

    Raises:
        ApiException: The cluster refuses.
    """
    selector = f"{SERVICE}={service}" if service else SERVICE
    # As it came: the client's own model takes no slice without endpoints, as one is before there are any.
    answer = apis.discovery.list_namespaced_endpoint_slice(namespace, label_selector=selector, _preload_content=False)
    found: list[Document] = json.loads(answer.data)["items"]
    return found


def is_ready(endpoint: Document) -> bool:
    """Tell whether a pod takes what a Service gets; the API says that an unknown readiness is to be taken for ready."""
    return (endpoint.get("conditions") or {}).get("ready") is not False
