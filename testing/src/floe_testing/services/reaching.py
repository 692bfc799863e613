"""Whether a service can be reached: a condition, and the wait for it."""

from floe_testing.services.discovery import PORT_FORWARD, Address, ServiceNotFoundError, locate
from floe_testing.services.network import tcp_open
from floe_testing.services.place import default_namespace
from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import PollingConfig, Unmet, wait_for_condition, wait_for_condition_async
from floe_testing.waiting.timeouts import Timeouts


def service_reachable(service: str, port: int, namespace: str, *, probe: float | None = None) -> Condition[Address]:
    """Return the condition that a service is found and takes connections; met, it gives its address from here."""

    def look(seconds: float) -> Address | Unmet:
        address = locate(service, port, namespace)
        settle = 1.0 if address.how == PORT_FORWARD else 0.0
        seen = tcp_open(address.host, address.port, settle=settle, probe=seconds)()
        return Unmet(f"{address}: {seen}") if isinstance(seen, Unmet) else address

    description = f"{service}:{port} in namespace {namespace} takes connections"
    advice = f"Look closer with: kubectl --namespace {namespace} get services,pods"
    return Condition(description, look, (ServiceNotFoundError,), probe, advice)


def wait_for_service(
    service: str, port: int, namespace: str | None = None, config: PollingConfig | None = None
) -> None:
    """Wait until a service takes connections, wherever it is: the environment, the cluster's DNS or a port-forward.

    Args:
        service: The service's name.
        port: Its port, as the service calls it; a port-forward has another one on this side.
        namespace: The namespace that it is in; what `FLOE_NAMESPACE` says, or else `floe-test`.
        config: How long and how often; the table's `services` unless told otherwise.

    Raises:
        ConditionTimeoutError: It took none in time. It is a `TimeoutError`.
        WrongTimeoutError: The environment gives a timeout that is none.
    """
    __tracebackhide__ = True
    wait_for_condition(service_reachable(service, port, namespace or default_namespace()), config or _for_services())


async def wait_for_service_async(
    service: str, port: int, namespace: str | None = None, config: PollingConfig | None = None
) -> None:
    """Wait as `wait_for_service` does, while other tasks go on."""
    await wait_for_condition_async(
        service_reachable(service, port, namespace or default_namespace()), config or _for_services()
    )


def _for_services() -> PollingConfig:
    return PollingConfig(timeout=Timeouts.from_environment().services)
